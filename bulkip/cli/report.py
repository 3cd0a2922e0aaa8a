"""`bulkip report`: what did a run leave?"""

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import click

from bulkip.cli import suggestions
from bulkip.cli.homes import home_of
from bulkip.cli.options import CLUSTER, ON_EXISTS, REPORT, Word, on_exists_of, option, run_dir_option
from bulkip.policy import OnExists, ReportSpec
from bulkip.reports.rendering import OpenRun, render
from bulkip.run.reportplaces import place_reports
from bulkip.store import RunReader

EPILOG = """\b
Examples:
  bulkip report
  bulkip report last -f jsonl
  bulkip report 20260901T0315 -f csv=night.csv -f json=night.json
  bulkip report last -f failed-csv=failed.csv
  bulkip report last~1 -f attempts=calls.jsonl
  bulkip report last -f "parquet=traffic/{{ period.start | date('%Y/%m/%d') }}.parquet" --on-exists skip
  bulkip report last -f html=night.html
"""


@click.command(epilog=EPILOG)
@click.argument("run", default="last", shell_complete=suggestions.runs)
@option(
    "-f", "--format", "formats", type=REPORT, multiple=True, twin=False,
    help="FORMAT or FORMAT=PATH, repeatable; without PATH: stdout. text (default), jsonl, csv: a row per "
    "item. json: the summary. failed-csv: what failed, as input of the next job. attempts: every call. "
    "traffic-csv, traffic-jsonl, parquet: a row per figure. prometheus: metrics of the run. "
    "html: all of it as one page for a browser. md: a job summary. github: annotations.",
)  # fmt: skip
@option("--on-exists", type=Word(ON_EXISTS), twin=False, help="What to do with a file that is there already.")
@run_dir_option
@CLUSTER
def report(
    run: str, formats: tuple[ReportSpec, ...], on_exists: str | None, run_dir: Path, cluster: str | None
) -> int:
    """Render reports of a run from its run store; RUN is an id, a unique prefix, `last` or `last~1`."""
    place = home_of(run_dir, run, cluster)
    specs = formats or (ReportSpec("text", "-"),)
    if chosen := on_exists_of(on_exists):
        specs = tuple(replace(spec, on_exists=chosen) for spec in specs)
    for spec in place_reports(specs, place, afresh=True):
        if spec.on_exists is OnExists.SKIP:
            click.echo(f"{spec.path}: it was there already and stays as it is", err=True)
            continue
        with RunReader(place) as reader:
            render(spec, _open(reader))
    return 0


def _open(reader: RunReader) -> OpenRun:
    return lambda: nullcontext(reader)

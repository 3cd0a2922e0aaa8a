"""`bulkip report`: what did a run leave?"""

from pathlib import Path

import click

from bulkip.cli import suggestions
from bulkip.cli.options import REPORT, option, run_dir_option
from bulkip.policy import ReportSpec
from bulkip.reports import FORMATS
from bulkip.reports.output import check_places, write_report
from bulkip.run.runs import find_run
from bulkip.store import RunReader

EPILOG = """\b
Examples:
  bulkip report
  bulkip report last -f jsonl
  bulkip report 20260901T0315 -f csv=night.csv -f json=night.json
  bulkip report last -f failed-csv=failed.csv
  bulkip report last~1 -f attempts=calls.jsonl
  bulkip report last -f html=night.html
"""


@click.command(epilog=EPILOG)
@click.argument("run", default="last", shell_complete=suggestions.runs)
@option(
    "-f", "--format", "formats", type=REPORT, multiple=True, twin=False,
    help="FORMAT or FORMAT=PATH, repeatable; without PATH: stdout. text (default), jsonl, csv: a row per "
    "item. json: the summary. failed-csv: what failed, as input of the next job. attempts: every call. "
    "html: all of it as one page for a browser.",
)  # fmt: skip
@run_dir_option
def report(run: str, formats: tuple[ReportSpec, ...], run_dir: Path) -> int:
    """Render reports of a run from its run store; RUN is an id, a unique prefix, `last` or `last~1`."""
    place = find_run(run_dir, run)
    specs = formats or (ReportSpec("text", "-"),)
    check_places(spec.path for spec in specs)
    for spec in specs:
        with RunReader(place) as reader:
            write_report(spec.path, FORMATS[spec.format](reader))
    return 0

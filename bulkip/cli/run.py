"""`bulkip run`: carry a job out."""

from pathlib import Path
from typing import Any

import click

from bulkip.cli.desk import Answers, TerminalDesk
from bulkip.cli.filters import filter_options, filters_of
from bulkip.cli.options import (
    DURATION,
    EXISTING,
    FILE_FORMATS,
    RATE,
    REPORT,
    SHARE,
    Word,
    option,
    run_dir_option,
)
from bulkip.cli.origins import origin_lines
from bulkip.progress import progress_view
from bulkip.run.execute import execute
from bulkip.run.options import Overrides, RunOptions
from bulkip.settings import load_job, narrowed

ORIGINS = 2  # times -v
VIEWS = ("auto", "tty", "plain", "none")
EPILOG = """\b
Examples:
  bulkip run jobs/ptr-migration.yaml --simulate --yes --rate 200/s
  bulkip run jobs/ptr-migration.yaml --report csv=ptr.csv
  bulkip run jobs/traffic-nightly.yaml -q --report jsonl=traffic.jsonl
  bulkip run jobs/ptr-migration.yaml --confirm 500 --rate 5/s --rate 200/m
  bulkip run jobs/ptr-migration.yaml --limit 198.51.100.0/24 --sample 5
\b
Every option but --yes, --confirm and --max-clears has a twin in the environment:
BULKIP_RATE=2/s, BULKIP_RUN_DIR=/var/lib/bulkip. Flag, environment, job file, default.
"""


@click.command(epilog=EPILOG)
@click.argument("job", type=EXISTING)
@option("-y", "--yes", is_flag=True, twin=False, help="Answer the question before the first write with yes.")
@option("--confirm", type=click.IntRange(min=0), twin=False, help="Go on only if there are exactly N writes.")
@option("--simulate", is_flag=True, help="Rehearse against a simulator that knows this job's targets.")
@option("--faults", type=EXISTING, help="Faults for the simulator (implies --simulate).")
@filter_options
@option("--rate", type=RATE, multiple=True, help="Calls per time, such as 5/s or 60/m; repeatable.")
@option("--concurrency", type=click.IntRange(1, 1000), help="How many calls may be in flight.")
@option("--retries", type=click.IntRange(0, 100), help="How often a failed call is tried again.")
@option("--max-retry-after", type=DURATION, help="The longest Retry-After to wait for.")
@option("--connect-timeout", type=DURATION, help="How long a connection may take.")
@option("--timeout", type=DURATION, help="How long one attempt may take.")
@option("--grace", type=DURATION, default="20s", show_default=True, help="What calls get after Ctrl-C.")
@option("--max-changes", type=SHARE, help="The most PTR records to write: a count or a percentage.")
@option("--max-clears", type=click.IntRange(min=0), twin=False, help="The most PTR records to clear.")
@option("--report", "reports", type=REPORT, multiple=True, help="Write FORMAT=PATH at the end; repeatable.")
@option("--format", "form", type=Word(FILE_FORMATS), help="Write a report in this format to stdout.")
@option("--progress", type=Word(VIEWS), default="auto", show_default=True, help="How to show it.")
@option("--no-color", is_flag=True, help="No colours, as NO_COLOR does.")
@option("-q", "--quiet", is_flag=True, help="Only errors, warnings and what was asked for.")
@option("-v", "--verbose", count=True, help="-vv tells where each value came from.")
@run_dir_option
@click.pass_context
def run(ctx: click.Context, /, job: Path, **given: Any) -> int:
    """Carry a job out: freeze the plan, read what is there, ask, apply, report.

    The run is kept in the run store, so `bulkip report` can render it again.
    """
    options = _options(given)
    view = progress_view(
        "none" if given["quiet"] else given["progress"],
        lambda text: click.echo(text, err=True),
        colour=not given["no_color"],
    )
    loaded = narrowed(load_job(job), filters_of(given))
    if given["verbose"] >= ORIGINS and loaded.job is not None:
        for line in origin_lines(ctx, loaded.job):
            click.echo(line, err=True)
    desk = TerminalDesk(view, Answers(given["yes"], given["confirm"]), quiet=given["quiet"])
    with view:
        conclusion = execute(loaded, options, desk)
    desk.recap(conclusion)
    return conclusion.exit_code


def _options(given: dict[str, Any]) -> RunOptions:
    return RunOptions(
        run_dir=given["run_dir"],
        simulate=given["simulate"] or given["faults"] is not None,
        faults=given["faults"],
        grace_s=given["grace"],
        overrides=_overrides(given),
        reports=given["reports"] or None,
        shown=given["form"],
    )


def _overrides(given: dict[str, Any]) -> Overrides:
    return Overrides(
        rate=given["rate"] or None,
        concurrency=given["concurrency"],
        retries=given["retries"],
        max_retry_after_s=given["max_retry_after"],
        connect_s=given["connect_timeout"],
        attempt_s=given["timeout"],
        max_changes=given["max_changes"],
        max_clears=given["max_clears"],
    )

"""`bulkip run`: carry a job out."""

from functools import partial
from pathlib import Path
from typing import Any

import click

from bulkip.cli.filters import filter_options, filters_of
from bulkip.cli.nights import carry_nights
from bulkip.cli.options import EXISTING, Word, option
from bulkip.cli.origins import origin_lines
from bulkip.cli.reckoning import reckoning_options
from bulkip.cli.running import allow_unread_option, cluster_options, execution_options, run_options, told
from bulkip.errors import UsageError
from bulkip.logs import JsonLog
from bulkip.nights import By
from bulkip.run.alarms import Case
from bulkip.run.backfill import Backfill, nights_of
from bulkip.run.execute import execute
from bulkip.run.planning import now_utc
from bulkip.run.plans import expecting
from bulkip.settings import LoadedJob, load_job, narrowed

ORIGINS = 2  # times -v
EPILOG = """\b
Examples:
  bulkip run jobs/ptr-migration.yaml --simulate --yes --rate 200/s
  bulkip run jobs/ptr-migration.yaml --report csv=ptr.csv
  bulkip run jobs/traffic-nightly.yaml -q --report jsonl=traffic.jsonl
  bulkip run jobs/traffic-nightly.yaml --as-of 2026-09-02 --report csv=night.csv
  bulkip run jobs/traffic-nightly.yaml --backfill last-7-days --report jsonl=-
  bulkip run jobs/traffic-nightly.yaml --report "traffic-csv=traffic/{{ period.label }}.csv" --on-exists skip
  bulkip run jobs/ptr-migration.yaml --confirm 500 --rate 5/s --rate 200/m
  bulkip run jobs/ptr-migration.yaml --limit 198.51.100.0/24 --sample 5
  bulkip run jobs/several-accounts.yaml --simulate --yes --rate 200/s
  bulkip run jobs/ptr-migration.yaml --shard 1/3 --run-dir shard-1 --yes
  bulkip run jobs/ptr-migration.yaml --fail-on "failed>1%,conflict,unverified,unknown" --yes
\b
Every option but --yes, --confirm, --expect-plan and --max-clears has a twin in the environment:
BULKIP_RATE=2/s, BULKIP_RUN_DIR=/var/lib/bulkip. Flag, environment, job file, default.
"""


@click.command(epilog=EPILOG)
@click.argument("job", type=EXISTING)
@option("--simulate", is_flag=True, help="Rehearse against a simulator that knows this job's targets.")
@option("--faults", type=EXISTING, help="Faults for the simulator (implies --simulate).")
@option("--expect-plan", metavar="SHA256", twin=False, help="Go on only when this is the plan's digest.")
@filter_options
@allow_unread_option
@reckoning_options
@execution_options
@cluster_options
@option("--refresh", is_flag=True, help="Ask again for traffic that was collected before.")
@option("--backfill", metavar="PERIOD", help="Run once for each day of a range, such as A..B.")
@option("--by", type=Word(tuple(one.value for one in By)), default=By.DAY.value, show_default=True,
        help="What each run of a backfill pulls.")  # fmt: skip
@option("-v", "--verbose", count=True, help="-v tells more; -vv where each value came from.")
@click.pass_context
def run(ctx: click.Context, /, job: Path, **given: Any) -> int:
    """Carry a job out: freeze the plan, read what is there, ask, apply, report.

    The run is kept in the run store, so `bulkip report` can render it again.
    """
    loaded = narrowed(load_job(job), filters_of(given))
    if given["verbose"] >= ORIGINS and loaded.job is not None:
        write = JsonLog().info if given["log_format"] == "json" else partial(click.echo, err=True)
        for line in origin_lines(ctx, loaded.job):
            write(line)
    guard = expecting(given["expect_plan"])
    if given["backfill"] is not None:
        return _backfilled(loaded, given)
    options = run_options(given)
    case = Case(loaded.job, options.simulate)
    return told(given, case, lambda desk: execute(loaded, options, desk, guard))


def _backfilled(loaded: LoadedJob, given: dict[str, Any]) -> int:
    """Carry a job out once for each period of a range."""
    if given["expect_plan"] is not None:
        raise UsageError(
            "--expect-plan is about one plan, and --backfill makes several; leave one of them out"
        )
    options = run_options(given)
    nights = nights_of(loaded, options, Backfill(given["backfill"], By(given["by"])), now_utc())
    return carry_nights(
        given, nights, lambda night, signals, desk: execute(night.loaded, options, desk, signals=signals)
    )

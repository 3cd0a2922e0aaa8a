"""`bulkip run`: carry a job out."""

from pathlib import Path
from typing import Any

import click

from bulkip.cli.filters import filter_options, filters_of
from bulkip.cli.options import EXISTING, option
from bulkip.cli.origins import origin_lines
from bulkip.cli.running import execution_options, run_options, shown
from bulkip.run.execute import execute
from bulkip.run.plans import expecting
from bulkip.settings import load_job, narrowed

ORIGINS = 2  # times -v
EPILOG = """\b
Examples:
  bulkip run jobs/ptr-migration.yaml --simulate --yes --rate 200/s
  bulkip run jobs/ptr-migration.yaml --report csv=ptr.csv
  bulkip run jobs/traffic-nightly.yaml -q --report jsonl=traffic.jsonl
  bulkip run jobs/traffic-nightly.yaml --report "traffic-csv=traffic/{{ period.label }}.csv" --on-exists skip
  bulkip run jobs/ptr-migration.yaml --confirm 500 --rate 5/s --rate 200/m
  bulkip run jobs/ptr-migration.yaml --limit 198.51.100.0/24 --sample 5
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
@execution_options
@option("-v", "--verbose", count=True, help="-vv tells where each value came from.")
@click.pass_context
def run(ctx: click.Context, /, job: Path, **given: Any) -> int:
    """Carry a job out: freeze the plan, read what is there, ask, apply, report.

    The run is kept in the run store, so `bulkip report` can render it again.
    """
    loaded = narrowed(load_job(job), filters_of(given))
    if given["verbose"] >= ORIGINS and loaded.job is not None:
        for line in origin_lines(ctx, loaded.job):
            click.echo(line, err=True)
    guard = expecting(given["expect_plan"])
    return shown(given, lambda desk: execute(loaded, run_options(given), desk, guard))

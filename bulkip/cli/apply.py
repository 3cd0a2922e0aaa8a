"""`bulkip apply`: carry a saved plan out."""

from pathlib import Path
from typing import Any

import click

from bulkip.cli.options import EXISTING, option
from bulkip.cli.running import cluster_options, execution_options, run_options, told
from bulkip.run.applying import Wishes, apply_plan, case_of

EPILOG = """\b
Examples:
  bulkip apply ptr.plan.json
  bulkip apply ptr.plan.json --simulate --yes --rate 200/s
  bulkip apply ptr.plan.json --confirm 500 --report csv=ptr.csv
  bulkip apply ptr.plan.json --strict --expect-plan 4d7a0c51... --yes
"""


@click.command(epilog=EPILOG)
@click.argument("plan", type=EXISTING)
@option("--expect-plan", metavar="SHA256", twin=False, help="Go on only when this is the plan's digest.")
@option("--strict", is_flag=True, help="Stop before the first write when any value has moved since the plan.")
@option("--simulate", is_flag=True, help="Rehearse against a simulator that has the values of the plan.")
@option("--faults", type=EXISTING, help="Faults for the simulator (implies --simulate).")
@execution_options
@cluster_options
def apply(plan: Path, expect_plan: str | None, **given: Any) -> int:
    """Carry out a plan that `bulkip plan -o PLAN` kept; the job file is not needed.

    Each value is read again just before its write. As planned from: written. As
    wanted already: unchanged. Anything else: a conflict, and not overwritten.
    """
    wishes = Wishes(expect_plan, strict=given["strict"])
    options = run_options(given)
    return told(given, case_of(plan, options), lambda desk: apply_plan(plan, options, desk, wishes))

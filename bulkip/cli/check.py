"""`bulkip check`: is everything as a job says?"""

from pathlib import Path
from typing import Any

import click

from bulkip.cli.filters import filter_options, filters_of
from bulkip.cli.options import DURATION, EXISTING, Word, option
from bulkip.cli.reckoning import reckoning_options
from bulkip.cli.running import (
    FAILING,
    KEEPING,
    calling_options,
    reporting_options,
    run_options,
    told,
)
from bulkip.policy import VerifyMode
from bulkip.run.alarms import Case
from bulkip.run.checking import Asking
from bulkip.run.checking import check as assert_all
from bulkip.settings import load_job, narrowed

SOURCES = tuple(mode.value for mode in VerifyMode if mode is not VerifyMode.NONE)
EPILOG = """\b
Examples:
  bulkip check jobs/ptr-migration.yaml
  bulkip check jobs/ptr-migration.yaml --source dns --format csv > ptr-check.csv
  bulkip check jobs/ptr-migration.yaml --source fcrdns --wait 5m -q
  bulkip check jobs/ptr-migration.yaml --fail-on "failed>1%,mismatch"
  bulkip check jobs/ptr-migration.yaml --simulate --rate 200/s
\b
Sources:
  api      the provider's get_ptr
  dns      the reverse zone's own name servers, every one, past all caches; no token needed
  fcrdns   dns, and a name of the address leads back to it, as mail servers want
\b
Exit codes: 0 all match, 3 some could not be read, 4 some do not match, or nothing was checked.
"""


@click.command(epilog=EPILOG)
@click.argument("job", type=EXISTING)
@option("--source", type=Word(SOURCES), help="Who is asked; else the job's verify.mode, else api.")
@option("--wait", type=DURATION, default="0s", show_default=True,
        help="Look again, for so long per address, until it matches.")  # fmt: skip
@option("--allow-empty", is_flag=True, help="Succeed when there is nothing to check.")
@option("--simulate", is_flag=True, help="Rehearse against a simulator that invents what is there.")
@option("--faults", type=EXISTING, help="Faults for the simulator (implies --simulate).")
@filter_options
@reckoning_options
@calling_options
@KEEPING
@FAILING
@reporting_options
def check(job: Path, source: str | None, wait: float, *, allow_empty: bool, **given: Any) -> int:
    """Assert that every PTR record is what the job would set; nothing is written and nothing asked.

    Each update_ptr of the job ends as match or mismatch, with what was expected
    and what was found; other actions are skipped. Names compare as DNS names,
    several as a set. The job's own `reports` are not written: use --report.
    """
    loaded = narrowed(load_job(job), filters_of(given))
    asking = Asking(None if source is None else VerifyMode(source), wait, allow_empty)
    options = run_options(given)
    case = Case(loaded.job, options.simulate)
    return told(given, case, lambda desk: assert_all(loaded, options, desk, asking))

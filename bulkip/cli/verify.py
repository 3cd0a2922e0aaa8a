"""`bulkip verify`: does what was written hold?"""

from pathlib import Path
from typing import Any

import click

from bulkip.cli import suggestions
from bulkip.cli.check import SOURCES
from bulkip.cli.options import DURATION, EXISTING, Word, option
from bulkip.cli.running import calling_options, reporting_options, run_options, shown
from bulkip.policy import VerifyMode
from bulkip.run.checking import Asking, check
from bulkip.run.runs import find_run
from bulkip.run.verifying import Doubt
from bulkip.run.verifying import verify as prove_again
from bulkip.settings import load_job

JOB_SUFFIXES = frozenset({".yaml", ".yml"})
EPILOG = """\b
Examples:
  bulkip verify last
  bulkip verify last --mode fcrdns --wait 10m
  bulkip verify 20260901T0315 --report csv=verified.csv
  bulkip verify jobs/ptr-migration.yaml --mode dns --wait 5m
\b
Exit codes of a RUN: 0 all proved, 3 some are not; of a JOB those of `bulkip check`: 0 all match,
3 some could not be read, 4 some do not match. 8: somebody is at this run.
"""


@click.command(epilog=EPILOG)
@click.argument("what", metavar="RUN|JOB", shell_complete=suggestions.runs)
@option("--mode", type=Word(SOURCES), help="Who is asked; else the verify.mode of run or job, else dns.")
@option("--wait", type=DURATION, help="Look again, for so long per address; else verify.timeout.")
@option("--allow-empty", is_flag=True, help="Succeed when a JOB has nothing to verify.")
@option("--simulate", is_flag=True, help="Rehearse a JOB against a simulator that invents what is there.")
@option("--faults", type=EXISTING, help="Faults for the simulator of a simulated run.")
@calling_options
@reporting_options
def verify(what: str, mode: str | None, wait: float | None, *, allow_empty: bool, **given: Any) -> int:
    """Look again whether addresses are called as they should be, through API or DNS; nothing is written.

    RUN is an id, a unique prefix, `last` or `last~1`: every address that it
    changed, or found as wanted, is proved again, and the proofs go into its
    store, so that its reports and `bulkip explain` tell them. A file is a JOB:
    it is checked as by `bulkip check`, only with patience.
    """
    asked = None if mode is None else VerifyMode(mode)
    if Path(what).suffix in JOB_SUFFIXES or Path(what).is_file():
        loaded, asking = load_job(what), Asking(asked, wait, allow_empty, otherwise=VerifyMode.DNS)
        return shown(given, lambda desk: check(loaded, run_options(given), desk, asking))
    folder = find_run(given["run_dir"], what, checks=False)
    return shown(given, lambda desk: prove_again(folder, run_options(given), desk, Doubt(asked, wait)))

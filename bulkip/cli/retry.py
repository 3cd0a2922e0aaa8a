"""`bulkip retry`: run once more what failed."""

from typing import Any

import click

from bulkip.cli import suggestions
from bulkip.cli.homes import home_of
from bulkip.cli.options import EXISTING, Quantity, did_you_mean, option
from bulkip.cli.running import allow_unread_option, cluster_options, execution_options, run_options, told
from bulkip.model import ErrorClass
from bulkip.run.again import case_of
from bulkip.run.again import retry as run_again

EPILOG = """\b
Examples:
  bulkip retry
  bulkip retry last --only throttled,server,timeout --rate 2/s
  bulkip retry 20260901T0315 --yes
"""


def error_classes(text: str) -> tuple[ErrorClass, ...]:
    """Read error classes that commas divide; raises ValueError."""
    names = [name.strip() for name in text.split(",")]
    known = [one.value for one in ErrorClass]
    for name in names:
        if name not in known:
            raise ValueError(f"`{name}` is no error class; {did_you_mean(name, known)}")
    return tuple(ErrorClass(name) for name in names)


CLASSES = Quantity("CLASS,...", error_classes)


@click.command(epilog=EPILOG)
@click.argument("run", default="last", shell_complete=suggestions.runs)
@option("--only", type=CLASSES, help="Only items of these error classes, such as timeout,server.")
@option("--faults", type=EXISTING, help="Faults for the simulator of a simulated run.")
@allow_unread_option
@execution_options
@cluster_options
def retry(run: str, **given: Any) -> int:
    """Run what failed once more: failed, conflict and unknown items, with what was skipped because of them.

    The values before are read again. Old results stay in the run store.
    """
    home = home_of(given["run_dir"], run, given["cluster"])
    classes = given["only"] or ()
    return told(given, case_of(home), lambda desk: run_again(home, classes, run_options(given), desk))

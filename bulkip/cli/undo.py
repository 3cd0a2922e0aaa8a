"""`bulkip undo`: take back what a run changed."""

from typing import Any

import click

from bulkip.cli import suggestions
from bulkip.cli.options import EXISTING, option
from bulkip.cli.running import execution_options, run_options, shown
from bulkip.run.runs import find_run
from bulkip.run.undoing import undo as take_back

EPILOG = """\b
Examples:
  bulkip undo last
  bulkip undo 20260901T0315 --max-clears 12 --report csv=undo.csv
"""


@click.command(epilog=EPILOG)
@click.argument("run", shell_complete=suggestions.runs)
@option("--faults", type=EXISTING, help="Faults for the simulator of a simulated run.")
@execution_options
def undo(run: str, **given: Any) -> int:
    """Set back every PTR record that a run changed, where the value is still the one that it set.

    Addresses that had no PTR before are cleared, which needs --max-clears N. It
    works after a run that was cut short, too; undoing twice sends nothing.
    """
    folder = find_run(given["run_dir"], run, checks=False)
    return shown(given, lambda desk: take_back(folder, run_options(given), desk))

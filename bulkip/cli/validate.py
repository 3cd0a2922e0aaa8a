"""`bulkip validate`: is a job right, before anything is sent?"""

from pathlib import Path
from typing import Any

import click

from bulkip.cli.filters import filter_options, filters_of
from bulkip.cli.options import EXISTING, Word, option, run_dir_option
from bulkip.cli.running import reckoning_of, reckoning_options
from bulkip.errors import JobError, UsageError
from bulkip.exitcode import ExitCode
from bulkip.model import Place, Problem
from bulkip.quantities import counted
from bulkip.reports.output import STDOUT, write_report
from bulkip.reports.validations import FORMATS as FOUND_FORMATS
from bulkip.reports.validations import Validation, validation_lines
from bulkip.run.options import Reckoning
from bulkip.run.planning import Planning, check_job, doors_of, now_utc, piped_input
from bulkip.run.reportplaces import check_paths
from bulkip.selection import Filters
from bulkip.settings import load_job, narrowed
from bulkip.store import Frozen
from bulkip.targets import Doors

FORMATS = ("text", *FOUND_FORMATS)
EPILOG = """\b
Examples:
  bulkip validate jobs/ptr-migration.yaml
  bulkip validate jobs/*.yaml
  bulkip validate jobs/*.yaml --format github
  bulkip validate jobs/ptr-migration.yaml --limit 198.51.100.0/24,!198.51.100.7
"""


@click.command(epilog=EPILOG)
@click.argument("jobs", metavar="JOB...", nargs=-1, required=True, type=EXISTING)
@option("--format", "form", type=Word(FORMATS), default="text", twin=False, show_default=True,
        help="How to write what was found; all but text go to stdout.")  # fmt: skip
@filter_options
@reckoning_options
@run_dir_option
def validate(jobs: tuple[Path, ...], run_dir: Path, form: str, **given: Any) -> int:
    """Check job files and all they name, without a network. Every problem is shown at once."""
    filters = filters_of(given)
    with piped_input() as piped:
        doors = doors_of(piped, run_dir)
        found = [_validated(path, filters, doors, reckoning_of(given)) for path in jobs]
    if form == "text":
        for one in found:
            click.echo(one.text, err=not one.is_valid)
    else:
        write_report(STDOUT, validation_lines(form, found))
    return ExitCode.OK if all(one.is_valid for one in found) else ExitCode.USAGE


def _validated(path: Path, filters: Filters, doors: Doors, reckoning: Reckoning) -> Validation:
    try:
        loaded = narrowed(load_job(path), filters)
        frozen, planning = check_job(loaded, now_utc(), doors, reckoning)
        if loaded.job is not None:
            check_paths(loaded.job)
    except JobError as error:
        return Validation(str(path), str(error), error.problems, error.total)
    except UsageError as error:
        return Validation(str(path), str(error), (Problem(Place(str(path), 1), str(error)),), 1)
    return Validation(str(path), f"{path}: valid, {_told(frozen, planning)}")


def _told(frozen: Frozen, planning: Planning) -> str:
    """Return what the plan holds, and what became of the lines of lists in which not all are targets."""
    parts = [counted(frozen.items, "item"), counted(frozen.writes, "write")] if frozen.items else []
    parts += [counted(frozen.repeated, "repeated row")] if frozen.repeated else []
    parts += [f"{counted(frozen.lookups, 'server id')} to look up"] if frozen.lookups else []
    unasked = any(tally.unasked for tally in planning.tallies)
    told = ", ".join(parts) or ("nothing planned yet" if unasked else "nothing to do")
    return "; ".join([told, *(str(tally) for tally in planning.tallies if not tally.plain)])

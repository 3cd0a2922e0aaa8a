"""`bulkip validate`: is a job right, before anything is sent?"""

from pathlib import Path
from typing import Any

import click

from bulkip.cli.filters import filter_options, filters_of
from bulkip.cli.options import EXISTING, run_dir_option
from bulkip.cli.running import reckoning_of, reckoning_options
from bulkip.errors import UsageError
from bulkip.quantities import counted
from bulkip.run.options import Reckoning
from bulkip.run.planning import Planning, check_job, doors_of, now_utc, piped_input
from bulkip.run.reportplaces import check_paths
from bulkip.selection import Filters
from bulkip.settings import load_job, narrowed
from bulkip.store import Frozen
from bulkip.targets import Doors

EPILOG = """\b
Examples:
  bulkip validate jobs/ptr-migration.yaml
  bulkip validate jobs/*.yaml
  bulkip validate jobs/ptr-migration.yaml --limit 198.51.100.0/24,!198.51.100.7
"""


@click.command(epilog=EPILOG)
@click.argument("jobs", metavar="JOB...", nargs=-1, required=True, type=EXISTING)
@filter_options
@reckoning_options
@run_dir_option
def validate(jobs: tuple[Path, ...], run_dir: Path, **given: Any) -> int:
    """Check job files and all they name, without a network. Every problem is shown at once."""
    filters = filters_of(given)
    with piped_input() as piped:
        doors = doors_of(piped, run_dir)
        return max([_validated(path, filters, doors, reckoning_of(given)) for path in jobs])


def _validated(path: Path, filters: Filters, doors: Doors, reckoning: Reckoning) -> int:
    try:
        loaded = narrowed(load_job(path), filters)
        frozen, planning = check_job(loaded, now_utc(), doors, reckoning)
        if loaded.job is not None:
            check_paths(loaded.job)
    except UsageError as error:
        click.echo(str(error), err=True)
        return 2
    click.echo(f"{path}: valid, {_told(frozen, planning)}")
    return 0


def _told(frozen: Frozen, planning: Planning) -> str:
    """Return what the plan holds, and what became of the lines of lists in which not all are targets."""
    parts = [counted(frozen.items, "item"), counted(frozen.writes, "write")] if frozen.items else []
    parts += [counted(frozen.repeated, "repeated row")] if frozen.repeated else []
    parts += [f"{counted(frozen.lookups, 'server id')} to look up"] if frozen.lookups else []
    unasked = any(tally.unasked for tally in planning.tallies)
    told = ", ".join(parts) or ("nothing planned yet" if unasked else "nothing to do")
    return "; ".join([told, *(str(tally) for tally in planning.tallies if not tally.plain)])

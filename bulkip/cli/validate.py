"""`bulkip validate`: is a job right, before anything is sent?"""

from pathlib import Path

import click

from bulkip.cli.options import EXISTING
from bulkip.errors import JobError
from bulkip.quantities import counted
from bulkip.run.planning import check_job, now_utc
from bulkip.settings import load_job

EPILOG = """\b
Examples:
  bulkip validate jobs/ptr-migration.yaml
  bulkip validate jobs/*.yaml
"""


@click.command(epilog=EPILOG)
@click.argument("jobs", metavar="JOB...", nargs=-1, required=True, type=EXISTING)
def validate(jobs: tuple[Path, ...]) -> int:
    """Check job files and all they name, without a network. Every problem is shown at once."""
    return max(_validated(path) for path in jobs)


def _validated(path: Path) -> int:
    try:
        frozen, _ = check_job(load_job(path), now_utc())
    except JobError as error:
        click.echo(str(error), err=True)
        return 2
    repeats = f", {counted(frozen.repeated, 'repeated row')}" if frozen.repeated else ""
    click.echo(f"{path}: valid, {counted(frozen.items, 'item')}, {counted(frozen.writes, 'write')}{repeats}")
    return 0

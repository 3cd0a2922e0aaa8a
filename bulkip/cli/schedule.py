"""`bulkip schedule`: how is a job run every night?"""

import os
import pwd
import re
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import click

from bulkip.actions import ACTIONS
from bulkip.cli.options import EXISTING, Quantity, Word, option, run_dir_option
from bulkip.errors import JobError, UsageError
from bulkip.reports.output import STDOUT, write_report
from bulkip.run.secret import DEFAULT
from bulkip.schedules import FORMS, Daily
from bulkip.settings import Job, load_job

CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")
EPILOG = """\b
Examples:
  bulkip schedule jobs/traffic-nightly.yaml
  bulkip schedule jobs/traffic-nightly.yaml --print systemd --at 04:40
  bulkip schedule jobs/traffic-nightly.yaml --print systemd --run-dir /var/lib/bulkip
  bulkip schedule jobs/traffic-nightly.yaml --print github
\b
The time is meant in the job's `timezone`. cron counts in the machine's zone and GitHub in UTC; what
is printed says so. A job that writes gets --yes, because nobody is there to ask; its limits hold.
"""


def clock(text: str) -> tuple[int, int]:
    """Read a time of day; raises ValueError."""
    match = CLOCK.fullmatch(text)
    if match is None:
        raise ValueError(f"`{text[:40]}` is no time of day; write it like 03:15")
    return int(match[1]), int(match[2])


@click.command(epilog=EPILOG)
@click.argument("job", type=EXISTING)
@option("--print", "form", type=Word(tuple(FORMS)), default="cron", show_default=True,
        help="For whom: a crontab line, a service with its timer, or a workflow.")  # fmt: skip
@option("--at", type=Quantity("HH:MM", clock), default="03:15", show_default=True, help="When.")
@run_dir_option
def schedule(job: Path, form: str, at: tuple[int, int], run_dir: Path) -> int:
    """Print what runs a job every night, with absolute paths; nothing is written or changed."""
    loaded = load_job(job)
    if loaded.job is None:
        raise JobError(loaded.problems)
    daily = _daily(loaded.job, at, run_dir)
    for path in (daily.folder, daily.run_dir, daily.home, daily.job, *daily.program):
        _refuse_unquotable(path, form)
    write_report(STDOUT, (f"{line}\n" for line in FORMS[form](daily)))
    return 0


def _daily(job: Job, at: tuple[int, int], run_dir: Path) -> Daily:
    user, home = _user()
    here = Path.cwd()
    path = job.path.absolute()
    writes = any(ACTIONS[step.action].writes for step in job.steps)
    return Daily(
        name=job.name,
        hour=at[0],
        minute=at[1],
        zone=job.timezone,
        offsets=_offsets(job.timezone),
        program=_program(),
        job=str(path),
        switches=("--yes", "-q") if writes else ("-q",),
        relative=str(path.relative_to(here)) if path.is_relative_to(here) else str(path),
        folder=str(here),
        run_dir=str(run_dir.absolute()),
        user=user,
        home=home,
        tokens=tuple(str(one.api.token or one.api.key or DEFAULT) for one in job.each()),
    )


def _user() -> tuple[str, str]:
    """Return who we are and where our home is; a user without a name is told by number."""
    try:
        known = pwd.getpwuid(os.geteuid())
    except KeyError:
        return str(os.geteuid()), os.environ.get("HOME", "/")
    return known.pw_name, known.pw_dir


def _program() -> tuple[str, ...]:
    """Return how this very program is started, from any folder."""
    started = Path(sys.argv[0])
    if started.name == "bulkip" and started.is_file():
        return (str(started.absolute()),)
    return (sys.executable, "-m", "bulkip")


def _offsets(zone: str) -> tuple[int, ...]:
    """Return how far a zone is from UTC in the months of this year, in minutes."""
    first = datetime.now(UTC).replace(month=1, day=1, hour=12)
    months = (first + timedelta(days=30 * month) for month in range(12))
    distances = (moment.astimezone(ZoneInfo(zone)).utcoffset() or timedelta() for moment in months)
    return tuple({round(distance.total_seconds() / 60) for distance in distances})


def _refuse_unquotable(path: str, form: str) -> None:
    """Raise UsageError for a path that no quoting makes safe where it will stand."""
    if not path.isprintable() or path.endswith("\\"):
        raise UsageError(
            f"{path!r}: a path with control characters or a `\\` at its end fits no schedule; rename it"
        )
    if form == "github" and "${{" in path:
        raise UsageError(f"{path!r}: GitHub would read an expression in this path; rename it")

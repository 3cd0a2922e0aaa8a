"""A run that goes on: from its store alone, with what is left or with what failed."""

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from bulkip.actions import ACTIONS
from bulkip.errors import StoreError, UsageError
from bulkip.model import ErrorClass, Status
from bulkip.reports.commands import command
from bulkip.run.alarms import Case
from bulkip.run.carry import Desk, Way, carry_out
from bulkip.run.checking import still_a_check
from bulkip.run.ending import Conclusion
from bulkip.run.endpoints import Reach, reach_of
from bulkip.run.engine import LIMITER
from bulkip.run.locking import Claim, Locks
from bulkip.run.options import RunOptions
from bulkip.run.planning import Prepared, RunPlace, now_utc, overridden, prepare
from bulkip.run.reportplaces import check_reports, place_reports
from bulkip.run.runs import find_run, run_folders
from bulkip.run.signals import Signals
from bulkip.run.stages import CONFIRMED
from bulkip.settings import Job, LoadedJob, of_shard, thawed_job
from bulkip.store import (
    Choice,
    Home,
    RemoteRun,
    RunHeader,
    RunReader,
    carry_over,
    reopen,
    replace_store,
    unlooked,
)

REBASED = "rebased"
"""The folder, within that of the run, in which a changed plan is made."""

SETTLED_BY_READING = tuple(name for name, action in ACTIONS.items() if action.read_back is not None)
UNSETTLED = Choice((Status.UNKNOWN,), actions=SETTLED_BY_READING)
"""What a resume takes up beside the items without a result: unknown writes that a read can settle."""
FAILED = (Status.FAILED, Status.CONFLICT, Status.UNKNOWN)
"""What a retry takes up, with what was skipped because of it."""


@dataclass(frozen=True, slots=True)
class AnotherStart:
    """A run that nobody else is at, how its API is reached, and what the caller wants."""

    home: Home
    reach: Reach
    way: Way


def find_resumable(run_dir: Path, name: str) -> Path:
    """Return the home of a run that can go on; `last` is the newest of these.

    A rehearsal is `last` only when no real run is left. Raises UsageError.
    """
    if name != "last":
        return find_run(run_dir, name)
    open_runs = [folder for folder in reversed(run_folders(run_dir)) if has_work(folder)]
    real = [folder for folder in open_runs if not _header_of(folder).simulated]
    if not open_runs:
        raise UsageError(f"no run in {run_dir} has anything left to do; `bulkip runs` lists them")
    return (real or open_runs)[0]


def resume(home: Home, options: RunOptions, desk: Desk) -> Conclusion:
    """Finish a run: everything that is not terminal, and every unknown write that a read can settle.

    A run that was confirmed is not asked again. Raises UsageError when its job
    file was changed since, or nothing is left, Locked when somebody is at it.
    """
    job = _job_to_resume(home, options)
    with _another_start("resume", home, job, options, desk) as start:
        _job_to_resume(home, options)  # whoever had the lock until now may have finished the run
        return _go_on(start, job, UNSETTLED)


def go_on(start: AnotherStart, job: Job) -> Conclusion:
    """Finish a run that nobody else is at, with the settings that its job has now."""
    return _go_on(start, job, UNSETTLED)


def is_unfinished(home: Home) -> bool:
    """Say whether a run has work left, or lost who should have closed its books."""
    if has_work(home):
        return True
    with RunReader(home) as reader:
        return reader.last_start().get("finished_at") is None


def rebase(folder: Path, job: LoadedJob, options: RunOptions, desk: Desk) -> Conclusion:
    """Finish a run with its changed job: what has the same key keeps its result, the rest is planned anew.

    The run keeps its id; its old store is kept beside the new one. A changed
    plan is asked for again. Raises JobError, UsageError when an unknown write
    would be forgotten, Locked when somebody is at this run.
    """
    if job.job is None:
        prepare(job, options, now_utc())  # raises with every problem of the job and its files
        raise AssertionError("a job without problems is a job")
    own = of_shard(job.job, _job_of(folder, options).shard)
    with _another_start("resume", folder, own, options, desk) as start:
        way, place = start.way, RunPlace(_header_of(folder).id, folder / REBASED)
        shutil.rmtree(place.folder, ignore_errors=True)  # a rebase that was killed leaves it
        try:
            job = replace(job, job=still_a_check(own, _job_of(folder, way.options)))
            changed = prepare(job, way.options, now_utc(), start.reach.ask_free_ips, place=place)
            way.signals.hold()  # an interruption could leave the run without a store
            carry_over(changed.run_dir, folder)
            replace_store(changed.run_dir, folder)
        finally:
            shutil.rmtree(place.folder, ignore_errors=True)
        return _go_on(start, changed.job, UNSETTLED)


def case_of(home: Home) -> Case:
    """Return who is to hear of another start of a run."""
    header = _header_of(home)
    job = thawed_job(header.job_name, header.job_path, header.job_digest, header.settings)
    return Case(
        replace(job, path=Path(str(header.settings.get("job_file") or header.job_path))), header.simulated
    )


def job_file_of(home: Home) -> Path:
    """Return where the job file of a run was; raises UsageError when it was planned from none."""
    header = _header_of(home)
    file = str(header.settings.get("job_file", header.job_path))
    if not file:
        raise UsageError(
            f"{home.name}: this run came from a plan or an undo, not from a job file, so --rebase has "
            "nothing to go by; resume it without, or run the job anew"
        )
    return Path(file)


def retry(home: Home, classes: tuple[ErrorClass, ...], options: RunOptions, desk: Desk) -> Conclusion:
    """Run what failed once more, each with a new generation; with `classes` only those of these classes.

    Writes are asked for again. Raises UsageError when nothing failed so, Locked
    when somebody is at this run.
    """
    job, choice = _job_of(home, options), Choice(FAILED, classes)
    _refuse_nothing_failed(home, choice)
    with _another_start("retry", home, job, options, desk) as start:
        _refuse_nothing_failed(home, choice)  # whoever had the lock until now may have retried the same
        return _go_on(start, job, choice)


@contextmanager
def _another_start(
    verb: str, home: Home, job: Job, options: RunOptions, desk: Desk
) -> Iterator[AnotherStart]:
    """Check what can be wrong, and keep others away from account and run until the block ends."""
    options = replace(options, simulate=_header_of(home).simulated)
    signals = Signals()
    signals.interrupt()
    reports = options.reports_of(job)
    check_reports(reports, job, options, home)
    reach = reach_of(job, options, desk.warn)
    _warn_of_own_pace(home, options, desk)
    way = Way(options, desk, reports, signals)
    if isinstance(home, RemoteRun):
        from bulkip.run.clustered import again_in_cluster  # noqa: PLC0415 -- what only a cluster needs

        with again_in_cluster(home, job, options, desk.say) as cluster:
            way = replace(way, dispatch=cluster.dispatch)
            yield AnotherStart(cluster.home(home.name), reach, way)
        return
    with Locks(Claim(verb, job.name, options, desk.say, desk.warn)) as locks:
        locks.take_accounts(reach.accounts)
        locks.take_run(home)
        yield AnotherStart(home, reach, way)


def _warn_of_own_pace(home: Home, options: RunOptions, desk: Desk) -> None:
    """Warn when a run that shared its rate is to go on alone; the URL is kept nowhere, for its login."""
    with RunReader(home) as reader:
        place = reader.remembered(LIMITER)
    alone = options.limiter is None and options.cluster is None and not options.simulate
    if place and alone:
        desk.warn(
            f"{home.name} shared its rate through {place}; name that again with --limiter, or this start "
            "takes the whole rate for itself"
        )


def _go_on(start: AnotherStart, job: Job, choice: Choice) -> Conclusion:
    home, way = start.home, start.way
    with RunReader(home) as reader:
        confirmed = reader.remembered(CONFIRMED) is True and choice is UNSETTLED
    reports = place_reports(way.reports, home)
    way.signals.hold()
    reopen(home, choice)
    with RunReader(home) as reader:
        items, writes = reader.items_left(), 0 if job.check else reader.writes_left()
        header, remote = reader.header(), home if isinstance(home, RemoteRun) else None
    folder = way.options.run_dir / "runs" / home.name if isinstance(home, RemoteRun) else home
    prepared = Prepared(folder, header, job, items, writes, repeated=0, remote=remote)
    return carry_out(prepared, start.reach.open, replace(way, confirmed=confirmed, reports=reports))


def _job_to_resume(home: Home, options: RunOptions) -> Job:
    """Return the job of a run that can be resumed; raises UsageError."""
    job = _job_of(home, options)
    if not has_work(home):
        raise UsageError(f"{home.name}: nothing is left to do; `{command('report', home)}` shows its rows")
    _refuse_changed(home, job)
    return job


def _refuse_nothing_failed(home: Home, choice: Choice) -> None:
    """Raise UsageError when a retry would have nothing to do."""
    with RunReader(home) as reader:
        if not reader.chosen(choice):
            which = f" with class {', '.join(choice.classes)}" if choice.classes else ""
            raise UsageError(f"{home.name}: nothing failed{which}; `{command('show', home)}` tells more")


def _job_of(home: Home, options: RunOptions) -> Job:
    header = _header_of(home)
    if header.is_merged:
        raise UsageError(
            f"{home.name}: this run was merged and cannot go on; resume or retry its shards where they "
            "are, then merge them again"
        )
    job = thawed_job(header.job_name, header.job_path, header.job_digest, header.settings)
    return overridden(job, options.overrides)


def _refuse_changed(home: Home, job: Job) -> None:
    """Raise UsageError when the job file is still there and is not the one that was planned."""
    if _header_of(home).settings.get("job_file") == "":
        return  # the run came from a plan or an undo
    file = job_file_of(home)
    try:
        content = file.read_bytes()
    except OSError:
        return  # the store knows all that is needed
    if hashlib.sha256(content).hexdigest() != job.digest:
        raise UsageError(
            f"{file}: the job was changed since run {home.name} was planned; `bulkip run` starts the "
            "changed job, `bulkip resume --rebase` finishes this run with it, matched by key"
        )


def has_work(home: Home) -> bool:
    """Say whether a run has anything left that a resume could do."""
    try:
        with RunReader(home) as reader:
            if reader.header().is_merged:
                return False
            return bool(reader.is_open() or reader.chosen(UNSETTLED) or unlooked(home))
    except StoreError:
        return False


def _header_of(home: Home) -> RunHeader:
    with RunReader(home) as reader:
        return reader.header()

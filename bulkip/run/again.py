"""A run that goes on: from its store alone, with what is left or with what failed."""

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

from bulkip.errors import StoreError, UsageError
from bulkip.model import ErrorClass, Status
from bulkip.run.carry import Desk, Way, carry_out
from bulkip.run.ending import Conclusion
from bulkip.run.endpoints import reach_of
from bulkip.run.execute import check_reports
from bulkip.run.options import RunOptions
from bulkip.run.planning import Prepared, RunPlace, now_utc, overridden, prepare
from bulkip.run.runs import find_run, run_folders
from bulkip.run.signals import Signals
from bulkip.run.stages import CONFIRMED
from bulkip.settings import Job, LoadedJob, thawed_job
from bulkip.store import Choice, RunReader, carry_over, reopen, replace_store

REBASED = "rebased"
"""The folder, within that of the run, in which a changed plan is made."""

UNSETTLED = Choice((Status.UNKNOWN,), shown_only=True)
"""What a resume takes up beside the items without a result: unknown writes that a read can settle."""
FAILED = (Status.FAILED, Status.CONFLICT, Status.UNKNOWN)
"""What a retry takes up, with what was skipped because of it."""


def find_resumable(run_dir: Path, name: str) -> Path:
    """Return the folder of a run that can go on; `last` is the newest of these.

    A rehearsal is `last` only when no real run is left. Raises UsageError.
    """
    if name != "last":
        return find_run(run_dir, name)
    open_runs = [folder for folder in reversed(run_folders(run_dir)) if _has_work(folder)]
    real = [folder for folder in open_runs if not _is_simulated(folder)]
    if not open_runs:
        raise UsageError(f"no run in {run_dir} has anything left to do; `bulkip runs` lists them")
    return (real or open_runs)[0]


def resume(folder: Path, options: RunOptions, desk: Desk) -> Conclusion:
    """Finish a run: everything that is not terminal, and every unknown write that a read can settle.

    A run that was confirmed is not asked again. Raises UsageError when its job
    file was changed since, or nothing is left.
    """
    if not _has_work(folder):
        raise UsageError(
            f"{folder.name}: nothing is left to do; `bulkip report {folder.name}` shows its rows"
        )
    job = _job_of(folder, options)
    _refuse_changed(folder, job)
    return _go_on(folder, job, options, desk, UNSETTLED)


def rebase(folder: Path, job: LoadedJob, options: RunOptions, desk: Desk) -> Conclusion:
    """Finish a run with its changed job: what has the same key keeps its result, the rest is planned anew.

    The run keeps its id; its old store is kept beside the new one. A changed
    plan is asked for again. Raises JobError, or UsageError when an unknown
    write would be forgotten.
    """
    with RunReader(folder) as reader:
        header = reader.header()
    options = replace(options, simulate=header.simulated)
    if job.job is None:
        prepare(job, options, now_utc())  # raises with every problem of the job and its files
        raise AssertionError("a job without problems is a job")
    reach = reach_of(job.job, options, desk.warn)
    changed = prepare(
        job, options, now_utc(), reach.ask_free_ips, place=RunPlace(header.id, folder / REBASED)
    )
    try:
        carry_over(changed.run_dir, folder)
        replace_store(changed.run_dir, folder)
    finally:
        shutil.rmtree(folder / REBASED, ignore_errors=True)
    return _go_on(folder, changed.job, options, desk, UNSETTLED)


def job_file_of(folder: Path) -> Path:
    """Return where the job file of a run was when it was planned."""
    with RunReader(folder) as reader:
        header = reader.header()
    return Path(str(header.settings.get("job_file", header.job_path)))


def retry(folder: Path, classes: tuple[ErrorClass, ...], options: RunOptions, desk: Desk) -> Conclusion:
    """Run what failed once more, each with a new generation; with `classes` only those of these classes.

    Writes are asked for again. Raises UsageError when nothing failed so.
    """
    job = _job_of(folder, options)
    choice = Choice(FAILED, classes)
    with RunReader(folder) as reader:
        if not reader.chosen(choice):
            which = f" with class {', '.join(classes)}" if classes else ""
            raise UsageError(f"{folder.name}: nothing failed{which}; `bulkip show {folder.name}` tells more")
    return _go_on(folder, job, options, desk, choice)


def _go_on(folder: Path, job: Job, options: RunOptions, desk: Desk, choice: Choice) -> Conclusion:
    with RunReader(folder) as reader:
        header = reader.header()
        confirmed = reader.remembered(CONFIRMED) is True and choice is UNSETTLED
    options = replace(options, simulate=header.simulated)
    signals = Signals()
    signals.hold()
    reports = options.reports_of(job)
    check_reports(reports, job, options)
    reach = reach_of(job, options, desk.warn)
    reopen(folder, choice)
    with RunReader(folder) as reader:
        prepared = Prepared(folder, header, job, reader.items_left(), reader.writes_left(), 0)
    return carry_out(prepared, reach.open, Way(options, desk, reports, signals, confirmed=confirmed))


def _job_of(folder: Path, options: RunOptions) -> Job:
    with RunReader(folder) as reader:
        header = reader.header()
    job = thawed_job(header.job_name, header.job_path, header.job_digest, header.settings)
    return overridden(job, options.overrides)


def _refuse_changed(folder: Path, job: Job) -> None:
    """Raise UsageError when the job file is still there and is not the one that was planned."""
    file = job_file_of(folder)
    try:
        content = file.read_bytes()
    except OSError:
        return  # the store knows all that is needed
    if hashlib.sha256(content).hexdigest() != job.digest:
        raise UsageError(
            f"{file}: the job was changed since run {folder.name} was planned; `bulkip run` starts the "
            "changed job, `bulkip resume --rebase` finishes this run with it, matched by key"
        )


def _has_work(folder: Path) -> bool:
    try:
        with RunReader(folder) as reader:
            return bool(reader.items_left() or reader.chosen(UNSETTLED))
    except StoreError:
        return False


def _is_simulated(folder: Path) -> bool:
    with RunReader(folder) as reader:
        return reader.header().simulated

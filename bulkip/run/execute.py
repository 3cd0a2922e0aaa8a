"""A run from the job file to the exit code: freeze, read, ask, apply, report."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol

import anyio

from bulkip.errors import SafetyStop, StoreError, UsageError
from bulkip.events import Event
from bulkip.model import Counts, ErrorClass, Status
from bulkip.policy import ReportSpec
from bulkip.reports.output import STDOUT, check_place
from bulkip.run.ending import Conclusion, LastWord, Waits, close_books, code_of, count, write_reports
from bulkip.run.endpoints import endpoint_of
from bulkip.run.engine import Endpoint
from bulkip.run.options import RunOptions
from bulkip.run.planning import Prepared, now_utc, prepare
from bulkip.run.stages import (
    Interrupted,
    Stage,
    StageEnd,
    StageRules,
    interrupt_between_stages,
    log_out,
    run_stage,
    signalled,
)
from bulkip.safety import PlannedChanges, objections
from bulkip.settings import Job, LoadedJob
from bulkip.stops import Stop, StopKind
from bulkip.store import Change, RunReader

SHOWN_CHANGES = 5


class Desk(Protocol):
    """Whoever the run talks to."""

    def notice(self, event: Event) -> None:
        """Take note of what happens; must return at once."""
        ...

    def planned(self, prepared: Prepared) -> None:
        """Show what was planned, before anything is sent."""
        ...

    def read(self, changes: PlannedChanges, counts: Counts, ahead: Sequence[Change]) -> None:
        """Show what the plan would change, once the present values are known; `ahead` are the first."""
        ...

    def agree(self, writes: int, url: str) -> None:
        """Raise SafetyStop unless the user wants these writes; called once, before the first of them."""
        ...

    def warn(self, text: str) -> None:
        """Show a warning."""
        ...


@dataclass(frozen=True, slots=True)
class Way:
    """What a run needs from its beginning to its end."""

    options: RunOptions
    desk: Desk
    reports: tuple[ReportSpec, ...]
    waits: Waits

    def tell(self, event: Event) -> None:
        """Pass an event on to all who watch."""
        self.waits.notice(event)
        self.desk.notice(event)


@dataclass(frozen=True, slots=True)
class Reached:
    """How far a run came: what stopped it, what a safety limit said, and whether a bug ended it."""

    end: StageEnd
    safety: str | None = None
    internal: bool = False


def execute(loaded: LoadedJob, options: RunOptions, desk: Desk) -> Conclusion:
    """Run a job to its end and write its reports.

    Raises UsageError, before anything is sent, when an input is wrong; a bug is
    raised after the books are closed and the reports written.
    """
    if loaded.job is None:
        prepare(loaded, options, now_utc())  # raises with every problem of the job and its files
        raise AssertionError("a job without problems is a job")
    interrupt_between_stages()
    way = Way(options, desk, options.reports_of(loaded.job), Waits({}))
    _check_reports(way.reports, loaded.job, options)
    open_endpoint = endpoint_of(loaded.job, options, desk.warn)
    prepared = prepare(loaded, options, now_utc())
    desk.planned(prepared)
    try:
        with open_endpoint(prepared) as endpoint:
            reached = _stages(prepared, endpoint, way)
            if endpoint.purse.made:
                anyio.run(log_out, prepared, endpoint, reached.end.start, way.tell)
    except Exception:  # a bug: the report is still written (design.md §2, exit code 1)
        _conclude(prepared, Reached(StageEnd(None, None), internal=True), way)
        raise
    return _conclude(prepared, reached, way)


def _check_reports(reports: Iterable[ReportSpec], job: Job, options: RunOptions) -> None:
    """Raise UsageError when a report has no place, or would replace what the job reads."""
    read = [job.path, options.faults, *(getattr(source, "path", None) for source in job.sources)]
    inputs = {Path(path).resolve() for path in read if path is not None}
    for report in reports:
        check_place(report.path)
        if report.path != STDOUT and Path(report.path).resolve() in inputs:
            raise UsageError(f"{report.path}: the job reads this file; give the report another path")


def _stages(prepared: Prepared, endpoint: Endpoint, way: Way) -> Reached:
    """Read, ask and apply, as far as it goes."""
    end = StageEnd(None, None)
    with RunReader(prepared.run_dir) as reader:
        reads = reader.reads_left()
    left = _left(prepared)
    if reads:
        end = _run(Stage.READING, prepared, endpoint, end, way)
        left = _left(prepared)
    if end.stop is not None or not left:
        return Reached(end)
    try:
        _ask(prepared, endpoint, way.desk)
    except SafetyStop as stop:
        return Reached(end, safety=str(stop))
    except Interrupted as interrupted:
        return Reached(replace(end, stop=signalled(interrupted.number)))
    return Reached(_run(Stage.APPLYING, prepared, endpoint, end, way))


def _left(prepared: Prepared) -> int:
    with RunReader(prepared.run_dir) as reader:
        return reader.items_left()


def _run(stage: Stage, prepared: Prepared, endpoint: Endpoint, end: StageEnd, way: Way) -> StageEnd:
    rules = StageRules(grace_s=way.options.grace_s, signals=True, tell=way.tell)
    work = partial(run_stage, stage, prepared, endpoint, end.start, rules)
    try:
        return anyio.run(work, backend_options={"use_uvloop": True})
    finally:
        interrupt_between_stages()


def _ask(prepared: Prepared, endpoint: Endpoint, desk: Desk) -> None:
    """Raise SafetyStop unless limits and user agree to the writes that are left."""
    with RunReader(prepared.run_dir) as reader:
        writes, changes, counts = reader.writes_left(), reader.planned_changes(), reader.counts()
        ahead = reader.changes_ahead(SHOWN_CHANGES)
    if changes.total or counts.of(Status.UNCHANGED):
        desk.read(changes, counts, ahead)
    against = objections(changes, prepared.job.safety)
    if against:
        raise SafetyStop("\n".join(against))
    if writes:
        desk.agree(writes, endpoint.url)


def _conclude(prepared: Prepared, reached: Reached, way: Way) -> Conclusion:
    """Close the books and write the reports; what fails here is told, and halts what had not stopped."""
    problems: dict[str, str] = {}
    counts, stop, safety = Counts(), reached.end.stop, reached.safety
    try:
        counts = count(prepared.run_dir)
        anyio.run(close_books, prepared.run_dir, _last_word(reached, counts), way.waits)
    except StoreError as error:
        problems[str(prepared.run_dir)] = str(error)
    problems |= write_reports(prepared.run_dir, way.reports)
    if problems and stop is None:
        stop = Stop(StopKind.HALT, next(iter(problems.values())), ErrorClass.INTERNAL)
    code = code_of(counts, stop, safety=safety is not None, internal=reached.internal)
    return Conclusion(prepared, counts, code, stop, safety, way.reports, problems)


def _last_word(reached: Reached, counts: Counts) -> LastWord:
    end, safety = reached.end, reached.safety
    code = code_of(counts, end.stop, safety=safety is not None, internal=reached.internal)
    why = (end.stop.reason, end.stop.error_class.value) if end.stop else None
    return LastWord(end.start, code, (safety, None) if safety else why)

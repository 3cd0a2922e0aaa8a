"""A run from its frozen plan to the exit code: read, ask, apply, report."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import anyio

from bulkip.errors import SafetyStop, StoreError
from bulkip.events import Event
from bulkip.model import Counts, ErrorClass, Status
from bulkip.policy import ReportSpec
from bulkip.run.alarms import begin
from bulkip.run.beforehand import stages_before
from bulkip.run.collecting import note_reports, remember
from bulkip.run.cutoffs import signalled
from bulkip.run.ending import (
    Conclusion,
    LastWord,
    Waits,
    asserts_nothing,
    check_own,
    close_books,
    code_of,
    count,
    write_reports,
)
from bulkip.run.endpoints import OpenEndpoint
from bulkip.run.engine import Endpoint, allowance_of
from bulkip.run.halting import storage_stop
from bulkip.run.options import RunOptions
from bulkip.run.planning import Prepared
from bulkip.run.rolling import Company, Dispatch, Road, roll_out
from bulkip.run.signals import Interrupted, Signals
from bulkip.run.stages import StageEnd, StageRules, log_out, run_stage, with_accounts
from bulkip.safety import PlannedChanges, objections
from bulkip.stops import Stop, StopKind
from bulkip.store import Change, RunReader, unlooked
from bulkip.tolerance import Tolerance, judged

Guard = Callable[[RunReader], None]
"""Looks at the present values before the first write, and raises SafetyStop."""
SHOWN_CHANGES = 5


class Desk(Company, Protocol):
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
    """What a run needs from its beginning to its end; a `confirmed` one is not asked again.

    One that does not `apply` ends once the present values are read. A `guard`
    looks at them before the first write, and raises SafetyStop. `dispatch` carries
    its stages out.
    """

    options: RunOptions
    desk: Desk
    reports: tuple[ReportSpec, ...]
    signals: Signals
    confirmed: bool = False
    apply: bool = True
    guard: Guard = lambda _reader: None
    waits: Waits = field(default_factory=lambda: Waits({}))
    dispatch: Dispatch = run_stage

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


def carry_out(prepared: Prepared, open_endpoint: OpenEndpoint, way: Way) -> Conclusion:
    """Carry a frozen plan out as far as it goes, close its books and write its reports.

    A bug is raised after that.
    """
    way.signals.hold()
    way.desk.planned(prepared)
    _warn_of_silence(prepared, way)
    try:
        refused = begin(prepared, way.desk, way.signals) if way.apply else None
        if refused is not None:
            return _conclude(prepared, Reached(StageEnd(None, None), safety=refused), way)
        with open_endpoint(prepared) as endpoint:
            reached = _stages(prepared, endpoint, way)
            if endpoint.has_logged_in:
                anyio.run(log_out, prepared, endpoint, reached.end.start, way.tell)
    except Interrupted as interrupted:  # while the hooks of the beginning were called
        reached = Reached(StageEnd(None, signalled(interrupted.number)))
    except StoreError as error:
        reached = Reached(StageEnd(None, storage_stop(error)))
    except Exception as error:  # a bug: the report is still written (design.md §2, exit code 1)
        damage = _damage_behind(error, prepared)
        if damage is None:
            _conclude(prepared, Reached(StageEnd(None, None), internal=True), way)
            raise
        reached = Reached(StageEnd(None, storage_stop(damage)))
    return _conclude(prepared, reached, way)


def _warn_of_silence(prepared: Prepared, way: Way) -> None:
    """Say loudly when writes of unknown outcome are to be passed over."""
    fail_on = way.options.fail_on
    if fail_on is not None and prepared.writes and not fail_on.names(Status.UNKNOWN):
        way.desk.warn(
            f"--fail-on {fail_on} does not name `unknown`: a write that may or may not have happened "
            "would not fail this command; add it, unless that is meant"
        )


def _damage_behind(error: Exception, prepared: Prepared) -> StoreError | None:
    """Return the damage of the run store that made an error; None when it is a bug."""
    try:
        with RunReader(prepared.home) as reader:
            return reader.damage_behind(error)
    except StoreError:
        return None


def _stages(prepared: Prepared, endpoint: Endpoint, way: Way) -> Reached:
    """Read, ask, apply and prove, as far as it goes; a store that fails between stages stops the run, too."""
    try:
        allowance, blind = allowance_of(prepared), way.options.allow_unread
    except StoreError as error:
        return Reached(StageEnd(None, storage_stop(error)))
    rules = StageRules(way.options.grace_s, way.tell, allowance, way.signals, allow_unread=blind)
    road = Road(prepared, endpoint, rules, way.signals, way.desk, way.dispatch)
    reached = _along(road, way)
    return replace(reached, end=with_accounts(reached.end, allowance))


def _along(road: Road, way: Way) -> Reached:
    """Go from stage to stage."""
    prepared, endpoint, end = road.prepared, road.endpoint, StageEnd(None, None)
    try:
        for stage in stages_before(prepared, endpoint):
            end = road.run(stage, end)
            if end.stop is not None:
                break
        if end.stop is not None or not way.apply or prepared.job.check is not None:
            return Reached(end)
        with RunReader(prepared.home) as reader:
            way.guard(reader)
            left = reader.items_left() or reader.counts().of(Status.UNVERIFIED) or unlooked(prepared.home)
        return _apply(road, end, way) if left else Reached(end)
    except SafetyStop as stop:
        return Reached(end, safety=str(stop))
    except StoreError as error:
        return Reached(replace(end, stop=storage_stop(error)))


def _apply(road: Road, end: StageEnd, way: Way) -> Reached:
    """Apply the plan once it is agreed to; a run that was confirmed is not asked again."""
    try:
        if not way.confirmed:
            way.signals.interrupt()
            _ask(road.prepared, road.endpoint, way.desk)
    except SafetyStop as stop:
        return Reached(end, safety=str(stop))
    except Interrupted as interrupted:
        return Reached(replace(end, stop=signalled(interrupted.number)))
    finally:
        way.signals.hold()
    canary = way.options.overrides.canary is not None
    return Reached(roll_out(road, end, anew=canary or not way.confirmed))


def _ask(prepared: Prepared, endpoint: Endpoint, desk: Desk) -> None:
    """Raise SafetyStop unless limits and user agree to the writes that are left."""
    with RunReader(prepared.home) as reader:
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
    counts, stop, missed, fail_on = Counts(), reached.end.stop, False, way.options.fail_on
    try:
        check_own(prepared)
        counts = count(prepared.home)
        missed = asserts_nothing(prepared.job.check, counts, prepared.home)
        word = _last_word(reached, counts, fail_on, missed=missed)
        anyio.run(close_books, prepared.home, word, way.waits, way.tell)
    except StoreError as error:
        problems[str(prepared.home)] = str(error)
    problems |= write_reports(prepared, way.reports)
    if problems and stop is None:
        stop = Stop(StopKind.HALT, next(iter(problems.values())), ErrorClass.INTERNAL)
    reached = replace(reached, end=replace(reached.end, stop=stop))
    code = _code(reached, judged(counts, fail_on), missed=missed)
    strict = _code(reached, counts, missed=missed)
    _remember(prepared, () if strict or problems else way.reports, way.desk, problems.values())
    return Conclusion(prepared, counts, code, stop, reached.safety, way.reports, problems)


def _remember(prepared: Prepared, whole: Sequence[ReportSpec], desk: Desk, told: Collection[str]) -> None:
    """Keep what was collected beyond this run; where that fails, the next plan looks into its store."""
    try:
        remember(prepared)
        note_reports(prepared, whole)
    except StoreError as error:
        if str(error) not in told:
            desk.warn(str(error))


def _last_word(reached: Reached, counts: Counts, fail_on: Tolerance | None, *, missed: bool) -> LastWord:
    end, safety = reached.end, reached.safety
    code = _code(reached, judged(counts, fail_on), missed=missed)
    why = (end.stop.reason, end.stop.error_class.value) if end.stop else None
    lifting = end.stop.lifting if end.stop else ()
    told = None if fail_on is None else str(fail_on)
    return LastWord(end.start, code, (safety, None) if safety else why, lifting, told)


def _code(reached: Reached, counts: Counts, *, missed: bool) -> int:
    safety = reached.safety is not None
    return code_of(counts, reached.end.stop, safety=safety, internal=reached.internal, missed=missed)

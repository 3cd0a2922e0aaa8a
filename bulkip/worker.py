"""What one worker does with an item: ask, judge, decide, and write down how it ended."""

from collections.abc import Callable
from math import inf

from anyio import current_time

from bulkip.access import Access
from bulkip.actions import ACTIONS
from bulkip.allowance import Allowance
from bulkip.brake import Brake
from bulkip.course import Course, acquitted
from bulkip.events import Event, ItemParked, ItemSettled, ServerFound, ValueRead
from bulkip.expectations import compared
from bulkip.frozen import replace
from bulkip.hostnames import same_names
from bulkip.model import Before, ErrorClass, Item, Purpose, Result, Status
from bulkip.nextcall import request_of, with_shown
from bulkip.retry import (
    Again,
    Decision,
    Found,
    Seen,
    Sentence,
    Settled,
    in_time,
    sentenced,
)
from bulkip.scheduler import Parked, Turn, later_look
from bulkip.store import Attempt, PlannedItem, RunWriter, found_server, left_unread
from bulkip.wire import ANSWERED, Verdict, VerdictKind
from bulkip.workrules import WorkRules, first_course

ENDED_BADLY = frozenset({Status.FAILED, Status.UNKNOWN, Status.CONFLICT})
"""After one of these the later actions of the same address are not tried."""

ABOUT_THE_RUN = frozenset(
    {VerdictKind.AUTH, VerdictKind.AUTH_FATAL, VerdictKind.MISCONFIGURED, VerdictKind.IMPATIENT}
)
"""These say nothing about the item that met them: when they stop the run, it is left as it was."""

HEARING_S = 0.5
"""How often an item whose end is held back looks whether the server was away."""


class Worker:
    """Carries turns forward; one object serves the whole pool."""

    def __init__(
        self, access: Access, store: RunWriter, brake: Brake, allowance: Allowance, rules: WorkRules
    ) -> None:
        """Call through the access, keep results in the store, and tell the observer afterwards."""
        self._access = access
        self._breaker = access.breaker
        self._store = store
        self._brake = brake
        self._allowance = allowance
        self._rules = rules
        self.tell: Callable[[Event], None] = lambda _event: None

    async def step(self, turn: Turn) -> Parked[Turn] | None:
        """Carry a turn forward until it must wait or its items are done."""
        following: Turn | Parked[Turn] | None = turn
        while isinstance(following, Turn) and self._brake.stop is None:
            following = await self._advance(following)
        return following if isinstance(following, Parked) else None

    async def _advance(self, turn: Turn) -> Turn | Parked[Turn] | None:
        """Make one step of a turn: a call and what follows from it."""
        if (delay_s := self._heard(turn)) is not None:
            return Parked(turn, delay_s)
        turn, decision = await self._next(turn)
        match decision:
            case Again(cleared=True) | Settled(cleared=True):
                await self._store.clear_doubt(turn.chain[0].item)
        match decision:
            case Settled(result, blind=False):
                return await self._settle(turn, result)
            case Sentence():
                return Parked(replace(turn, sentence=decision), HEARING_S)
            case Again(course, delay_s):
                return self._again(turn, course, delay_s)
            case Found(server):
                await self.keep_server(turn.chain[0].item, server)
            case Seen(names) if turn.course.next is Purpose.VERIFY:
                return await self._compare(turn, names)
            case Seen(names):
                await self._keep_before(turn.chain[0], names, turn.course.wanted or ())
            case Settled(result):
                await self._keep_unread(turn.chain[0].item, result)
        return None

    def _again(self, turn: Turn, course: Course, delay_s: float) -> Turn | Parked[Turn]:
        if delay_s <= 0:
            return replace(turn, course=course)
        self.tell(ItemParked(turn.chain[0].item, _why_parked(course, turn.course), delay_s))
        return Parked(replace(turn, course=course), delay_s)

    def _heard(self, turn: Turn) -> float | None:
        """Return how long a sentence must still wait, for its streak of lost calls to be over; or None."""
        breaker, sentence = self._breaker, turn.sentence
        if sentence is None or sentence.streak in breaker.outages:
            return None
        pending = sentence.streak == breaker.circuit.streak
        return HEARING_S if pending and (breaker.is_open or self._access.under_way) else None

    async def _next(self, turn: Turn) -> tuple[Turn, Decision | Sentence | None]:
        """Return what happens next to a turn: its sentence, or what its next call leads to."""
        outages, sentence = self._breaker.outages, turn.sentence
        if sentence is not None and sentence.streak not in outages:
            return replace(turn, sentence=None), sentence.end
        course = acquitted(turn.course if sentence is None else sentence.appeal.course, outages)
        if course is not turn.course or sentence is not None:
            turn = replace(turn, course=course, sentence=None)
        verdict = await self._ask(turn.chain[0].item, turn.course)
        return turn, None if verdict is None else self._decided(turn.course, verdict)

    def _decided(self, course: Course, verdict: Verdict) -> Decision | Sentence | None:
        """Return what follows from an answer; None when the run cannot afford it and stops."""
        rules, outages = self._rules, self._breaker.outages
        if not course.calls and verdict.kind in ANSWERED:
            self._allowance.succeed()
        decision = sentenced(rules.retry, rules.settle_s, course, verdict, rules.rng)
        if not isinstance(decision, Again):
            return decision
        stop = self._allowance.pay(decision.because, outages) if decision.because else None
        if stop is not None:
            self._brake.pull(stop)
            return None
        return in_time(decision, rules.item_s)

    async def _ask(self, item: Item, course: Course) -> Verdict | None:
        writes = course.writes and course.next is Purpose.CALL
        attempt = Attempt(
            item=item.number,
            number=course.number + 1,
            start=self._rules.start,
            purpose=course.next,
            wanted=course.wanted if writes else None,
            seen=course.before if writes else None,
            about=item,
        )
        left_s = _time_left_s(course, self._rules)
        verdict = await self._access.call(
            request_of(item, course), attempt, again=course.refused > 0, within_s=left_s
        )
        if verdict is None:
            return None
        gone = self._brake.stop is not None and verdict.kind in ABOUT_THE_RUN
        return None if gone else with_shown(item, course, verdict)

    async def _keep_unread(self, item: Item, result: Result) -> None:
        """Keep why the value before is not to be had, where that does not keep the item from its write."""
        reason = result.message or result.error_class or "it could not be read"
        await self._store.keep(left_unread(item, reason), lambda: self.tell(ValueRead(item)))

    async def keep_server(self, item: Item, server: str) -> None:
        """Keep the server of an address, for all that the address is to get."""
        await self._store.keep(found_server(item, server), lambda: self.tell(ServerFound(item)))

    async def refuse(self, chain: tuple[PlannedItem, ...], result: Result) -> None:
        """End an item that is not to be carried out, and what comes after it for the same address."""
        await self._write_result(chain[0], result)
        await self._skip(chain[1:], chain[0].item, result.status)

    async def _compare(self, turn: Turn, names: tuple[str, ...]) -> Parked[Turn] | None:
        """End an item of a check with what was read, unless it is to be looked at again."""
        planned, result = turn.chain[0], compared(turn.course.wanted or (), names)
        if result.status is Status.MISMATCH and (later := later_look(turn, current_time())):
            return later
        await self._store.record_before(planned.item, Before(names, self._rules.wall()), lambda: None)
        await self._write_result(planned, result)
        return None

    async def _keep_before(
        self, planned: PlannedItem, names: tuple[str, ...], wanted: tuple[str, ...]
    ) -> None:
        """Keep the value before; when it is the one wanted the item is done.

        The result goes first: both stand in one commit, and if ever they did
        not, a reading without its result would lead to a needless write.
        """
        item = planned.item
        if same_names(names, wanted):
            await self._write_result(planned, Result(Status.UNCHANGED, names=names))
        before = Before(names, self._rules.wall())
        await self._store.record_before(item, before, lambda: self.tell(ValueRead(item)))

    def enter_now(self, chain: tuple[PlannedItem, ...]) -> Turn | None:
        """Return the turn of a chain of which nothing was done yet; None where `enter` must look closer."""
        first = chain[0]
        if first.status is not None or first.in_doubt:
            return None
        return Turn(chain, first_course(first, self._rules, reading=False))

    async def enter(self, chain: tuple[PlannedItem, ...]) -> Turn | None:
        """Return the turn of the first item still to do; what an earlier one rules out is skipped."""
        for place, planned in enumerate(chain):
            if planned.status in ENDED_BADLY:
                await self._skip(chain[place + 1 :], planned.item, planned.status)
                return None
            if planned.status is not None:
                continue
            if planned.in_doubt and ACTIONS[planned.item.action].read_back is None:
                await self._leave_in_doubt(chain[place:])
                return None
            return Turn(chain[place:], first_course(planned, self._rules, reading=False))
        return None

    async def _leave_in_doubt(self, chain: tuple[PlannedItem, ...]) -> None:
        """End an item whose write was under way when the run was killed, and that no read can settle."""
        note = "the run was killed while this write was under way, and no read shows what it left behind"
        await self._write_result(chain[0], Result(Status.UNKNOWN, ErrorClass.NETWORK, note=note))
        await self._skip(chain[1:], chain[0].item, Status.UNKNOWN)

    def enter_search(self, chain: tuple[PlannedItem, ...]) -> Turn:
        """Return the turn that finds the server of an address."""
        return Turn(chain, Course(Purpose.LOOKUP, number=chain[0].attempts))

    def enter_reading(self, planned: PlannedItem, *, blind: bool = False) -> Turn:
        """Return the turn that reads the value before a write; a `blind` one goes on without it."""
        return Turn((planned,), replace(first_course(planned, self._rules, reading=True), blind=blind))

    async def _settle(self, turn: Turn, result: Result) -> Turn | None:
        """Write a result down, and return the turn of the next item of the same address."""
        done, rest = turn.chain[0], turn.chain[1:]
        await self._write_result(done, result)
        if result.status not in ENDED_BADLY:
            return await self.enter(rest) if rest else None
        await self._skip(rest, done.item, result.status)
        return None

    async def _skip(self, rest: tuple[PlannedItem, ...], cause: Item, status: Status) -> None:
        note = f"{cause.action} (action `{cause.step}`) of this address ended as {status}"
        for planned in rest:
            if planned.status is None:
                await self._write_result(planned, Result(Status.SKIPPED, note=note))

    async def _write_result(self, planned: PlannedItem, result: Result) -> None:
        item, read_back = planned.item, ACTIONS[planned.item.action].read_back
        if read_back is not None and read_back.undone is not None:
            result = replace(result, names=None)  # they are a sentence, not PTR names

        def told() -> None:
            self.tell(ItemSettled(item, result))

        await self._store.settle(item, planned.generation, result, self._rules.wall(), told)
        if (stop := self._allowance.end(result.status)) is not None:
            self._brake.pull(stop)


def _why_parked(course: Course, before: Course) -> str:
    """Say in one word why an item waits: for its write to settle, or to try the same again."""
    settles = course.next is Purpose.READBACK and before.next is Purpose.CALL
    return "settle" if settles else "back-off"


def _time_left_s(course: Course, rules: WorkRules) -> float | None:
    """Return when to cut a call off before its own time-out, which most calls need not; in seconds."""
    left_s = inf if rules.item_s is None else rules.item_s - course.spent_s
    return left_s if left_s < rules.attempt_s else None

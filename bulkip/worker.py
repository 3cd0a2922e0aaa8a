"""What one worker does with an item: ask, judge, decide, and write down how it ended."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

from bulkip.access import Access
from bulkip.actions import ACTIONS
from bulkip.brake import Brake
from bulkip.events import Event, ItemParked, ItemSettled, ValueRead
from bulkip.hostnames import ptr_names, same_names
from bulkip.model import ApiRequest, Before, ErrorClass, Item, Purpose, Result, Status, Verdict, VerdictKind
from bulkip.policy import RetryPolicy
from bulkip.retry import Again, Course, Seen, Settled, decide
from bulkip.scheduler import Parked, Turn
from bulkip.store import Attempt, PlannedItem, RunWriter

ENDED_BADLY = frozenset({Status.FAILED, Status.UNKNOWN, Status.CONFLICT})
"""After one of these the later actions of the same address are not tried."""

ABOUT_THE_RUN = frozenset(
    {VerdictKind.AUTH, VerdictKind.AUTH_FATAL, VerdictKind.MISCONFIGURED, VerdictKind.IMPATIENT}
)
"""These say nothing about the item that met them: when they stop the run, it is left as it was."""

REFUSED_BEFORE = Verdict(
    VerdictKind.REFUSED,
    ErrorClass.UNKNOWN_ANSWER,
    message="the server refused this write in words that nobody knows, before the run was stopped",
)
"""What is left of an answer whose read-back an earlier start did not make: it is never sent again."""


@dataclass(frozen=True, slots=True)
class WorkRules:
    """What a worker goes by; `settle_s` is waited before a read-back, `wall` gives Unix seconds."""

    retry: RetryPolicy
    settle_s: float
    read_again_after_s: float
    start: int
    rng: Random
    wall: Callable[[], float]


def first_course(planned: PlannedItem, rules: WorkRules, *, reading: bool) -> Course:
    """Return where an item begins: with the value before, with a read-back, or with its own call."""
    action = ACTIONS[planned.item.action]
    shown = action.writes and action.read_back is not None
    course = Course(
        next=Purpose.CALL,
        writes=action.writes,
        wanted=ptr_names(planned.item.form.get("ptr", "")) if shown else None,
        before=planned.before.names if planned.before else None,
        number=planned.attempts,
    )
    if not shown:
        return course
    if planned.in_doubt:
        return replace(course, next=Purpose.READBACK, trouble=REFUSED_BEFORE if planned.refused else None)
    age_s = rules.wall() - planned.before.read_at if planned.before else 0
    stale = age_s >= rules.read_again_after_s
    return replace(course, next=Purpose.BEFORE) if reading or stale else course


class Worker:
    """Carries turns forward; one object serves the whole pool."""

    def __init__(self, access: Access, store: RunWriter, brake: Brake, rules: WorkRules) -> None:
        """Call through the access, keep results in the store, and tell the observer afterwards."""
        self._access = access
        self._store = store
        self._brake = brake
        self._rules = rules
        self.tell: Callable[[Event], None] = lambda _event: None

    async def step(self, turn: Turn) -> Parked | None:
        """Carry a turn forward until it must wait or its items are done."""
        while self._brake.stop is None:
            planned, course = turn.chain[0], turn.course
            verdict = await self._ask(planned.item, course)
            if verdict is None:
                break
            decision = decide(self._rules.retry, self._rules.settle_s, course, verdict, self._rules.rng)
            if not isinstance(decision, Seen) and decision.cleared:
                await self._store.clear_doubt(planned.item)
            match decision:
                case Again(course, delay_s) if delay_s > 0:
                    self.tell(ItemParked(planned.item, _why_parked(course, turn.course), delay_s))
                    return Parked(replace(turn, course=course), delay_s)
                case Again(course):
                    turn = replace(turn, course=course)
                case Seen(names):
                    await self._keep_before(planned, names, course.wanted or ())
                    return None
                case Settled(result):
                    following = await self._settle(turn, result)
                    if following is None:
                        return None
                    turn = following
        return None

    async def _ask(self, item: Item, course: Course) -> Verdict | None:
        writes = course.writes and course.next is Purpose.CALL
        attempt = Attempt(
            item=item.number,
            number=course.number + 1,
            start=self._rules.start,
            purpose=course.next,
            wanted=course.wanted if writes else None,
            seen=course.before if writes else None,
        )
        verdict = await self._access.call(_request(item, course), attempt, again=course.refused > 0)
        if verdict is None:
            return None
        gone = self._brake.stop is not None and verdict.kind in ABOUT_THE_RUN
        return None if gone else verdict

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

    def enter_reading(self, planned: PlannedItem) -> Turn:
        """Return the turn that reads the value before a write."""
        return Turn((planned,), first_course(planned, self._rules, reading=True))

    async def _settle(self, turn: Turn, result: Result) -> Turn | None:
        """Write a result down, and return the turn of the next item of the same address."""
        done, rest = turn.chain[0], turn.chain[1:]
        await self._write_result(done, result)
        if result.status not in ENDED_BADLY:
            return await self.enter(rest)
        await self._skip(rest, done.item, result.status)
        return None

    async def _skip(self, rest: tuple[PlannedItem, ...], cause: Item, status: Status) -> None:
        note = f"{cause.action} (action `{cause.step}`) of this address ended as {status}"
        for planned in rest:
            if planned.status is None:
                await self._write_result(planned, Result(Status.SKIPPED, note=note))

    async def _write_result(self, planned: PlannedItem, result: Result) -> None:
        item = planned.item

        def told() -> None:
            self.tell(ItemSettled(item, result))

        await self._store.settle(item, planned.generation, result, self._rules.wall(), told)


def _why_parked(course: Course, before: Course) -> str:
    """Say in one word why an item waits: for its write to settle, or to try the same again."""
    settles = course.next is Purpose.READBACK and before.next is Purpose.CALL
    return "settle" if settles else "back-off"


def _request(item: Item, course: Course) -> ApiRequest:
    action = ACTIONS[item.action]
    if course.next is Purpose.CALL or action.read_back is None:
        return ApiRequest(action.name, item.form, writes=action.writes)
    return action.read_back(item.form)

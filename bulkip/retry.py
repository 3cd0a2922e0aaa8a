"""What happens next to an item after an answer: send again, read back, or settle.

Every function is pure. A write whose outcome is in doubt is never sent again
before a reading has shown that it did not happen (design.md §5).
"""

from dataclasses import dataclass, replace
from random import Random
from typing import TypeAlias

from bulkip.hostnames import same_names
from bulkip.model import ErrorClass, Purpose, Result, Status, Verdict, VerdictKind
from bulkip.policy import RetryPolicy

WORTH_ANOTHER = frozenset(
    {VerdictKind.TRANSIENT, VerdictKind.UNKNOWN, VerdictKind.THROTTLE, VerdictKind.AUTH}
)
BLOCKED_TRIES = 2
"""An edge that blocks us is asked once more, then the item has failed (api.md §4)."""


@dataclass(frozen=True, slots=True)
class Course:
    """How far an item has come in this start.

    `wanted` are the PTR names a write wants, None for reads and for writes
    that nothing shows; `before` those seen before it, None when unread.
    `calls`, `befores` and `readbacks` count what was sent in this start, each
    bounded by itself; `blocked` counts the answers of an edge that blocks us,
    `refused` those that did not take the token.
    `trouble` is the last answer to the item's own call.
    """

    next: Purpose
    writes: bool = False
    wanted: tuple[str, ...] | None = None
    before: tuple[str, ...] | None = None
    number: int = 0
    calls: int = 0
    befores: int = 0
    readbacks: int = 0
    blocked: int = 0
    refused: int = 0
    trouble: Verdict | None = None

    @property
    def sent(self) -> int:
        """How many calls of the purpose that is `next` were sent in this start."""
        match self.next:
            case Purpose.BEFORE:
                return self.befores
            case Purpose.READBACK:
                return self.readbacks
            case _:
                return self.calls


@dataclass(frozen=True, slots=True)
class Again:
    """Go on with this course after so many seconds; `cleared` as in Settled."""

    course: Course
    delay_s: float
    cleared: bool = False


@dataclass(frozen=True, slots=True)
class Settled:
    """The item has ended; `cleared` says that a reading removed every doubt about its writes."""

    result: Result
    cleared: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """The value before the write was read; the item itself is still to do."""

    names: tuple[str, ...]


Decision: TypeAlias = Again | Settled | Seen


def backoff_s(policy: RetryPolicy, attempt: int, rng: Random) -> float:
    """Return how long to wait after a failed attempt, in seconds.

    Full jitter: uniform between zero and a ceiling that doubles with each
    attempt up to ``policy.max_s``, so that items which failed together do not
    come back together.
    """
    doublings = min(max(attempt, 1) - 1, 32)  # past this a float only loses precision
    return rng.uniform(0, min(policy.max_s, policy.base_s * 2**doublings))


def decide(policy: RetryPolicy, settle_s: float, course: Course, verdict: Verdict, rng: Random) -> Decision:
    """Return what follows from an answer; `course` is the one that led to the call."""
    blocked = course.blocked + (verdict.kind is VerdictKind.BLOCKED)
    refused = course.refused + (verdict.kind is VerdictKind.AUTH)
    course = replace(course, number=course.number + 1, blocked=blocked, refused=refused)
    match course.next:
        case Purpose.BEFORE:
            course = replace(course, befores=course.befores + 1)
            return _after_before(policy, course, verdict, rng)
        case Purpose.READBACK:
            course = replace(course, readbacks=course.readbacks + 1)
            return _after_readback(policy, course, verdict, rng)
        case _:
            course = replace(course, calls=course.calls + 1, trouble=verdict)
            after = _after_write if course.writes else _after_read
            return after(policy, settle_s, course, verdict, rng)


def _after_read(
    policy: RetryPolicy, _settle_s: float, course: Course, verdict: Verdict, rng: Random
) -> Decision:
    if verdict.kind in {VerdictKind.SUCCESS, VerdictKind.EMPTY}:
        return Settled(_answered(verdict))
    return _once_more(policy, course, verdict, rng) or Settled(_failed(verdict))


def _after_write(
    policy: RetryPolicy, settle_s: float, course: Course, verdict: Verdict, rng: Random
) -> Decision:
    if verdict.kind is VerdictKind.SUCCESS:
        return Settled(Result(Status.CHANGED, http_status=verdict.http_status, names=course.wanted))
    if verdict.in_doubt or verdict.kind is VerdictKind.REFUSED:
        if course.wanted is None:
            return Settled(_in_doubt(verdict, "no read shows what this write left behind"))
        return _read_back(policy, settle_s, course, verdict)
    return _once_more(policy, course, verdict, rng) or Settled(_failed(verdict))


def _read_back(policy: RetryPolicy, settle_s: float, course: Course, verdict: Verdict) -> Decision:
    """Return the read-back that settles a doubt; `retry.attempts` bounds those of an item like its calls."""
    if course.readbacks >= policy.attempts:
        return Settled(_in_doubt(verdict, "no read-back is left to settle it"))
    return Again(replace(course, next=Purpose.READBACK), max(settle_s, verdict.retry_after_s or 0))


def _after_before(policy: RetryPolicy, course: Course, verdict: Verdict, rng: Random) -> Decision:
    names = shown_names(verdict)
    if names is None:
        note = "the value before could not be read, so nothing was written"
        return _once_more(policy, course, verdict, rng) or Settled(replace(_failed(verdict), note=note))
    if course.before is None:
        return Seen(names)
    if course.wanted is not None and same_names(names, course.wanted):
        return Settled(Result(Status.UNCHANGED, names=names))
    if same_names(names, course.before):
        return Again(replace(course, next=Purpose.CALL), 0)
    text = f"the value moved from `{text_of(course.before)}` to `{text_of(names)}` since the plan"
    return Settled(Result(Status.CONFLICT, message=text, note="not overwritten", names=names))


def _after_readback(policy: RetryPolicy, course: Course, verdict: Verdict, rng: Random) -> Decision:
    names, trouble = shown_names(verdict), course.trouble
    if trouble is None:  # a start that found the doubt in the store has no answer to name
        trouble = Verdict(VerdictKind.UNKNOWN, ErrorClass.NETWORK, message="the answer was lost")
    if names is None:
        again = _once_more(policy, course, verdict, rng)
        return again or Settled(_in_doubt(trouble, f"read-back failed: {verdict.message}"))
    if course.wanted is not None and same_names(names, course.wanted):
        result = Result(Status.CHANGED, http_status=trouble.http_status, names=names)
        return Settled(replace(result, note="confirmed by read-back"), cleared=True)
    if course.before is None or not same_names(names, course.before):
        note = f"read-back shows `{text_of(names)}`, which is neither the value wanted nor the one before"
        return Settled(replace(_in_doubt(trouble, note), names=names))
    again = _once_more(policy, replace(course, next=Purpose.CALL), trouble, rng)
    if again is not None:
        return replace(again, cleared=True)
    note = "read-back shows the value before"
    if trouble.error_class is ErrorClass.TIMEOUT and trouble.http_status is None:
        late = f"{note}, but a call that timed out may still be under way"
        return Settled(replace(_in_doubt(trouble, late), names=names))
    return Settled(replace(_failed(trouble), note=note, names=names), cleared=True)


def _once_more(policy: RetryPolicy, course: Course, verdict: Verdict, rng: Random) -> Again | None:
    """Return the same call again after a back-off, or None when it is not worth it or tries are used up."""
    blocked = verdict.kind is VerdictKind.BLOCKED
    worth = course.blocked < BLOCKED_TRIES if blocked else verdict.kind in WORTH_ANOTHER
    if not worth or course.sent >= policy.attempts:
        return None
    return Again(course, max(backoff_s(policy, course.sent, rng), verdict.retry_after_s or 0))


def shown_names(verdict: Verdict) -> tuple[str, ...] | None:
    """Return the PTR names that a get_ptr answered, or None when it did not answer."""
    if verdict.kind is not VerdictKind.SUCCESS or not isinstance(verdict.value, dict):
        return None
    match verdict.value.get("ptr"):
        case str(name):
            return (name,)
        case list(names):
            return tuple(str(name) for name in names)
        case _:
            return ()


def text_of(names: tuple[str, ...]) -> str:
    """Return PTR names for a sentence; an address without a PTR has `no PTR`."""
    return ", ".join(names) or "no PTR"


def _answered(verdict: Verdict) -> Result:
    empty = verdict.kind is VerdictKind.EMPTY
    message = verdict.message if empty else None
    return Result(
        Status.OK, message=message, http_status=verdict.http_status, value=verdict.value, empty=empty
    )


def _failed(verdict: Verdict) -> Result:
    return Result(
        Status.FAILED,
        error_class=verdict.error_class,
        error_code=verdict.error_code,
        message=verdict.message,
        http_status=verdict.http_status,
    )


def _in_doubt(verdict: Verdict, note: str) -> Result:
    return replace(_failed(verdict), status=Status.UNKNOWN, note=note)

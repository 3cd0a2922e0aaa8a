"""What happens next to an item after an answer: send again, read back, or settle.

Every function is pure. A write whose outcome is in doubt is never sent again
before a reading has shown that it did not happen (design.md §5).
"""

from random import Random
from typing import TypeAlias

from bulkip.actions.eq_list import NOT_LOOKED_UP, not_one, servers_in
from bulkip.course import Course, after_call
from bulkip.followups import check_after_s
from bulkip.frozen import Struct, replace
from bulkip.hostnames import same_names
from bulkip.model import ErrorClass, Purpose, Result, Status
from bulkip.policy import RetryPolicy
from bulkip.wire import ANSWERED, Verdict, VerdictKind

WORTH_ANOTHER = frozenset(
    {VerdictKind.TRANSIENT, VerdictKind.UNKNOWN, VerdictKind.THROTTLE, VerdictKind.AUTH}
)
PAUSING = frozenset({VerdictKind.THROTTLE, VerdictKind.BLOCKED})
"""After these everyone pauses."""
ACCEPTED = frozenset({VerdictKind.SUCCESS, VerdictKind.PENDING})
"""After one of these a write that is not seen was not refused: it may still come."""
MOST_LOOKUPS = 200
"""So often a write in the background is asked for when its item has all the time in the world."""
BLOCKED_TRIES = 2
"""An edge that blocks us is asked once more, then the item has failed (api.md §4)."""


class Again(Struct, frozen=True):
    """Go on with this course after so many seconds; `cleared` as in Settled.

    `because` is the answer that is asked for again, None when nothing is. A
    `shared` wait is one that everybody makes; it is not the item's own time.
    """

    course: Course
    delay_s: float
    cleared: bool = False
    because: Verdict | None = None
    shared: bool = False


class Settled(Struct, frozen=True):
    """The item has ended; `cleared` says that a reading removed every doubt about its writes.

    One that is `blind` has not: it goes on without its value before, for the
    reason that the result gives.
    """

    result: Result
    cleared: bool = False
    blind: bool = False


class Seen(Struct, frozen=True):
    """The value before the write was read; the item itself is still to do."""

    names: tuple[str, ...]


class Found(Struct, frozen=True):
    """The server of an address was found; the item itself is still to do."""

    server: str


Decision: TypeAlias = Again | Settled | Seen | Found


class Sentence(Struct, frozen=True):
    """The end of an item whose last call was lost, held back until its streak is over.

    Should the server turn out to have been away, `appeal` is how it goes on.
    """

    end: Settled
    appeal: Again
    streak: int


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
    if course.next is Purpose.CALL and not course.writes and verdict.kind in ANSWERED:
        return Settled(_answered(verdict))
    course = after_call(course, verdict)
    match course.next:
        case Purpose.BEFORE | Purpose.VERIFY:
            return _after_before(policy, course, verdict, rng)
        case Purpose.READBACK:
            return _after_readback(policy, course, verdict, rng)
        case Purpose.LOOKUP if course.callback is None:
            return _after_search(policy, course, verdict, rng)
        case Purpose.LOOKUP:
            return _after_lookup(policy, settle_s, course, verdict)
        case _:
            course = replace(course, trouble=verdict)
            after = _after_write if course.writes else _after_read
            return after(policy, settle_s, course, verdict, rng)


def sentenced(
    policy: RetryPolicy, settle_s: float, course: Course, verdict: Verdict, rng: Random
) -> Decision | Sentence:
    """Return what follows from an answer; an end that only lost calls brought about is held back."""
    decision = decide(policy, settle_s, course, verdict, rng)
    if not isinstance(decision, Settled) or verdict.streak is None or verdict.excused:
        return decision
    appeal = decide(policy, settle_s, course, replace(verdict, excused=True), rng)
    return Sentence(decision, appeal, verdict.streak) if isinstance(appeal, Again) else decision


def in_time(decision: Again, item_s: float | None) -> Again | Settled:
    """Return a decision to go on, or the end of an item whose time is up (`timeouts.item`).

    A write that may have happened ends as unknown: the time for its read-back
    is over too, and a resume makes it.
    """
    course, delay_s = decision.course, 0.0 if decision.shared else decision.delay_s
    if item_s is None or course.spent_s + delay_s < item_s:
        return replace(decision, course=replace(course, spent_s=course.spent_s + delay_s))
    last = course.trouble.message if course.trouble else None
    doubtful = course.next is Purpose.READBACK or course.callback is not None
    result = Result(
        Status.UNKNOWN if doubtful else Status.FAILED,
        ErrorClass.DEADLINE,
        message=f"not done within `timeouts.item` ({item_s:g} s)" + (f": {last}" if last else ""),
        note="the read-back is still to be made" if course.wanted and doubtful else None,
    )
    return Settled(result, cleared=decision.cleared, blind=course.blind)


def _after_read(
    policy: RetryPolicy, _settle_s: float, course: Course, verdict: Verdict, rng: Random
) -> Decision:
    return _once_more(policy, course, verdict, rng) or Settled(_failed(verdict))


def _after_write(
    policy: RetryPolicy, settle_s: float, course: Course, verdict: Verdict, rng: Random
) -> Decision:
    if verdict.kind is VerdictKind.SUCCESS and course.wanted == ():
        return _read_back(policy, settle_s, course, verdict)  # how a PTR is deleted is not documented
    if verdict.kind is VerdictKind.SUCCESS:
        return Settled(Result(Status.CHANGED, http_status=verdict.http_status, names=course.wanted))
    if verdict.kind is VerdictKind.PENDING and isinstance(verdict.value, dict):
        course = replace(course, next=Purpose.LOOKUP, callback=str(verdict.value["callback"]), lookups=0)
        return Again(course, check_after_s(0))
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


def _after_lookup(policy: RetryPolicy, settle_s: float, course: Course, verdict: Verdict) -> Decision:
    """Ask again until a write in the background is finished, or its item's time is up (api.md §2).

    A key that the server does not know settles nothing; a read-back may.
    """
    if verdict.kind is VerdictKind.SUCCESS:
        result = Result(Status.CHANGED, http_status=verdict.http_status, names=course.wanted)
        return Settled(replace(result, note="accepted first, finished later"), cleared=True)
    accepted = course.trouble or verdict
    if verdict.kind is not VerdictKind.PERMANENT and course.lookups < MOST_LOOKUPS:
        return Again(course, max(check_after_s(course.lookups), verdict.retry_after_s or 0))
    if course.wanted is None:
        return Settled(_in_doubt(accepted, f"whether it is finished is not to be had: {verdict.message}"))
    return _read_back(policy, settle_s, course, accepted)


def _after_search(policy: RetryPolicy, course: Course, verdict: Verdict, rng: Random) -> Decision:
    if verdict.kind is VerdictKind.SUCCESS:
        return found_in(servers_in(verdict.value))
    return _once_more(policy, course, verdict, rng) or Settled(replace(_failed(verdict), note=NOT_LOOKED_UP))


def found_in(servers: tuple[str, ...]) -> Found | Settled:
    """Return the server that an address is on; where that is not exactly one, the item has failed."""
    return Found(servers[0]) if len(servers) == 1 else Settled(not_one(servers))


def _after_before(policy: RetryPolicy, course: Course, verdict: Verdict, rng: Random) -> Decision:
    names = verdict.shown
    if names is None:
        again = _once_more(policy, course, verdict, rng)
        return again or Settled(_unread(course, verdict), blind=course.blind)
    if course.before is None:
        return Seen(names)
    if course.wanted is not None and same_names(names, course.wanted):
        return Settled(Result(Status.UNCHANGED, names=names))
    if same_names(names, course.before):
        return Again(replace(course, next=Purpose.CALL), 0)
    text = f"the value moved from `{text_of(course.before)}` to `{text_of(names)}` since the plan"
    return Settled(Result(Status.CONFLICT, message=text, note="not overwritten", names=names))


def _after_readback(policy: RetryPolicy, course: Course, verdict: Verdict, rng: Random) -> Decision:
    names, trouble = verdict.shown, course.trouble
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
    return _not_done(policy, course, trouble, names, rng)


def _not_done(
    policy: RetryPolicy, course: Course, trouble: Verdict, names: tuple[str, ...], rng: Random
) -> Decision:
    """Decide about a write that a reading showed not to have happened: these `names` were there before."""
    again = _once_more(policy, replace(course, next=Purpose.CALL), trouble, rng)
    settleable = course.readbacks < policy.attempts or not course.calls
    if again is not None and course.replayable and settleable:
        return replace(again, cleared=True)
    if trouble.kind in ACCEPTED:
        lie = replace(trouble, error_class=ErrorClass.UNKNOWN_ANSWER, message="the server said OK")
        return Settled(_in_doubt(lie, f"read-back still shows `{text_of(names)}`"))
    if not course.replayable and trouble.kind is not VerdictKind.REFUSED:
        note = f"read-back shows `{text_of(names)}`; it may still come, and is not sent again by itself"
        return Settled(_in_doubt(trouble, note))
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
    delay_s = max(backoff_s(policy, course.sent, rng), verdict.retry_after_s or 0)
    return Again(course, delay_s, because=verdict, shared=verdict.kind in PAUSING)


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


def _unread(course: Course, verdict: Verdict) -> Result:
    if course.next is Purpose.VERIFY:  # nothing was to be written
        return _failed(verdict)
    return replace(_failed(verdict), note="the value before could not be read, so nothing was written")


def _in_doubt(verdict: Verdict, note: str) -> Result:
    return replace(_failed(verdict), status=Status.UNKNOWN, note=note)

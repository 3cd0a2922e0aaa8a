"""How far an item has come in one start, and what its calls have cost it."""

from collections.abc import Container

from bulkip.frozen import Struct, replace
from bulkip.model import Purpose
from bulkip.wire import Verdict, VerdictKind


class Course(Struct, frozen=True):
    """How far an item has come in this start.

    `wanted` is what a reading shows after the write (PTR names, of update_ptr),
    None for reads and for writes that nothing shows; what is not `replayable`
    is not sent again once it is in doubt; `before` those seen before it, None when unread.
    `calls`, `befores` and `readbacks` count what was sent in this start, each
    bounded by itself, `lookups` how often a write that goes on in the
    background was asked for by its `callback`; `blocked` counts the answers of an edge that blocks us,
    `refused` those that did not take the token.
    `trouble` is the last answer to the item's own call. `on_trial` names the
    lost calls whose streak is not over: the server may have been away.
    `spent_s` is the item's own time, in seconds: its calls and its waits. A
    `blind` one goes on if its value before is not to be had.
    """

    next: Purpose
    writes: bool = False
    replayable: bool = True
    wanted: tuple[str, ...] | None = None
    before: tuple[str, ...] | None = None
    number: int = 0
    calls: int = 0
    befores: int = 0
    readbacks: int = 0
    lookups: int = 0
    blocked: int = 0
    refused: int = 0
    trouble: Verdict | None = None
    callback: str | None = None
    on_trial: tuple[tuple[int, Purpose], ...] = ()
    spent_s: float = 0.0
    blind: bool = False

    @property
    def sent(self) -> int:
        """How many calls of the purpose that is `next` were sent in this start."""
        match self.next:
            case Purpose.BEFORE | Purpose.VERIFY:
                return self.befores
            case Purpose.READBACK:
                return self.readbacks
            case Purpose.LOOKUP:
                return self.lookups
            case _:
                return self.calls


def after_call(course: Course, verdict: Verdict) -> Course:
    """Return the course after a call; an excused one counts as no attempt."""
    return replace(
        _counted(course, course.next, 0 if verdict.excused else 1),
        number=course.number + 1,
        blocked=course.blocked + (verdict.kind is VerdictKind.BLOCKED),
        refused=course.refused + (verdict.kind is VerdictKind.AUTH),
        on_trial=_on_trial(course, verdict),
        spent_s=course.spent_s + verdict.took_s,
    )


def acquitted(course: Course, outages: Container[int]) -> Course:
    """Return the course without the lost calls that turned out to be the server's doing."""
    if not course.on_trial:
        return course
    for streak, purpose in course.on_trial:
        if streak in outages:
            course = _counted(course, purpose, -1)
    left = tuple(one for one in course.on_trial if one[0] not in outages)
    return replace(course, on_trial=left)


def _on_trial(course: Course, verdict: Verdict) -> tuple[tuple[int, Purpose], ...]:
    """Return the lost calls of an item that may still turn out to be the server's doing."""
    if verdict.streak is None:
        return ()
    same = tuple(one for one in course.on_trial if one[0] == verdict.streak)
    return same if verdict.excused else (*same, (verdict.streak, course.next))


def _counted(course: Course, purpose: Purpose, calls: int) -> Course:
    """Return the course with so many calls of a purpose more."""
    match purpose:
        case Purpose.BEFORE | Purpose.VERIFY:
            return replace(course, befores=course.befores + calls)
        case Purpose.READBACK:
            return replace(course, readbacks=course.readbacks + calls)
        case Purpose.LOOKUP:
            return replace(course, lookups=course.lookups + calls)
        case _:
            return replace(course, calls=course.calls + calls)

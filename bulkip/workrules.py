"""What a worker goes by, and where an item begins by that: with a reading, or with its own call."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from random import Random

from bulkip.actions import ACTIONS
from bulkip.course import Course
from bulkip.frozen import replace
from bulkip.model import ErrorClass, Purpose
from bulkip.policy import RetryPolicy
from bulkip.store import PlannedItem
from bulkip.wire import Verdict, VerdictKind

REFUSED_BEFORE = Verdict(
    VerdictKind.REFUSED,
    ErrorClass.UNKNOWN_ANSWER,
    message="the server refused this write in words that nobody knows, before the run was stopped",
)
"""What is left of an answer whose read-back an earlier start did not make: it is never sent again."""


@dataclass(frozen=True, slots=True)
class WorkRules:
    """What a worker goes by; `settle_s` is waited before a read-back, `wall` gives Unix seconds.

    `item_s` is an item's own time: its calls and its waits, in seconds; a call
    ends after `attempt_s` by itself. `made` tells how many calls of each purpose
    were sent for an item in this start already, by a worker that is gone.
    """

    retry: RetryPolicy
    settle_s: float
    item_s: float | None
    attempt_s: float
    read_again_after_s: float
    start: int
    rng: Random
    wall: Callable[[], float]
    made: Mapping[int, Mapping[str, int]] = field(default_factory=dict)


def first_course(planned: PlannedItem, rules: WorkRules, *, reading: bool) -> Course:
    """Return where an item begins: with the value before, with a read-back, or with its own call."""
    action, form = ACTIONS[planned.item.action], planned.item.form
    read_back = action.read_back
    course = Course(Purpose.CALL, action.writes, action.replayable, number=planned.attempts)
    if rules.made:
        course = _gone_on(course, rules.made.get(planned.item.number, {}), rules.retry.attempts)
    if read_back is None:
        return course
    before = planned.before.names if planned.before else None
    before = read_back.undone(form) if read_back.undone else before
    course = replace(course, wanted=read_back.wanted(form), before=before)
    if planned.in_doubt:
        return replace(course, next=Purpose.READBACK, trouble=REFUSED_BEFORE if planned.refused else None)
    if read_back.undone is not None:
        return course
    age_s = rules.wall() - planned.before.read_at if planned.before else 0
    stale = age_s >= rules.read_again_after_s and planned.unread is None
    return replace(course, next=Purpose.BEFORE) if reading or stale else course


def _gone_on(course: Course, made: Mapping[str, int], attempts: int) -> Course:
    """Return the course of an item of which calls were made already; one more reading is always allowed."""
    befores, readbacks = (
        min(made.get(purpose, 0), attempts - 1) for purpose in (Purpose.BEFORE, Purpose.READBACK)
    )
    return replace(course, calls=made.get(Purpose.CALL, 0), befores=befores, readbacks=readbacks)

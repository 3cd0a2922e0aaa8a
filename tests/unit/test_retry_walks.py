"""What no sequence of answers, however unlucky, can make of an item."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from bulkip.course import Course
from bulkip.frozen import replace
from bulkip.model import ErrorClass, Purpose, Result, Status
from bulkip.policy import RetryPolicy
from bulkip.retry import Again, Settled, decide
from bulkip.wire import Verdict, VerdictKind

WANTED, BEFORE = ("new.example",), ("old.example",)
PTR = Course(next=Purpose.CALL, writes=True, wanted=WANTED, before=BEFORE)
STARTS = (
    Course(next=Purpose.CALL),  # a read
    PTR,  # a write
    Course(next=Purpose.CALL, writes=True),  # a write that nothing shows
    replace(PTR, next=Purpose.BEFORE),  # a write with an old reading
    replace(PTR, next=Purpose.READBACK),  # a write left in doubt by an earlier start
    replace(PTR, before=None),  # a write whose value before is not known
)
MOST_CALLS = 400

CLEAR = tuple(Verdict(kind, ErrorClass.SERVER) for kind in VerdictKind)
DOUBTFUL = tuple(
    Verdict(kind, ErrorClass.TIMEOUT, in_doubt=True)
    for kind in (VerdictKind.TRANSIENT, VerdictKind.UNKNOWN, VerdictKind.THROTTLE)
)
SHOWING = tuple(
    Verdict(VerdictKind.SUCCESS, shown=names)
    for names in (WANTED, BEFORE, ("third.example",), (), (*WANTED, *BEFORE))
)
starts = st.sampled_from(STARTS)
own_answers = st.sampled_from(CLEAR) | st.sampled_from(DOUBTFUL)
reading_answers = st.sampled_from(CLEAR) | st.sampled_from(SHOWING)
answers = st.lists(st.tuples(own_answers, reading_answers), min_size=1, max_size=20)
policies = st.builds(RetryPolicy, attempts=st.integers(1, 6))


def dice() -> Random:
    """Return randomness that is the same in every test."""
    return Random(1)  # noqa: S311 -- it decides about waiting times only


@dataclass(frozen=True)
class Call:
    """One call of a walk: its purpose, its answer, and whether it could have changed anything."""

    purpose: Purpose
    verdict: Verdict
    writes: bool

    @property
    def doubtful(self) -> bool:
        """Tell whether nobody knows what this write did."""
        return self.writes and (self.verdict.in_doubt or self.verdict.kind is VerdictKind.REFUSED)

    def shows(self, names: tuple[str, ...]) -> bool:
        """Tell whether this is a reading that shows exactly these names."""
        return self.verdict.kind is VerdictKind.SUCCESS and self.verdict.shown == names


@dataclass(frozen=True)
class Walk:
    """All calls of an item and how it ended."""

    start: Course
    calls: tuple[Call, ...]
    result: Result | None

    def of(self, purpose: Purpose) -> list[Call]:
        """Return the calls of one purpose."""
        return [call for call in self.calls if call.purpose is purpose]


def endless(given_answers: Sequence[tuple[Verdict, Verdict]]) -> Iterator[tuple[Verdict, Verdict]]:
    """Repeat the answers, so that no walk ends because they ran out."""
    while True:
        yield from given_answers


def walk(start: Course, policy: RetryPolicy, given_answers: Sequence[tuple[Verdict, Verdict]]) -> Walk:
    """Follow an item to its end; each pair is an answer to the item's own call and one to a reading."""
    course, calls = start, list[Call]()
    for own, reading in endless(given_answers):
        write = course.writes and course.next is Purpose.CALL
        verdict = own if course.next is Purpose.CALL else reading
        verdict = verdict if write else replace(verdict, in_doubt=False)
        calls.append(Call(course.next, verdict, write))
        match decide(policy, 5.0, course, verdict, dice()):
            case Again(onward, _) if len(calls) < MOST_CALLS:
                course = onward
            case Settled(result):
                return Walk(start, tuple(calls), result)
            case _:
                break
    return Walk(start, tuple(calls), None)


def open_doubts(found: Walk) -> Iterator[bool]:
    """Yield, before each call and after the last, whether a write may have happened unseen."""
    doubt = found.start.next is Purpose.READBACK
    telling = [names for names in (found.start.before, found.start.wanted) if names is not None]
    yield doubt
    for call in found.calls:
        if call.doubtful:
            doubt = True
        elif call.purpose is Purpose.READBACK and any(map(call.shows, telling)):
            doubt = False
        yield doubt


@given(starts, policies, answers)
def test_write_in_doubt_is_never_sent_again_unseen(
    start: Course, policy: RetryPolicy, given_answers: list[tuple[Verdict, Verdict]]
) -> None:
    """Between a write in doubt and the next one stands a reading that shows the value before."""
    found = walk(start, policy, given_answers)

    moments = zip(found.calls, open_doubts(found), strict=False)
    assert not any(doubt and call.writes for call, doubt in moments)


@given(starts, policies, answers)
def test_item_is_never_sent_more_often_than_allowed(
    start: Course, policy: RetryPolicy, given_answers: list[tuple[Verdict, Verdict]]
) -> None:
    """However often an item is read back, its own call goes out at most `retry.attempts` times."""
    assert len(walk(start, policy, given_answers).of(Purpose.CALL)) <= policy.attempts


@given(starts, policies, answers)
def test_every_item_comes_to_an_end(
    start: Course, policy: RetryPolicy, given_answers: list[tuple[Verdict, Verdict]]
) -> None:
    """No sequence of answers keeps an item going forever."""
    assert walk(start, policy, given_answers).result is not None


@given(starts, policies, answers)
def test_changed_is_said_only_with_proof(
    start: Course, policy: RetryPolicy, given_answers: list[tuple[Verdict, Verdict]]
) -> None:
    """`changed` means that the server accepted the value, or that a reading showed it."""
    found = walk(start, policy, given_answers)

    last = found.calls[-1]
    accepted = last.writes and last.verdict.kind is VerdictKind.SUCCESS
    seen = last.purpose is Purpose.READBACK and last.shows(WANTED)
    assert found.result is not None
    assert (found.result.status is Status.CHANGED) == (accepted or seen)


def ends_late(found: Walk) -> bool:
    """Tell whether the last write timed out, and the last reading showed the value before."""
    writes = [call.verdict for call in found.calls if call.writes]
    last = found.calls[-1]
    timed_out = (
        bool(writes) and writes[-1].error_class is ErrorClass.TIMEOUT and writes[-1].http_status is None
    )
    return timed_out and last.purpose is Purpose.READBACK and last.shows(BEFORE)


@given(starts, policies, answers)
def test_failed_is_said_only_without_doubt(
    start: Course, policy: RetryPolicy, given_answers: list[tuple[Verdict, Verdict]]
) -> None:
    """`failed` means that nothing happened; while a doubt is open an item is `unknown`.

    A call that timed out may still be under way when the reading is made.
    """
    found = walk(start, policy, given_answers)

    assert found.result is not None
    *_, doubt = open_doubts(found)
    assert (found.result.status is Status.UNKNOWN) == (doubt or ends_late(found))


@given(starts, policies, answers)
def test_write_refused_in_unknown_words_is_never_sent_again(
    start: Course, policy: RetryPolicy, given_answers: list[tuple[Verdict, Verdict]]
) -> None:
    """A refusal that nobody can read may be final, so the item's last write is that one."""
    writes = [call for call in walk(start, policy, given_answers).calls if call.writes]

    assert not any(call.verdict.kind is VerdictKind.REFUSED for call in writes[:-1])


@given(starts, policies, answers)
def test_attempts_are_numbered_without_gaps(
    start: Course, policy: RetryPolicy, given_answers: list[tuple[Verdict, Verdict]]
) -> None:
    """Each call takes the next number, so that the run store can tell them apart."""
    course, numbers = start, []
    for own, reading in given_answers:
        numbers.append(course.number)
        decision = decide(policy, 5.0, course, own if course.next is Purpose.CALL else reading, dice())
        if not isinstance(decision, Again):
            break
        course = decision.course

    assert numbers == list(range(len(numbers)))

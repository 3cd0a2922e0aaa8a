"""What follows from an answer: send again, read back, or settle."""

from random import Random

import pytest

from bulkip.course import Course
from bulkip.frozen import replace
from bulkip.model import ErrorClass, Purpose
from bulkip.policy import RetryPolicy
from bulkip.retry import Again, Decision, Found, Seen, Settled, decide
from bulkip.wire import Verdict, VerdictKind

POLICY = RetryPolicy(attempts=3, base_s=0.3, max_s=20.0)
SETTLE_S = 5.0
READ = Course(next=Purpose.CALL)
WRITE = Course(next=Purpose.CALL, writes=True, wanted=("new.example",), before=("old.example",))
BLIND = Course(next=Purpose.CALL, writes=True)  # set_main: nothing shows what it did
READING = replace(WRITE, next=Purpose.BEFORE, before=None)
READING_AGAIN = replace(WRITE, next=Purpose.BEFORE)

SUCCESS = Verdict(VerdictKind.SUCCESS, http_status=200, readable=True)
PERMANENT = Verdict(VerdictKind.PERMANENT, ErrorClass.INVALID, "-1", "malformed IP", 200, readable=True)
REFUSED = Verdict(
    VerdictKind.REFUSED, ErrorClass.UNKNOWN_ANSWER, message="no", http_status=200, readable=True
)
CONNECT = Verdict(VerdictKind.TRANSIENT, ErrorClass.CONNECT, message="refused")
THROTTLE = Verdict(VerdictKind.THROTTLE, ErrorClass.THROTTLED, message="slow down", http_status=429)
BLOCKED = Verdict(VerdictKind.BLOCKED, ErrorClass.PERMISSION, message="403 with HTML", http_status=403)
AUTH = Verdict(VerdictKind.AUTH, ErrorClass.AUTH, message="invalid token", http_status=401)
UNREADABLE = Verdict(VerdictKind.UNKNOWN, ErrorClass.UNKNOWN_ANSWER, message="not JSON", http_status=200)
LOST = Verdict(VerdictKind.TRANSIENT, ErrorClass.TIMEOUT, message="no answer in 30 s", in_doubt=True)
MUDDLED = replace(UNREADABLE, in_doubt=True)


TROUBLED = replace(LOST, error_class=ErrorClass.SERVER, http_status=503)


def dice() -> Random:
    """Return randomness that is the same in every test."""
    return Random(1)  # noqa: S311 -- it decides about waiting times only


def showing(*names: str) -> Verdict:
    """Return the answer of a get_ptr that shows these names."""
    return replace(SUCCESS, shown=names)


OLD = showing("old.example")


def after(course: Course, *verdicts: Verdict) -> Decision:
    """Return what follows from the last of these answers; every other one leads to the next call."""
    *earlier, last = verdicts
    for verdict in earlier:
        decision = decide(POLICY, SETTLE_S, course, verdict, dice())
        assert isinstance(decision, Again)
        course = decision.course
    return decide(POLICY, SETTLE_S, course, last, dice())


def told(decision: Decision) -> str:
    """Return a decision in one word: the purpose of the next call, the status, `seen` or `found`."""
    match decision:
        case Again(course):
            return course.next.value
        case Settled(result):
            return result.status.value
        case Seen():
            return "seen"
        case Found():
            return "found"


def rows(table: dict[str, tuple[tuple[Verdict, ...], str]]) -> list[object]:
    """Return a table of answers and what follows as parameters of a test."""
    return [pytest.param(*row, id=name) for name, row in table.items()]


@pytest.mark.parametrize(
    ("answers", "follows"),
    rows(
        {
            "success": ((SUCCESS,), "ok"),
            "no-traffic": ((Verdict(VerdictKind.EMPTY),), "ok"),
            "refused-for-good": ((PERMANENT,), "failed"),
            "unknown-text": ((REFUSED,), "failed"),
            "certificate": ((Verdict(VerdictKind.MISCONFIGURED),), "failed"),
            "account": ((Verdict(VerdictKind.AUTH_FATAL),), "failed"),
            "lost": ((CONNECT,), "call"),
            "unreadable": ((UNREADABLE,), "call"),
            "throttled": ((THROTTLE,), "call"),
            "token-refused": ((AUTH,), "call"),
            "blocked": ((BLOCKED,), "call"),
            "blocked-twice": ((BLOCKED, BLOCKED), "failed"),
            "blocked-once-after-another": ((CONNECT, BLOCKED), "call"),
            "second-success": ((CONNECT, SUCCESS), "ok"),
            "attempts-left": ((CONNECT, THROTTLE), "call"),
            "attempts-used-up": ((CONNECT, THROTTLE, UNREADABLE), "failed"),
        }
    ),
)
def test_read_goes_on_until_an_answer_is_final(answers: tuple[Verdict, ...], follows: str) -> None:
    """A read is repeated after what may pass, and never more often than allowed."""
    assert told(after(READ, *answers)) == follows


@pytest.mark.parametrize(
    ("answers", "follows"),
    rows(
        {
            "success": ((SUCCESS,), "changed"),
            "refused-for-good": ((PERMANENT,), "failed"),
            "not-sent": ((CONNECT,), "call"),
            "not-sent-attempts-used-up": ((CONNECT, CONNECT, CONNECT), "failed"),
            "throttled": ((THROTTLE,), "call"),
            "throttled-attempts-used-up": ((THROTTLE, THROTTLE, THROTTLE), "failed"),
            "token-refused": ((AUTH,), "call"),
            "blocked": ((BLOCKED,), "call"),
            "blocked-twice": ((BLOCKED, BLOCKED), "failed"),
        }
    ),
)
def test_write_that_did_not_happen_may_be_sent_again(answers: tuple[Verdict, ...], follows: str) -> None:
    """A write without a doubt is treated as a read is."""
    assert told(after(WRITE, *answers)) == follows


@pytest.mark.parametrize(
    ("answers", "follows"),
    rows(
        {
            "at-first": ((LOST,), "readback"),
            "unreadable": ((MUDDLED,), "readback"),
            "shows-wanted": ((LOST, showing("NEW.example.")), "changed"),
            "shows-before": ((LOST, showing("old.example")), "call"),
            "shows-before-then-success": ((LOST, showing("old.example"), SUCCESS), "changed"),
            "shows-before-then-refused": ((LOST, showing("old.example"), PERMANENT), "failed"),
            "shows-third-value": ((LOST, showing("third.example")), "unknown"),
            "shows-nothing": ((LOST, showing()), "unknown"),
            "shows-wanted-and-before": ((LOST, showing("new.example", "old.example")), "unknown"),
            "reading-refused": ((LOST, PERMANENT), "unknown"),
            "reading-lost": ((LOST, CONNECT), "readback"),
            "reading-lost-then-wanted": ((LOST, CONNECT, showing("new.example")), "changed"),
            "reading-throttled": ((LOST, THROTTLE), "readback"),
            "reading-blocked-twice": ((LOST, BLOCKED, BLOCKED), "unknown"),
            "reading-used-up": ((LOST, CONNECT, UNREADABLE, CONNECT), "unknown"),
            "in-doubt-again": ((LOST, showing("old.example"), LOST), "readback"),
            "attempts-used-up": ((TROUBLED, OLD, TROUBLED, OLD, TROUBLED, OLD), "failed"),
            "last-attempt-timed-out": ((TROUBLED, OLD, TROUBLED, OLD, LOST, OLD), "unknown"),
        }
    ),
)
def test_write_in_doubt_is_read_back_before_anything_else(answers: tuple[Verdict, ...], follows: str) -> None:
    """Wanted means changed, the value before means once more, anything else stays unknown."""
    assert told(after(WRITE, *answers)) == follows


@pytest.mark.parametrize(
    ("answers", "follows"),
    rows(
        {
            "at-first": ((REFUSED,), "readback"),
            "shows-wanted": ((REFUSED, showing("new.example")), "changed"),
            "shows-before": ((REFUSED, showing("old.example")), "failed"),
            "shows-third-value": ((REFUSED, showing("third.example")), "unknown"),
            "reading-refused": ((REFUSED, REFUSED), "unknown"),
            "after-a-doubt": ((LOST, showing("old.example"), REFUSED, showing("old.example")), "failed"),
        }
    ),
)
def test_write_refused_in_unknown_words_is_read_back_and_never_repeated(
    answers: tuple[Verdict, ...], follows: str
) -> None:
    """Nobody knows whether an unknown refusal is final, so only a reading settles it."""
    assert told(after(WRITE, *answers)) == follows


@pytest.mark.parametrize(
    ("answers", "follows"),
    rows(
        {
            "success": ((SUCCESS,), "changed"),
            "refused-for-good": ((PERMANENT,), "failed"),
            "lost": ((LOST,), "unknown"),
            "unreadable": ((MUDDLED,), "unknown"),
            "unknown-text": ((REFUSED,), "unknown"),
            "not-sent": ((CONNECT,), "call"),
            "throttled": ((THROTTLE,), "call"),
            "not-sent-then-lost": ((CONNECT, LOST), "unknown"),
        }
    ),
)
def test_write_that_nothing_shows_is_never_repeated_in_doubt(
    answers: tuple[Verdict, ...], follows: str
) -> None:
    """Of set_main no reading tells whether it happened; in doubt it stays unknown."""
    assert told(after(BLIND, *answers)) == follows


@pytest.mark.parametrize(
    ("answers", "follows"),
    rows(
        {
            "shown": ((showing("old.example"),), "seen"),
            "no-ptr": ((showing(),), "seen"),
            "already-as-wanted": ((showing("new.example"),), "seen"),
            "refused": ((PERMANENT,), "failed"),
            "unknown-text": ((REFUSED,), "failed"),
            "lost": ((CONNECT,), "before"),
            "used-up": ((CONNECT, UNREADABLE, THROTTLE), "failed"),
        }
    ),
)
def test_item_whose_value_cannot_be_read_is_not_written(answers: tuple[Verdict, ...], follows: str) -> None:
    """The value before is read while planning; without it the item has failed and nothing is sent."""
    assert told(after(READING, *answers)) == follows


@pytest.mark.parametrize(
    ("answers", "follows"),
    rows(
        {
            "as-before": ((showing("OLD.example"),), "call"),
            "as-wanted-by-now": ((showing("new.example"),), "unchanged"),
            "moved": ((showing("third.example"),), "conflict"),
            "gone": ((showing(),), "conflict"),
            "refused": ((PERMANENT,), "failed"),
            "lost": ((CONNECT,), "before"),
            "used-up": ((CONNECT, CONNECT, CONNECT), "failed"),
        }
    ),
)
def test_value_that_moved_since_the_plan_is_not_overwritten(
    answers: tuple[Verdict, ...], follows: str
) -> None:
    """A value before that is old is read again just before the write."""
    assert told(after(READING_AGAIN, *answers)) == follows


def test_conflict_names_both_values() -> None:
    """A conflict says what was there while planning and what is there now."""
    decision = after(READING_AGAIN, showing("third.example"))

    assert isinstance(decision, Settled)
    assert decision.result.message == "the value moved from `old.example` to `third.example` since the plan"


@pytest.mark.parametrize(
    ("shown", "follows"),
    [
        pytest.param("old.example", "call", id="before"),
        pytest.param("new.example", "changed", id="wanted"),
        pytest.param("third.example", "unknown", id="third-value"),
    ],
)
def test_doubt_of_an_earlier_start_is_settled_by_a_reading(shown: str, follows: str) -> None:
    """A write that was in flight when the process died is read back before it is sent again."""
    left = replace(WRITE, next=Purpose.READBACK, number=1)

    assert told(after(left, showing(shown))) == follows


@pytest.mark.parametrize(
    ("answers", "cleared"),
    [
        pytest.param((LOST, showing("new.example")), True, id="wanted"),
        pytest.param((REFUSED, showing("old.example")), True, id="before"),
        pytest.param((LOST, showing("third.example")), False, id="third-value"),
        pytest.param((LOST, PERMANENT), False, id="unreadable"),
    ],
)
def test_only_a_telling_reading_clears_a_doubt(answers: tuple[Verdict, ...], cleared: object) -> None:
    """A doubt is struck from the books when a reading showed what happened."""
    decision = after(WRITE, *answers)

    assert isinstance(decision, Settled)
    assert decision.cleared is cleared


@pytest.mark.parametrize(
    "verdict", [pytest.param(PERMANENT, id="permanent"), pytest.param(BLOCKED, id="blocked")]
)
def test_failure_keeps_the_servers_words(verdict: Verdict) -> None:
    """A failed item says class, code, text and HTTP status of the last answer."""
    decision = decide(RetryPolicy(attempts=1), SETTLE_S, READ, verdict, dice())

    assert isinstance(decision, Settled)
    result = decision.result
    found = (result.error_class, result.error_code, result.message, result.http_status)
    assert found == (verdict.error_class, verdict.error_code, verdict.message, verdict.http_status)


def test_read_backs_of_an_item_are_bounded_by_themselves() -> None:
    """A write is not sent again once no read-back would be left to settle it."""
    answers = (LOST, CONNECT, CONNECT, showing("old.example"))

    left = after(WRITE, *answers)

    assert told(left) == "unknown"

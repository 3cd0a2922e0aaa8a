"""How long an item waits before its next call."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkip.course import Course
from bulkip.frozen import replace
from bulkip.model import ErrorClass, Purpose
from bulkip.policy import RetryPolicy
from bulkip.retry import Again, backoff_s, decide
from bulkip.wire import Verdict, VerdictKind

POLICY = RetryPolicy(attempts=3, base_s=0.3, max_s=20.0)
SETTLE_S = 5.0
READ = Course(next=Purpose.CALL)
WRITE = Course(next=Purpose.CALL, writes=True, wanted=("new.example",), before=("old.example",))
REFUSED = Verdict(VerdictKind.REFUSED, ErrorClass.UNKNOWN_ANSWER, message="no", readable=True)
THROTTLE = Verdict(VerdictKind.THROTTLE, ErrorClass.THROTTLED, message="slow down", http_status=429)
LOST = Verdict(VerdictKind.TRANSIENT, ErrorClass.TIMEOUT, message="no answer in 30 s", in_doubt=True)


def dice() -> Random:
    """Return randomness that is the same in every test."""
    return Random(1)  # noqa: S311 -- it decides about waiting times only


@pytest.mark.parametrize(
    "verdict", [pytest.param(LOST, id="in-doubt"), pytest.param(REFUSED, id="unknown-words")]
)
def test_readback_waits_until_the_write_has_settled(verdict: Verdict) -> None:
    """A reading straight after a write might show the value before although the write happened."""
    decision = decide(POLICY, SETTLE_S, WRITE, verdict, dice())

    assert isinstance(decision, Again)
    assert decision.delay_s == SETTLE_S


@pytest.mark.parametrize("course", [pytest.param(READ, id="read"), pytest.param(WRITE, id="write")])
def test_retry_after_is_the_least_wait(course: Course) -> None:
    """What the server asks for is waited, even when the back-off would be shorter."""
    decision = decide(POLICY, SETTLE_S, course, replace(THROTTLE, retry_after_s=77.0), dice())

    assert isinstance(decision, Again)
    assert decision.delay_s == 77.0


@given(st.integers(-1, 10_000), st.floats(0, 1e3), st.floats(0, 1e4), st.randoms(use_true_random=False))
def test_backoff_stays_below_its_ceiling(attempt: int, base_s: float, max_s: float, rng: Random) -> None:
    """Full jitter lies between zero and a ceiling that doubles up to the longest wait."""
    policy = RetryPolicy(base_s=base_s, max_s=max_s)

    wait_s = backoff_s(policy, attempt, rng)

    assert 0 <= wait_s <= min(max_s, base_s * 2.0 ** min(max(attempt - 1, 0), 1000))


def test_backoff_uses_its_whole_range() -> None:
    """Items that failed together are spread over the whole time, so they do not come back together."""
    rng = dice()

    waits = [backoff_s(POLICY, 3, rng) for _ in range(1_000)]

    assert (min(waits) < 0.05 * 1.2, max(waits) > 0.95 * 1.2) == (True, True)

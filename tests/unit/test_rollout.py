"""How far each step of a rollout goes."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkip.ceiling import Ceiling
from bulkip.model import Status
from bulkip.policy import Percent, Share
from bulkip.rollout import quotas

shares = st.one_of(st.integers(1, 5_000), st.floats(0.1, 100).map(Percent))


@pytest.mark.parametrize(
    ("steps", "total", "reached"),
    [
        pytest.param([Percent(100)], 40, (40,), id="all-at-once"),
        pytest.param([5, Percent(10), Percent(100)], 2000, (5, 200, 2000), id="canary-then-a-tenth"),
        pytest.param([5, Percent(10), Percent(100)], 40, (5, 40), id="a-tenth-is-less-than-the-canary"),
        pytest.param([5], 40, (5, 40), id="the-rest-is-a-last-step"),
        pytest.param([Percent(1)], 40, (1, 40), id="a-part-of-an-address-is-one"),
        pytest.param([Percent(10)], 30, (3, 30), id="a-whole-share-is-not-rounded-up"),
        pytest.param([50], 40, (40,), id="more-than-there-are"),
        pytest.param([5, 5], 40, (5, 40), id="a-step-that-adds-nothing"),
        pytest.param([5, Percent(100)], 0, (), id="nothing-to-write"),
        pytest.param([], 3, (3,), id="no-steps"),
    ],
)
def test_steps_are_addresses_reached(steps: Sequence[Share], total: int, reached: tuple[int, ...]) -> None:
    """Each step says how many are done at its end; those that add nothing are left out."""
    assert quotas(steps, total) == reached


@given(st.lists(shares, max_size=6), st.integers(0, 5_000))
def test_steps_grow_and_end_with_all(steps: list[Share], total: int) -> None:
    """Whatever was asked for, each step adds something, and the last one is the whole plan."""
    reached = quotas(steps, total)

    assert list(reached) == sorted(set(reached))
    assert reached[-1:] == ((total,) if total else ())


@pytest.mark.parametrize(
    ("ended", "failed", "met"),
    [
        pytest.param(40, 5, "13%", id="rounded-up"),
        pytest.param(25, 3, "12%", id="exact"),
        pytest.param(1, 1, "100%", id="all"),
        pytest.param(0, 1, "100%", id="proof-missing"),
    ],
)
def test_limit_that_would_do_is_told(ended: int, failed: int, met: str) -> None:
    """A run that halts says which limit lets the rest go on, should it fail as often."""
    assert str(Ceiling(Percent(5), 20, 200, ended, failed).met) == met


@given(st.integers(1, 500), st.integers(0, 500))
def test_limit_that_would_do_does(ended: int, failed: int) -> None:
    """With that limit, as many failures among as many items do not halt the run again."""
    failed = min(failed, ended)
    met = Ceiling(5, 20, ended, ended, failed).met
    again = Ceiling(met, 0, ended)
    for number in range(ended):
        again = again.after(Status.FAILED if number < failed else Status.CHANGED)

    assert not again.is_exceeded

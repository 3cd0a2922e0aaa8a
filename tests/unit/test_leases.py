"""Which slots processes get that share a rate: never too many for it, whoever asks, and in order."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkip.leases import HEEDED_S, LEAST_SHARE, Ask, Standing, leased

STEP_S = 0.01
asks = st.lists(
    st.tuples(
        st.floats(0, 2),  # seconds since the last ask
        st.integers(0, 50),
        st.floats(0, 0.2),
        st.sampled_from([0.0, 0.0, 0.0, 0.5, 3.0]),
        st.booleans(),
    ),
    min_size=1,
    max_size=60,
)


@given(asks)
@settings(max_examples=300, deadline=None)
def test_slots_never_lie_closer_than_the_pace(history: list[tuple[float, int, float, float, bool]]) -> None:
    """Whatever is asked for, and in whatever order, all slots together are as far apart as they must be."""
    standing, now, slots = Standing(), 1e9, []
    for later_s, count, lead_s, hold_s, slowed in history:
        now += later_s
        standing, lease = leased(standing, Ask(count, STEP_S, lead_s, hold_s, slowed), now)
        assert lease.count in (0, count)
        assert not lease.count or lease.first >= now + lead_s
        slots += [lease.first + number * lease.step_s for number in range(lease.count)]

    assert all(after - before > STEP_S * 0.999 for before, after in pairwise(slots))


@given(asks)
@settings(max_examples=300, deadline=None)
def test_nothing_is_leased_while_calls_are_held(history: list[tuple[float, int, float, float, bool]]) -> None:
    """From the moment that anyone tells of a cool-down, nobody gets a slot before its end."""
    standing, now, held_until = Standing(), 1e9, 0.0
    for later_s, count, lead_s, hold_s, slowed in history:
        now += later_s
        standing, lease = leased(standing, Ask(count, STEP_S, lead_s, hold_s, slowed), now)
        held_until = max(held_until, now + hold_s if hold_s else 0.0)
        assert lease.held_until == held_until
        assert lease.count == (0 if held_until > now else count)


def test_idle_time_is_not_made_up_for() -> None:
    """After an hour without calls there are no more slots than in any other moment."""
    standing, _ = leased(Standing(), Ask(10, STEP_S), 1000.0)

    _, lease = leased(standing, Ask(5, STEP_S), 4600.0)

    assert (lease.first, lease.step_s) == (4600.0, STEP_S)


def test_pace_halves_once_in_a_cool_down_and_comes_back() -> None:
    """Three processes that are throttled at once halve the pace once; a tenth a second comes back."""
    standing = Standing()
    for _ in range(3):
        standing, _ = leased(standing, Ask(0, STEP_S, hold_s=2.0, slowed=True), 1000.0)
    assert standing.share == 0.5

    _, held = leased(standing, Ask(1, STEP_S), 1001.9)
    _, after = leased(standing, Ask(1, STEP_S), 1003.0)

    assert held.count == 0
    assert after.share == pytest.approx(0.6)
    assert after.step_s == pytest.approx(STEP_S / 0.6)


def test_pace_never_falls_below_a_tenth() -> None:
    """However often calls are throttled, a tenth of the pace is left."""
    standing = Standing()
    for _ in range(10):
        standing, _ = leased(standing, Ask(1, STEP_S, slowed=True), 1000.0)

    assert standing.share == LEAST_SHARE


def test_slowest_pace_holds_for_all_until_it_is_forgotten() -> None:
    """Processes whose jobs name different rates keep to the lowest of them, as long as it is asked for."""
    standing, _ = leased(Standing(), Ask(1, 0.5), 1000.0)

    standing, lease = leased(standing, Ask(1, 0.1), 1000.0 + HEEDED_S - 1)
    _, later = leased(standing, Ask(1, 0.1), 1000.0 + HEEDED_S)

    assert (lease.step_s, later.step_s) == (0.5, 0.1)

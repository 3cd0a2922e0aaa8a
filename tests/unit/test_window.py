"""How a strict provider counts."""

import pytest

from bulkip.model import Rate
from bulkip.simulator.window import SlidingWindows, busiest


def test_call_over_the_limit_is_told_when_the_oldest_leaves() -> None:
    """The N+1st call within a period is refused until the oldest one is a whole period old."""
    windows = SlidingWindows([Rate(2, 1.0)])

    waits = [windows.admit(now) for now in (0.0, 0.25, 0.5, 1.0, 1.125, 1.25)]

    assert waits == [0.0, 0.0, 0.5, 0.0, 0.125, 0.0]


def test_refused_call_counts_in_no_window() -> None:
    """A call that one limit refuses takes no room in the other limits."""
    windows = SlidingWindows([Rate(1, 1.0), Rate(2, 60.0)])

    waits = [windows.admit(now) for now in (0.0, 0.5, 0.75, 1.0)]

    assert waits == [0.0, 0.5, 0.25, 0.0]


def test_provider_without_limits_lets_everything_through() -> None:
    """Without limits no call waits."""
    windows = SlidingWindows([])

    assert [windows.admit(0.0) for _ in range(3)] == [0.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("arrivals", "most"),
    [
        pytest.param([], 0, id="nothing"),
        pytest.param([0.0, 0.5, 0.999], 3, id="all within a period"),
        pytest.param([0.0, 0.5, 1.0], 2, id="one leaves as the next comes"),
        pytest.param([0.0, 0.9, 1.1, 1.2, 5.0], 3, id="across a full second"),
    ],
)
def test_busiest_window_slides(arrivals: list[float], most: int) -> None:
    """The busiest period may begin anywhere, not only at full seconds."""
    assert busiest(arrivals, 1.0) == most

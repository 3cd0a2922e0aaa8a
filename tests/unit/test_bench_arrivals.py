"""How the bench reads the log of a server."""

import pytest

from tests.bench.arrivals import NEW, REFUSED, WRITE, Log, Window, excess, ideal_s, reached, stages, worst


@pytest.mark.parametrize(
    ("times", "most"),
    [
        pytest.param([], 0, id="nothing"),
        pytest.param([0.0, 0.5, 0.999], 3, id="all within a second"),
        pytest.param([0.0, 0.5, 1.0], 2, id="one leaves as the next comes"),
        pytest.param([0.0, 0.9, 1.1, 1.2, 5.0], 3, id="across a full second"),
    ],
)
def test_worst_window_may_begin_anywhere(times: list[float], most: int) -> None:
    """The busiest second slides, and need not begin at a full one."""
    assert worst(times, 1.0) == most


def test_excess_is_that_of_the_window_that_is_fullest() -> None:
    """Of several windows the one counts whose limit is exceeded most."""
    times = [0.0, 0.5, 2.0, 2.5]

    assert excess(times, [Window(2), Window(2, 60.0)]) == 2.0


@pytest.mark.parametrize(
    ("windows", "calls", "seconds"),
    [
        pytest.param([Window(10)], 0, 0.0, id="no call"),
        pytest.param([Window(10)], 1, 0.0, id="the first goes at once"),
        pytest.param([Window(10)], 21, 2.0, id="one rate, evenly"),
        pytest.param([Window(10), Window(300, 60.0)], 300, 29.9, id="the long window is not full yet"),
        pytest.param([Window(10), Window(300, 60.0)], 301, 60.0, id="the long window holds back"),
        pytest.param([Window(10), Window(300, 60.0)], 311, 61.0, id="then the fast one paces again"),
    ],
)
def test_ideal_time_is_even_and_within_every_window(
    windows: list[Window], calls: int, seconds: float
) -> None:
    """Nobody who keeps to all windows without a burst can be faster than the ideal."""
    assert ideal_s(windows, calls) == pytest.approx(seconds)


def test_stage_ends_with_its_last_new_call() -> None:
    """Repeats after the last new call of a stage wait for back-off, not for the rate, and are left out."""
    log = Log([0.0, 1.0, 2.0, 5.0, 9.0, 10.0, 15.0], [NEW, 0, NEW, 0, NEW | WRITE, NEW | WRITE, WRITE])

    found = stages(log)

    assert [list(part.times) for part in found] == [[0.0, 1.0, 2.0], [9.0, 10.0]]


def test_rate_that_is_used_fully_is_reached() -> None:
    """Calls at exactly the rate reach all of it, in each stage and with the gap between them left out."""
    reads = [number / 10 for number in range(11)]
    writes = [7 + number / 10 for number in range(11)]
    log = Log(reads + writes, [NEW] * 11 + [NEW | WRITE] * 11)

    assert reached(log, [Window(10)]) == pytest.approx(1.0)


def test_pause_that_was_asked_for_is_no_loss() -> None:
    """An idle time that was planned is taken off before the rate reached is reckoned."""
    log = Log([0.0, 0.1, 0.2, 5.3], [NEW] * 4)

    assert reached(log, [Window(10)], idle_s=5.0) == pytest.approx(1.0)


def test_log_gives_the_calls_of_a_kind() -> None:
    """What was refused can be told from the rest."""
    log = Log([1.0, 2.0, 3.0], [NEW, NEW | REFUSED, WRITE | REFUSED])

    assert log.marked(REFUSED) == [2.0, 3.0]

"""When lost calls stop the others, and which of them are the server's doing."""

import pytest

from bulkip.breaker import Circuit, answered, lost

AFTER = 3


def lose(circuit: Circuit, calls: int, *, probe: bool = False, now: float = 100.0) -> Circuit:
    """Lose so many calls in a row."""
    for _ in range(calls):
        circuit = lost(circuit, AFTER, now, probe=probe)
    return circuit


def test_opens_after_so_many_lost_calls_in_a_row() -> None:
    """One lost call fewer leaves it closed, the next opens it and excuses the whole streak."""
    almost = lose(Circuit(), AFTER - 1)
    opened = lose(almost, 1)

    assert (almost.is_open, almost.outages) == (False, frozenset())
    assert (opened.is_open, opened.outages, opened.down_since) == (True, frozenset({1}), 100.0)


def test_any_status_line_ends_the_streak() -> None:
    """Lost calls count only in a row; a streak that ended without an outage excuses nothing."""
    circuit = answered(lose(Circuit(), AFTER - 1), probe=False)

    again = lose(circuit, AFTER - 1)

    assert (again.is_open, again.streak, again.outages) == (False, 2, frozenset())


def test_answer_to_a_probe_closes_it() -> None:
    """A status line for the probe lets the calls go again, in a new streak."""
    closed = answered(lose(Circuit(), AFTER), probe=True)

    assert (closed.is_open, closed.lost, closed.streak) == (False, 0, 2)
    assert closed.down_since == 100.0


def test_calls_that_hang_on_a_server_that_answers_probes_are_counted() -> None:
    """When it opens again and only a probe was answered between, the calls are to blame, not the server."""
    closed = answered(lose(Circuit(), AFTER), probe=True)

    again = lose(closed, AFTER, now=200.0)

    assert (again.is_open, again.outages, again.down_since) == (True, frozenset({1}), 100.0)


def test_lost_probe_proves_the_outage() -> None:
    """A probe that is lost shows that the server is away, however often it opened before."""
    again = lose(answered(lose(Circuit(), AFTER), probe=True), AFTER, now=200.0)

    assert lose(again, 1, probe=True).outages == {1, 2}


def test_item_that_was_answered_ends_the_outage() -> None:
    """After the answer to an item's call the next opening is an outage of its own."""
    healed = answered(answered(lose(Circuit(), AFTER), probe=True), probe=False)

    again = lose(healed, AFTER, now=300.0)

    assert (healed.down_since, again.down_since) == (None, 300.0)
    assert again.streak in again.outages


@pytest.mark.parametrize(
    ("probes", "wait_s"),
    [(0, 1), (1, 2), (2, 4), (4, 16), (5, 30), (6, 30), (5000, 30)],
)
def test_probes_come_ever_later(probes: int, wait_s: float) -> None:
    """The first probe goes after a second; each lost one doubles the wait, up to half a minute."""
    assert lose(lose(Circuit(), AFTER), probes, probe=True).probe_after_s == wait_s


def test_call_that_is_lost_while_it_is_open_changes_nothing() -> None:
    """What was in flight when it opened belongs to the same streak and delays no probe."""
    opened = lose(Circuit(), AFTER)

    assert lose(opened, 50) == opened


def test_success_in_good_times_costs_nothing() -> None:
    """An answered call without trouble before leaves the very same object."""
    circuit = Circuit()

    assert answered(circuit, probe=False) is circuit

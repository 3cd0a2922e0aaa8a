"""Which plans are stopped before their first write."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkip.policy import Percent, Safety, Share
from bulkip.safety import PlannedChanges, objections

counts = st.integers(0, 10_000)
plans = st.builds(PlannedChanges, counts, counts, counts, counts)


@pytest.mark.parametrize(
    ("planned", "limit", "stopped"),
    [
        pytest.param(PlannedChanges(sets=9_999), None, False, id="no-limit"),
        pytest.param(PlannedChanges(sets=3, changes=2), 5, False, id="count-reached"),
        pytest.param(PlannedChanges(sets=3, changes=3), 5, True, id="count-exceeded"),
        pytest.param(PlannedChanges(), 0, False, id="nothing-allowed-nothing-planned"),
        pytest.param(PlannedChanges(sets=1), 0, True, id="nothing-allowed"),
        pytest.param(PlannedChanges(changes=30, existing=100), Percent(30), False, id="share-reached"),
        pytest.param(PlannedChanges(changes=31, existing=100), Percent(30), True, id="share-exceeded"),
        pytest.param(PlannedChanges(sets=31, existing=100), Percent(30), True, id="new-ones-count-too"),
        pytest.param(PlannedChanges(changes=1, existing=1_000), Percent(0.1), False, id="fraction-reached"),
        pytest.param(PlannedChanges(changes=2, existing=1_000), Percent(0.1), True, id="fraction-exceeded"),
        pytest.param(PlannedChanges(changes=9, existing=9), Percent(30), False, id="too-few-for-a-share"),
        pytest.param(PlannedChanges(changes=10, existing=10), Percent(30), True, id="enough-for-a-share"),
        pytest.param(PlannedChanges(sets=500), Percent(30), False, id="none-exists-yet"),
    ],
)
def test_max_changes_is_exceeded_not_reached(
    planned: PlannedChanges, limit: Share | None, stopped: object
) -> None:
    """Sets, changes and clears count together, as a number or as a share of the addresses with a PTR."""
    safety = Safety(max_changes=limit, max_clears=10_000)

    assert bool(objections(planned, safety)) is stopped


def test_clears_count_as_changes() -> None:
    """A record that vanishes is a change too, even where clearing itself is allowed."""
    safety = Safety(max_changes=2, max_clears=3)

    assert len(objections(PlannedChanges(clears=3), safety)) == 1


@pytest.mark.parametrize(
    ("clears", "most", "stopped"),
    [
        pytest.param(0, 0, False, id="none"),
        pytest.param(1, 0, True, id="default-allows-none"),
        pytest.param(3, 3, False, id="reached"),
        pytest.param(4, 3, True, id="exceeded"),
    ],
)
def test_clearing_needs_to_be_allowed_by_number(clears: int, most: int, stopped: object) -> None:
    """Nobody deletes a reverse name by accident: `max_clears` is 0 unless someone says otherwise."""
    assert bool(objections(PlannedChanges(clears=clears), Safety(max_clears=most))) is stopped


def test_every_limit_that_is_exceeded_is_told() -> None:
    """All objections come together, so that nobody lifts limits one by one."""
    told = objections(PlannedChanges(changes=5, clears=2, existing=9), Safety(max_changes=1))

    assert [line.rpartition("--")[2] for line in told] == ["max-clears 2", "max-changes 7"]


@given(plans, st.integers(0, 100))
def test_way_out_leads_out(planned: PlannedChanges, most: int) -> None:
    """With the numbers that the objections name, the same plan is allowed."""
    strict = Safety(max_changes=most)
    told = objections(planned, strict)

    given_way = dict(line.rpartition("--")[2].split() for line in told)
    lifted = Safety(
        max_changes=int(given_way.get("max-changes", most)), max_clears=int(given_way.get("max-clears", 0))
    )

    assert objections(planned, lifted) == []

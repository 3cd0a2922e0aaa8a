"""How the bench judges what it measured."""

import pytest

from tests.bench.budgets import BUDGETS, Budget, Sense, judged, missed

SPEED = Budget("speed", "speed", Sense.AT_LEAST, 2.0, "x")
MEMORY = Budget("memory", "memory", Sense.AT_MOST, 100, "MiB")
REFUSED = Budget("refused", "429s", Sense.AT_MOST, 0, "")


@pytest.mark.parametrize(
    ("budget", "measured", "row"),
    [
        pytest.param(
            SPEED, 2.5, ("speed", ">= 2.00 x", "2.50 x", "yes", "25% better"), id="more than promised"
        ),
        pytest.param(SPEED, 1.0, ("speed", ">= 2.00 x", "1.00 x", "NO", "50% short"), id="too little"),
        pytest.param(
            MEMORY, 50, ("memory", "<= 100 MiB", "50.0 MiB", "yes", "50% better"), id="less than promised"
        ),
        pytest.param(MEMORY, 150, ("memory", "<= 100 MiB", "150 MiB", "NO", "50% over"), id="too much"),
        pytest.param(REFUSED, 0, ("429s", "<= 0.00", "0.00", "yes", "met"), id="none of what must not be"),
        pytest.param(REFUSED, 3, ("429s", "<= 0.00", "3.00", "NO", "3.00 over"), id="some of it"),
    ],
)
def test_budget_is_judged_with_its_margin(budget: Budget, measured: float, row: tuple[str, ...]) -> None:
    """A row says what was promised, what was measured, whether that is enough, and by how much."""
    assert judged({budget.key: measured}, [budget]) == [row]


def test_budget_without_a_figure_is_not_called_missed() -> None:
    """A section that was not run says nothing about its budgets."""
    assert judged({}, [SPEED]) == [("speed", ">= 2.00 x", "not measured", "", "")]
    assert missed({}, [SPEED]) == []


def test_one_of_two_alternatives_is_enough() -> None:
    """Where the promise is one or the other, the one that fails is excused by the one that holds."""
    either = [
        Budget("ms", "ms", Sense.AT_MOST, 150, "ms", either="help"),
        Budget("ratio", "ratio", Sense.AT_MOST, 4, "x", either="help"),
    ]

    assert [row[3] for row in judged({"ms": 200, "ratio": 3}, either)] == ["by the other", "yes"]
    assert missed({"ms": 200, "ratio": 3}, either) == []
    assert missed({"ms": 200, "ratio": 5}, either) == ["ms", "ratio"]


def test_budget_that_does_not_bind_is_shown_and_never_missed() -> None:
    """Rows that stand beside a budget for comparison are judged in brackets."""
    beside = Budget("writes", "writes", Sense.AT_LEAST, 2.0, "x", binds=False)

    assert judged({"writes": 1.0}, [beside])[0][3] == "(no)"
    assert missed({"writes": 1.0}, [beside]) == []


def test_every_budget_has_a_key_of_its_own() -> None:
    """No figure can be judged by two budgets."""
    keys = [one.key for one in BUDGETS]

    assert len(set(keys)) == len(keys)

"""How the bench sums up its rounds and lays them out."""

import pytest

from tests.bench.spread import Spread, ratios
from tests.bench.tables import number, spread, table


def test_spread_names_the_middle_and_the_ends() -> None:
    """Several rounds are told by their median, the lowest and the highest."""
    assert Spread.of([3.0, 1.0, 8.0]) == Spread(3.0, 1.0, 8.0)


def test_ratio_is_taken_within_a_round() -> None:
    """A round in which the whole machine was slow does not move the ratio."""
    ours, theirs = [10.0, 1.0, 12.0], [5.0, 0.5, 4.0]

    assert ratios(ours, theirs) == Spread(2.0, 2.0, 3.0)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param(0.934, "0.93", id="small"),
        pytest.param(12.34, "12.3", id="tens"),
        pytest.param(12_345.6, "12,346", id="thousands"),
    ],
)
def test_number_has_the_digits_that_mean_something(value: float, text: str) -> None:
    """Three digits are as many as rounds agree on."""
    assert number(value) == text


def test_table_aligns_names_left_and_figures_right() -> None:
    """The first column is text, the others are figures."""
    rows = [("a", "1"), ("long", spread(Spread(2.0, 1.0, 3.0)))]

    assert table("Title", ("", "x"), rows) == (
        "Title\n                       x\n  a                    1\n  long  2.00 (1.00-3.00)\n"
    )

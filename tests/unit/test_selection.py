"""Filters over addresses: what they admit, and how a sample is drawn."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkip.addresses import parse_expression
from bulkip.selection import Selection, sampled, selection_of

HOSTS = [f"10.0.{number // 256}.{number % 256}" for number in range(1000)]


def admitted(*expressions: str) -> list[str]:
    """Return which of a few addresses the expressions select."""
    parsed = [parse_expression(text, allow_ipv6=True) for text in expressions]
    selection = selection_of(parsed)
    return [ip for ip in ("10.0.0.1", "10.0.0.2", "10.0.1.1", "2001:db8::1") if selection.admits(ip)]


@pytest.mark.parametrize(
    ("expressions", "expected"),
    [
        pytest.param((), ["10.0.0.1", "10.0.0.2", "10.0.1.1", "2001:db8::1"], id="nothing-said"),
        pytest.param(("10.0.0.1",), ["10.0.0.1"], id="address"),
        pytest.param(("10.0.0.0/24",), ["10.0.0.1", "10.0.0.2"], id="network"),
        pytest.param(("10.0.0.2-10.0.1.1",), ["10.0.0.2", "10.0.1.1"], id="range"),
        pytest.param(("10.0.0.1", "10.0.1.1"), ["10.0.0.1", "10.0.1.1"], id="union"),
        pytest.param(("!10.0.0.1",), ["10.0.0.2", "10.0.1.1", "2001:db8::1"], id="only-an-exclusion"),
        pytest.param(("!10.0.0.1", "10.0.0.0/24"), ["10.0.0.2"], id="exclusion-stands-anywhere"),
        pytest.param(("10.0.0.1", "!10.0.0.0/8"), [], id="nothing-left"),
        pytest.param(("2001:db8::/64",), ["2001:db8::1"], id="ipv6"),
    ],
)
def test_expressions_select_together(expressions: tuple[str, ...], expected: list[str]) -> None:
    """The positive expressions add up, and what is excluded is taken away from all of them."""
    assert admitted(*expressions) == expected


def test_selection_of_nothing_is_everything() -> None:
    """Without expressions and sample there is no filter at all."""
    assert selection_of([]).everything
    assert not Selection(sample=1).everything


@given(st.permutations(HOSTS[:40]), st.integers(min_value=1, max_value=45))
def test_sample_does_not_depend_on_order(hosts: list[str], most: int) -> None:
    """The same addresses give the same sample, in whatever order and however often they come."""
    assert sampled([*hosts, *hosts[:7]], most) == sampled(HOSTS[:40], most)


@given(st.integers(min_value=1, max_value=1000))
def test_sample_has_its_size(most: int) -> None:
    """A sample holds so many different addresses, or all when there are fewer."""
    assert len(sampled(HOSTS * 2, most)) == most


def test_larger_sample_holds_the_smaller_one() -> None:
    """Going from 5 to 50 addresses keeps the 5."""
    assert sampled(HOSTS, 5) < sampled(HOSTS, 50)


def test_sample_spreads_over_the_addresses() -> None:
    """A sample is no head of the list: neighbours are not preferred."""
    networks = {ip.rpartition(".")[0] for ip in sampled(HOSTS, 40)}

    assert len(networks) == 4

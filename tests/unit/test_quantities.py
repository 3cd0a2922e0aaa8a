"""Durations, rates and shares as users write them."""

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkip.model import Rate
from bulkip.policy import Percent
from bulkip.quantities import (
    parse_count,
    parse_duration_s,
    parse_optional_duration_s,
    parse_optional_share,
    parse_percent,
    parse_rate,
    parse_share,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        pytest.param("300ms", 0.3, id="milliseconds"),
        pytest.param("5s", 5, id="seconds"),
        pytest.param("2m", 120, id="minutes"),
        pytest.param("1h", 3600, id="hours"),
        pytest.param("1m30s", 90, id="two-units"),
        pytest.param("1d2h", 93600, id="days"),
        pytest.param("7", 7, id="bare-number-is-seconds"),
        pytest.param("1.5", 1.5, id="decimal"),
        pytest.param("0s", 0, id="zero"),
    ],
)
def test_duration_is_read_in_seconds(text: str, seconds: float) -> None:
    """A duration is the sum of its parts, and a bare number is seconds."""
    assert parse_duration_s(text) == seconds


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        pytest.param("5/s", Rate(5, 1), id="per-second"),
        pytest.param("5", Rate(5, 1), id="bare-number-is-per-second"),
        pytest.param("60/m", Rate(60, 60), id="per-minute"),
        pytest.param("200/min", Rate(200, 60), id="per-min"),
        pytest.param("5000/h", Rate(5000, 3600), id="per-hour"),
        pytest.param("5/15s", Rate(5, 15), id="per-15-seconds"),
        pytest.param("1/500ms", Rate(1, 0.5), id="per-half-second"),
    ],
)
def test_rate_is_calls_per_window(text: str, rate: Rate) -> None:
    """A rate is a whole number of calls in a window."""
    assert parse_rate(text) == rate


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        *[
            pytest.param(parse_duration_s, text, id=f"duration {text!r}")
            for text in (
                "",
                "x",
                "5x",
                "-1s",
                "1s1m",
                "5 s",
                "none",
                "1e9",
                "inf",
                "9999999999",
                "400d",
                "05s",
                "٣s",
            )
        ],
        *[
            pytest.param(parse_rate, text, id=f"rate {text!r}")
            for text in (
                "",
                "0",
                "0/s",
                "-1/s",
                "0.5/s",
                "5/0s",
                "5/",
                "/s",
                "5/y",
                "1000001/s",
                "5/s/s",
                "05/s",
            )
        ],
        *[
            pytest.param(parse_share, text, id=f"share {text!r}")
            for text in ("", "%", "101%", "-1", "1.5", "x", "5 %")
        ],
        *[
            pytest.param(parse_count, text, id=f"count {text!r}")
            for text in ("", "-1", "1.0", "1_000", "01", "0x1")
        ],
        pytest.param(parse_percent, "3", id="percent without sign"),
    ],
)
def test_unclear_quantity_is_refused_with_its_value(parse: Callable[[str], object], text: str) -> None:
    """A quantity that is not clear is refused, and the refusal shows the value."""
    with pytest.raises(ValueError, match=r".") as caught:
        parse(text)

    assert f"`{text}`" in str(caught.value)


def test_share_is_a_percentage_or_a_count() -> None:
    """A share with a sign is a percentage, without one a count."""
    assert (parse_share("30%"), parse_share("30")) == (Percent(30), 30)


def test_none_sets_no_limit() -> None:
    """The word none stands for no limit where that is allowed."""
    assert (parse_optional_duration_s("none"), parse_optional_share("none")) == (None, None)


@given(st.text(max_size=20))
def test_any_text_is_read_or_refused_by_value_error(text: str) -> None:
    """No text makes a parser fail in another way than by refusing it."""
    for parse in (parse_duration_s, parse_rate, parse_share, parse_count, parse_percent):
        with suppress(ValueError):
            assert parse(text) is not None

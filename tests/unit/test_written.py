"""What is written as a user would write it is read as the same again."""

from hypothesis import given
from hypothesis import strategies as st

from bulkip.model import Rate
from bulkip.quantities import parse_duration_s, parse_rate
from bulkip.settings.written import duration_text, rate_text


@given(st.integers(0, 366 * 86400 * 10**6))
def test_durations_come_back_as_written(microseconds: int) -> None:
    """A duration is read as the duration that was written, to the microsecond."""
    seconds = microseconds / 10**6

    assert parse_duration_s(duration_text(seconds)) == round(seconds, 6)


@given(st.integers(1, 10**6), st.sampled_from([1.0, 60.0, 3600.0, 86400.0, 15.0, 0.25, 90.0]))
def test_rates_come_back_as_written(calls: int, period_s: float) -> None:
    """A rate is read as the rate that was written."""
    assert parse_rate(rate_text(Rate(calls, period_s))) == Rate(calls, period_s)

"""From when to when a period is."""

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkip.periods import Period, moment, resolve, told

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
NOW = datetime(2026, 9, 10, 22, 30, tzinfo=UTC)  # already the 11th in Amsterdam
HOUR = 3600


def at(text: str) -> int:
    """Return a wall clock time of Amsterdam in Unix seconds."""
    return int(datetime.fromisoformat(text).replace(tzinfo=AMSTERDAM).timestamp())


@pytest.mark.parametrize(
    ("text", "start", "stop"),
    [
        pytest.param("today", "2026-09-11", "2026-09-12", id="today"),
        pytest.param("yesterday", "2026-09-10", "2026-09-11", id="yesterday"),
        pytest.param("last-7-days", "2026-09-04", "2026-09-11", id="last_7_days"),
        pytest.param("last-month", "2026-08-01", "2026-09-01", id="last_month"),
        pytest.param("month-to-date", "2026-09-01", "2026-09-12", id="month_to_date"),
        pytest.param("2026-09", "2026-09-01", "2026-10-01", id="month"),
        pytest.param("2026-12", "2026-12-01", "2027-01-01", id="december"),
        pytest.param("2026-W37", "2026-09-07", "2026-09-14", id="week"),
        pytest.param("2026-W53", "2026-12-28", "2027-01-04", id="week_53"),
        pytest.param("2026-09-01", "2026-09-01", "2026-09-02", id="day"),
        pytest.param("2026-09-01..2026-09-30", "2026-09-01", "2026-10-01", id="dates_inclusive"),
        pytest.param("2026-08..2026-09", "2026-08-01", "2026-10-01", id="months_inclusive"),
        pytest.param("2026-W01..2026-W02", "2025-12-29", "2026-01-12", id="weeks_inclusive"),
        pytest.param(
            "2026-09-01T10:00..2026-09-01T12:00", "2026-09-01T10:00", "2026-09-01T12:00", id="instants"
        ),
        pytest.param(
            "1788220800..2026-09-01T02:00:01Z", "2026-09-01T02:00", "2026-09-01T04:00:01", id="seconds"
        ),
    ],
)
def test_period_is_resolved_in_the_zone(text: str, start: str, stop: str) -> None:
    """Days begin at the zone's midnight; dates are inclusive, instants half-open."""
    period = resolve(text, now=NOW, zone=AMSTERDAM)

    assert (period.label, period.start, period.stop) == (text, at(start), at(stop))


@pytest.mark.parametrize(
    ("day", "zone", "hours"),
    [
        pytest.param("2026-03-29", "Europe/Amsterdam", 23, id="spring"),
        pytest.param("2026-10-25", "Europe/Amsterdam", 25, id="autumn"),
        pytest.param("2026-03-08", "America/New_York", 23, id="spring_new_york"),
        pytest.param("2026-11-01", "America/New_York", 25, id="autumn_new_york"),
        pytest.param("2018-11-04", "America/Sao_Paulo", 23, id="midnight_is_missing"),
        pytest.param("2026-03-29", "UTC", 24, id="utc"),
    ],
)
def test_day_of_a_clock_change_has_its_real_length(day: str, zone: str, hours: int) -> None:
    """A day has 23 or 25 hours where the clocks change."""
    period = resolve(day, now=NOW, zone=ZoneInfo(zone))

    assert period.stop - period.start == hours * HOUR


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param(
            "1788220800000..1788307200000", "milliseconds (2026-09-01T00:00:00Z)", id="milliseconds"
        ),
        pytest.param("2026-09-30..2026-09-01", "reversed", id="reversed"),
        pytest.param("1788220800..1788220800", "empty", id="empty"),
        pytest.param("01/02/2026", "2026-01-02 or 2026-02-01", id="ambiguous"),
        pytest.param("20260901", "write 2026-09-01", id="compact_date"),
        pytest.param("2026-02-30", "no date", id="no_such_date"),
        pytest.param("2026-13", "no date", id="no_such_month"),
        pytest.param("2025-W53", "no ISO week", id="no_such_week"),
        pytest.param("1788220800", "write START..STOP", id="one_instant"),
        pytest.param("2026-03-29T02:30..2026-03-30", "clock change", id="missing_hour"),
        pytest.param("2026-10-25T02:30..2026-10-26", "clock change", id="hour_that_comes_twice"),
        pytest.param("9999-12", "out of range", id="far_future"),
        pytest.param("2026-09..", "not understood", id="open_end"),
        pytest.param("", "not understood", id="nothing"),
        pytest.param("2026-09\n", "not understood", id="newline"),
    ],
)
def test_bad_period_shows_its_reading(text: str, reason: str) -> None:
    """A period that cannot be meant is refused with how it reads and the way out."""
    with pytest.raises(ValueError, match=re.escape(reason)):
        resolve(text, now=NOW, zone=AMSTERDAM)


@given(st.one_of(st.text(max_size=40), st.from_regex(r"[0-9TWZ:+./-]{1,30}", fullmatch=True)))
def test_any_text_is_a_period_or_a_value_error(text: str) -> None:
    """Nothing but `ValueError` comes out, and a period is never empty."""
    try:
        period = resolve(text, now=NOW, zone=AMSTERDAM)
    except ValueError:
        return

    assert 0 < period.start < period.stop < 10**10


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        pytest.param("2026-09-11", "2026-09-10T22:00", id="day"),
        pytest.param("2026-10-25", "2026-10-24T22:00", id="day_of_a_clock_change"),
        pytest.param("2026-09-11T03:15", "2026-09-11T01:15", id="local"),
        pytest.param("2026-09-11T03:15Z", "2026-09-11T03:15", id="utc"),
        pytest.param("2026-09-11T03:15:30-05:00", "2026-09-11T08:15:30", id="offset"),
        pytest.param("1788220800", "2026-09-01T00:00", id="seconds"),
    ],
)
def test_moment_is_read_in_the_zone(text: str, utc: str) -> None:
    """A date is its first second, an instant without an offset is the zone's time."""
    assert moment(text, AMSTERDAM) == datetime.fromisoformat(utc).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param(
            "1788220800000", "milliseconds (2026-09-01T00:00:00Z); write seconds", id="milliseconds"
        ),
        pytest.param("01/02/2026", "ambiguous; write 2026-01-02 or 2026-02-01", id="ambiguous"),
        pytest.param("2026-10-25T02:30", "falls into a clock change of Europe/Amsterdam", id="twice"),
        pytest.param("20260901", "looks like a date; write 2026-09-01", id="compact"),
        pytest.param("2026-09-02T03:15+24:00", "is not understood; write a day like", id="offset"),
        pytest.param("2026-09", "is not understood; write a day like", id="month"),
        pytest.param("yesterday", "is not understood; write a day like", id="word"),
        pytest.param("2026-02-30", "no date of the calendar", id="no_date"),
    ],
)
def test_bad_moment_shows_its_reading(text: str, reason: str) -> None:
    """What is no moment is told with what it looks like, and what to write."""
    with pytest.raises(ValueError, match=re.escape(reason)):
        moment(text, AMSTERDAM)


@pytest.mark.parametrize(
    ("text", "zone", "shown"),
    [
        pytest.param(
            "2026-03-29", "Europe/Amsterdam", "2026-03-29 00:00 .. 2026-03-30 00:00 Europe/Amsterdam (23 h)"
        ),
        pytest.param(
            "2026-11-01", "America/New_York", "2026-11-01 00:00 .. 2026-11-02 00:00 America/New_York (25 h)"
        ),
        pytest.param(
            "1792888200..1792891800",
            "Europe/Amsterdam",
            "2026-10-25 02:30+0200 .. 2026-10-25 02:30+0100 Europe/Amsterdam (1 h)",
        ),
        pytest.param("1788220800..1788220801", "UTC", "2026-09-01 00:00 .. 2026-09-01 00:00:01 UTC (1 s)"),
    ],
)
def test_period_is_told_with_its_true_length(text: str, zone: str, shown: str) -> None:
    """Both ends are told by the zone's clocks, with an offset where these are ambiguous."""
    period = resolve(text, now=NOW, zone=ZoneInfo(zone))

    assert told(Period("", period.start, period.stop), ZoneInfo(zone)) == shown

"""Which periods a backfill consists of."""

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from bulkip.nights import By, nights
from bulkip.periods import Period, resolve

ZONE = ZoneInfo("Europe/Amsterdam")
NOW = datetime(2026, 11, 10, 2, 15, tzinfo=UTC)


def period(text: str) -> Period:
    """Return a period as it is meant on the tenth of November."""
    return resolve(text, now=NOW, zone=ZONE)


@pytest.mark.parametrize(
    ("text", "by", "found"),
    [
        pytest.param("2026-09-01..2026-09-03", By.DAY, ["2026-09-01", "2026-09-02", "2026-09-03"], id="days"),
        pytest.param(
            "2026-10-24..2026-10-26", By.DAY, ["2026-10-24", "2026-10-25", "2026-10-26"], id="clock"
        ),
        pytest.param("2026-W37..2026-W38", By.WEEK, ["2026-W37", "2026-W38"], id="weeks"),
        pytest.param(
            "2026-09-05..2026-09-16",
            By.WEEK,
            ["2026-09-05..2026-09-06", "2026-W37", "2026-09-14..2026-09-16"],
            id="cut_weeks",
        ),
        pytest.param("2026-12-28..2027-01-03", By.WEEK, ["2026-W53"], id="week_over_a_year"),
        pytest.param(
            "2026-01-31..2026-03-01", By.MONTH, ["2026-01-31", "2026-02", "2026-03-01"], id="cut_months"
        ),
        pytest.param("2026-09", By.MONTH, ["2026-09"], id="month"),
    ],
)
def test_range_is_cut_into_its_periods(text: str, by: By, found: list[str]) -> None:
    """A range gives one period per day, week or month, those at its ends cut."""
    assert list(nights(period(text), by, ZONE)) == found


def test_last_seven_days_are_over() -> None:
    """`last-7-days` ends with yesterday, so a catch-up never pulls the day that goes on."""
    found = nights(period("last-7-days"), By.DAY, ZONE)

    assert (len(found), found[-1]) == (7, "2026-11-09")


@pytest.mark.parametrize("by", By)
@pytest.mark.parametrize(
    "text", ["2026-03-01..2026-04-05", "2026-10-14..2026-11-02", "2025-12-20..2026-01-10"]
)
def test_periods_join_without_gap_or_overlap(text: str, by: By) -> None:
    """Together the periods are the range, to the second, over clock changes and new years."""
    whole = period(text)

    parts = [period(one) for one in nights(whole, by, ZONE)]

    assert [part.start for part in parts] == [whole.start, *(part.stop for part in parts[:-1])]
    assert parts[-1].stop == whole.stop


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("2026-09-01T06:00..2026-09-03", "are no whole days; write dates", id="instant"),
        pytest.param("1788220800..1788307200", "are no whole days", id="day_of_another_zone"),
        pytest.param("2001-01-01..2026-01-01", "more than 1,000 runs", id="too_many"),
    ],
)
def test_range_that_is_no_days_is_refused(text: str, reason: str) -> None:
    """A range that begins within a day, or would never end, is refused."""
    with pytest.raises(ValueError, match=re.escape(reason)):
        nights(period(text), By.DAY, ZONE)

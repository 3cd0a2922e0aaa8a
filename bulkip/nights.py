"""Which periods does a backfill pull, one run after the other? Days, weeks or months of a range of days."""

from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from zoneinfo import ZoneInfo

from bulkip.periodlabels import days_label, month_after
from bulkip.periods import Period, midnight, told

MOST = 1_000
"""More runs than anybody means to start at once."""
_DAY, _WEEK = timedelta(days=1), timedelta(days=7)


class By(StrEnum):
    """How long each period of a backfill is."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


def nights(period: Period, by: By, zone: ZoneInfo) -> tuple[str, ...]:
    """Return the periods that a range consists of, as texts: `2026-09-01`, `2026-W36`, `2026-09`.

    A week begins on Monday. Where the range begins or ends within a week or a
    month, that one is cut and written as `A..B`. Raises `ValueError` when the
    range does not consist of whole days, or of too many.
    """
    first, after = (datetime.fromtimestamp(at, zone).date() for at in (period.start, period.stop))
    if (midnight(first, zone), midnight(after, zone)) != (period.start, period.stop):
        raise ValueError(
            f"{told(period, zone)} are no whole days; write dates, such as 2026-09-01..2026-09-30"
        )
    found: list[str] = []
    for start, end in _pieces(first, after, _ENDS[by]):
        found.append(days_label(start, end))
        if len(found) > MOST:
            raise ValueError(f"that is more than {MOST:,} runs; take a shorter range, or a longer --by")
    return tuple(found)


def _pieces(first: date, after: date, end_of: Callable[[date], date]) -> Iterator[tuple[date, date]]:
    while first < after:
        end = min(end_of(first), after)
        yield first, end
        first = end


def _monday_after(day: date) -> date:
    return day - timedelta(days=day.weekday()) + _WEEK


_ENDS: Mapping[By, Callable[[date], date]] = MappingProxyType(
    {By.DAY: lambda day: day + _DAY, By.WEEK: _monday_after, By.MONTH: month_after}
)

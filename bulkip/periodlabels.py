"""What is a period called when only its ends are known? By its dates: `2026-09-01`, `2026-09`, `2026-W37`."""

from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

_WEEK, _MORE_THAN_A_MONTH = timedelta(days=7), timedelta(days=31)


def period_label(start: int, stop: int, zone: ZoneInfo) -> str:
    """Return a period between two Unix seconds as people write it in a zone; nothing that a path cannot hold.

    Whole days, weeks and months go by their ISO 8601 names, anything else by
    both of its moments.
    """
    first, last = datetime.fromtimestamp(start, zone), datetime.fromtimestamp(stop, zone)
    if not (_is_midnight(first) and _is_midnight(last)):
        return f"{first:%Y-%m-%dT%H%M%S%z}..{last:%Y-%m-%dT%H%M%S%z}"
    return days_label(first.date(), last.date())


def days_label(first: date, after: date) -> str:
    """Return days as a period is written; `after` is the day behind the last one."""
    last = after - timedelta(days=1)
    if first == last:
        return first.isoformat()
    if first.day == 1 and after == month_after(first):
        return f"{first:%Y-%m}"
    if first.isoweekday() == 1 and after - first == _WEEK:
        year, week, _ = first.isocalendar()
        return f"{year:04}-W{week:02}"
    return f"{first.isoformat()}..{last.isoformat()}"


def month_after(day: date) -> date:
    """Return the first day of the month after that of a day."""
    return (day.replace(day=1) + _MORE_THAN_A_MONTH).replace(day=1)


def _is_midnight(moment: datetime) -> bool:
    """Say whether a day begins here, also where midnight is missing and a day begins at one o'clock."""
    begin = datetime.combine(moment.date(), time(), moment.tzinfo)
    return int(begin.timestamp()) == int(moment.timestamp())

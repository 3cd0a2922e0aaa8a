"""From when to when is a period? Words, days, months and weeks become Unix seconds in the job's zone."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import TypeAlias
from zoneinfo import ZoneInfo

_SHOWN = 60
_FORMS = (
    "yesterday, today, last-7-days, last-month, month-to-date, 2026-09, 2026-W37, 2026-09-01, "
    "or A..B of dates, months, weeks, instants or Unix seconds"
)
_MOMENTS = "a day like 2026-09-01, an instant like 2026-09-01T03:15+02:00, or Unix seconds"
_HOUR_S, _QUARTER_S = 3600, 900
_DECEMBER = 12
_YEARS = range(1971, 2286)  # whose Unix seconds are positive and have at most 10 digits in every zone

_DAY = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_MONTH = re.compile(r"([0-9]{4})-([0-9]{2})")
_WEEK = re.compile(r"([0-9]{4})-W([0-9]{2})")
_SECONDS = re.compile(r"[1-9][0-9]{9}")
_MILLISECONDS = re.compile(r"[1-9][0-9]{12}")
_COMPACT_DAY = re.compile(r"((?:19|20)[0-9]{2})([0-9]{2})([0-9]{2})")
_AMBIGUOUS = re.compile(r"([0-9]{1,2})[/.-]([0-9]{1,2})[/.-]([0-9]{4})")
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2})?(Z|[+-](?:[01][0-9]|2[0-3]):?[0-5][0-9])?"
)


@dataclass(frozen=True, slots=True)
class Period:
    """A half-open stretch of time in Unix seconds: `start` belongs to it, `stop` does not."""

    label: str
    start: int
    stop: int


@dataclass(frozen=True, slots=True)
class _Days:
    """Whole days of a zone, from `first` up to but not including `after`."""

    first: date
    after: date


_End: TypeAlias = "_Days | int"
"""One side of A..B: days (inclusive as a whole) or an instant in Unix seconds."""


def resolve(text: str, *, now: datetime, zone: ZoneInfo) -> Period:
    """Return the period that a text means at a moment, in a zone.

    Days begin at the zone's midnight, so a day of a clock change has 23 or 25
    hours. `today` and `month-to-date` end with today, so that a period means
    the same all day; `last-7-days` ends with yesterday. A week is an ISO 8601
    week. Dates, months and weeks of `A..B` are inclusive at both ends, instants
    half-open. Raises `ValueError` with the reading and the way out.
    """
    if now.tzinfo is None:
        raise ValueError(f"the moment {now.isoformat()} has no zone; pass an aware datetime")
    left, dots, right = text.partition("..")
    start, stop = _between(text, left, right, zone) if dots else _alone(text, now, zone)
    if start >= stop:
        raise ValueError(
            f"period {_shown(text)} is {_reading(start, stop, zone)}, which is empty or reversed"
        )
    return Period(text, start, stop)


def moment(text: str, zone: ZoneInfo) -> datetime:
    """Return the moment that a text means: an instant, Unix seconds, or the first second of a day.

    Without an offset it is the time of the zone. Raises `ValueError` with the
    reading and the way out.
    """
    try:
        found = _DAY.fullmatch(text)
        seconds = midnight(_day(*found.groups()), zone) if found else _instant(text, zone, _MOMENTS)
    except ValueError as wrong:
        raise ValueError(f"{_shown(text)} {wrong}") from None
    return datetime.fromtimestamp(seconds, zone)


def told(period: Period, zone: ZoneInfo) -> str:
    """Return from when to when a period is, in a zone, and how long that is in true hours."""
    ends = " .. ".join(told_moment(at, zone) for at in (period.start, period.stop))
    seconds = period.stop - period.start
    length = f"{seconds} s" if seconds % _QUARTER_S else f"{seconds / _HOUR_S:,g} h"
    return f"{ends} {zone.key} ({length})"


def told_moment(seconds: int, zone: ZoneInfo) -> str:
    """Return a moment as the clocks of a zone show it, with the offset where they show it twice."""
    at = datetime.fromtimestamp(seconds, zone)
    twice = at.utcoffset() != at.replace(fold=1 - at.fold).utcoffset()
    text = at.replace(tzinfo=None).isoformat(" ", "seconds" if at.second else "minutes")
    return f"{text}{at:%z}" if twice else text


def _alone(text: str, now: datetime, zone: ZoneInfo) -> tuple[int, int]:
    today = now.astimezone(zone).date()
    if text in _WORDS:
        return _seconds_of(_WORDS[text](today), zone)
    end = _end(text, text, zone)
    if isinstance(end, _Days):
        return _seconds_of(end, zone)
    raise ValueError(f"period {_shown(text)} is one instant; write START..STOP")


def _between(text: str, left: str, right: str, zone: ZoneInfo) -> tuple[int, int]:
    first, last = _end(text, left, zone), _end(text, right, zone)
    start = first if isinstance(first, int) else midnight(first.first, zone)
    stop = last if isinstance(last, int) else midnight(last.after, zone)
    return start, stop


def _end(text: str, part: str, zone: ZoneInfo) -> _End:
    """Return what one side of a period means; a single day, month, week or instant."""
    try:
        return _days(part) or _instant(part, zone)
    except ValueError as wrong:
        whole = "" if part == text else f" in {_shown(text)}"
        raise ValueError(f"period {_shown(part)}{whole} {wrong}") from None


def _days(part: str) -> _Days | None:
    if found := _DAY.fullmatch(part):
        day = _day(found[1], found[2], found[3])
        return _Days(day, day + timedelta(days=1))
    if found := _MONTH.fullmatch(part):
        return _month(_day(found[1], found[2], "01"))
    if found := _WEEK.fullmatch(part):
        return _week(int(found[1]), int(found[2]))
    return None


def _day(year: str, month: str, day: str) -> date:
    try:
        return _in_range(date(int(year), int(month), int(day)))
    except ValueError as wrong:
        raise ValueError(f"is no date of the calendar ({wrong})") from None


def _month(first: date) -> _Days:
    years, month = divmod(first.month, _DECEMBER)
    return _Days(first, date(first.year + years, month + 1, 1))


def _week(year: int, week: int) -> _Days:
    try:
        monday = date.fromisocalendar(year, week, 1)
    except ValueError:
        raise ValueError("is no ISO week; a year has weeks W01 to W52, some W53") from None
    return _Days(_in_range(monday), monday + timedelta(days=7))


def _in_range(day: date) -> date:
    if day.year in _YEARS:
        return day
    raise ValueError(f"year {day.year} is out of range, write {_YEARS[0]} to {_YEARS[-1]}")


def _instant(part: str, zone: ZoneInfo, forms: str = _FORMS) -> int:
    if _SECONDS.fullmatch(part):
        return int(part)
    if found := _INSTANT.fullmatch(part):
        return _moment(part, has_offset=found[1] is not None, zone=zone)
    raise ValueError(_fault(part, forms))


def _moment(part: str, *, has_offset: bool, zone: ZoneInfo) -> int:
    moment = datetime.fromisoformat(part)
    _in_range(moment.date())
    if has_offset:
        return int(moment.timestamp())
    early, late = (moment.replace(tzinfo=zone, fold=fold).timestamp() for fold in (0, 1))
    if early != late:  # a clock change: the hour is missing or comes twice
        readings = " or ".join(_stamp(int(seconds)) for seconds in sorted((early, late)))
        raise ValueError(f"falls into a clock change of {zone.key} ({readings}); write an offset or Z")
    return int(early)


def _fault(part: str, forms: str) -> str:
    if _MILLISECONDS.fullmatch(part):
        seconds = int(part) // 1000
        return f"looks like milliseconds ({_stamp(seconds)}); write seconds: {seconds}"
    if found := _COMPACT_DAY.fullmatch(part):
        return f"looks like a date; write {'-'.join(found.groups())}"
    if found := _AMBIGUOUS.fullmatch(part):
        one, two, year = found.groups()
        readings = f"{year}-{one:0>2}-{two:0>2} or {year}-{two:0>2}-{one:0>2}"
        return f"is ambiguous; write {readings}"
    return f"is not understood; write {forms}"


def _seconds_of(days: _Days, zone: ZoneInfo) -> tuple[int, int]:
    return midnight(days.first, zone), midnight(days.after, zone)


def midnight(day: date, zone: ZoneInfo) -> int:
    """Return a day's first second; where midnight comes twice the first one, where it is missing the next."""
    return int(datetime.combine(day, time(), zone).timestamp())


def _reading(start: int, stop: int, zone: ZoneInfo) -> str:
    return "..".join(datetime.fromtimestamp(at, zone).isoformat() for at in (start, stop))


def _stamp(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _shown(text: str) -> str:
    quoted = repr(text) if text.isprintable() else ascii(text)
    return quoted if len(quoted) <= _SHOWN else f"{quoted[:_SHOWN]}…"


def _yesterday(today: date) -> _Days:
    return _Days(today - timedelta(days=1), today)


def _today(today: date) -> _Days:
    return _Days(today, today + timedelta(days=1))


def _last_7_days(today: date) -> _Days:
    return _Days(today - timedelta(days=7), today)


def _last_month(today: date) -> _Days:
    return _month((today.replace(day=1) - timedelta(days=1)).replace(day=1))


def _month_to_date(today: date) -> _Days:
    return _Days(today.replace(day=1), today + timedelta(days=1))


_WORDS: dict[str, Callable[[date], _Days]] = {
    "yesterday": _yesterday,
    "today": _today,
    "last-7-days": _last_7_days,
    "last-month": _last_month,
    "month-to-date": _month_to_date,
}

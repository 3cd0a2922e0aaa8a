"""How counts, rates and times are written for somebody who reads along."""

from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from math import ceil

from bulkip.model import Rate

MINUTE_S, HOUR_S, DAY_S = 60, 3600, 86400
UNITS = ((DAY_S, "d"), (HOUR_S, "h"), (MINUTE_S, "m"), (1, "s"))
LONGEST_COUNT = 1_000_000
COARSE_S = 10
THREE_DIGITS = 100


def short(count: int) -> str:
    """Return a count in at most seven characters; millions are cut off, never rounded up."""
    if count < LONGEST_COUNT:
        return f"{count:,}"
    size, letter = (10**9, "G") if count >= 10**9 else (10**6, "M")
    return f"{count * 100 // size / 100:.2f}{letter}"


def percent(done: int, total: int) -> str:
    """Return how much is done; 100 % is said only when it is true."""
    return f"{done * 100 // total}%" if total else "100%"


def span(seconds: float) -> str:
    """Return a time that passes, in its two largest units: `42 s`, `3 min 20 s`, `2 h 5 min`."""
    whole = ceil(seconds)
    if whole < MINUTE_S:
        return f"{whole} s"
    if whole < HOUR_S:
        return _two(whole, (MINUTE_S, "min"), (1, "s"))
    if whole < DAY_S:
        return _two(whole, (HOUR_S, "h"), (MINUTE_S, "min"))
    return _two(whole, (DAY_S, "d"), (HOUR_S, "h"))


def _two(whole: int, large: tuple[int, str], small: tuple[int, str]) -> str:
    count, rest = divmod(whole, large[0])
    tail = f" {rest // small[0]} {small[1]}" if rest >= small[0] else ""
    return f"{count} {large[1]}{tail}"


def lasted(seconds: float) -> str:
    """Return how long something took; what is short is given to a tenth of a second."""
    return f"{seconds:.1f} s" if seconds < MINUTE_S else span(round(seconds))


def roughly(seconds: float) -> str:
    """Return an estimated time without digits that only flicker."""
    if seconds < COARSE_S:
        return span(seconds)
    step = MINUTE_S if seconds >= 10 * MINUTE_S else COARSE_S
    return span(ceil(seconds / step) * step)


def rate_text(rate: Rate) -> str:
    """Return a rate as users write it: `5/s`, `200/m`, `5/15s`."""
    if rate.period_s < 1:
        return f"{rate.calls}/{rate.period_s * 1000:g}ms"
    size, letter = next((size, letter) for size, letter in UNITS if rate.period_s % size == 0 or size == 1)
    times = rate.period_s / size
    return f"{rate.calls}/{letter}" if times == 1 else f"{rate.calls}/{times:g}{letter}"


def speed(per_s: float, rates: Sequence[Rate] = ()) -> str:
    """Return a speed, in the unit of the rate with the shortest period: `4.8/s`, `12/m`."""
    period_s = min((rate.period_s for rate in rates), default=1)
    size, letter = next((size, letter) for size, letter in UNITS if period_s >= size or size == 1)
    value = per_s * size
    return f"{value:,.0f}/{letter}" if value >= THREE_DIGITS or value == 0 else f"{value:.1f}/{letter}"


def moment(at: float, now: float, zone: tzinfo | None = None) -> str:
    """Return a time of day, with its date when that is not today's; without a zone in local time."""
    then, today = _local(at, zone), _local(now, zone)
    return f"{then:%H:%M:%S}" if then.date() == today.date() else f"{then:%Y-%m-%d %H:%M:%S}"


def stamp(now: float, zone: tzinfo | None = None) -> str:
    """Return date and time as they stand at the head of a log line."""
    return f"{_local(now, zone):%Y-%m-%d %H:%M:%S}"


def _local(at: float, zone: tzinfo | None) -> datetime:
    return datetime.fromtimestamp(at, tz=UTC).astimezone(zone)

"""How much, how long and how often, as users write it: `1m30s`, `60/m`, `30%`."""

import re
from collections.abc import Mapping

from bulkip.characters import quoted
from bulkip.model import Rate
from bulkip.policy import Percent, Share

MAX_DURATION_S = 366 * 86400.0
MAX_CALLS = 1_000_000

_UNITS_S: Mapping[str, float] = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_RATE_UNITS: Mapping[str, str] = {"sec": "s", "min": "m", "hour": "h", "day": "d"}
_NUMBER = r"(?:0|[1-9][0-9]{0,8})(?:\.[0-9]{1,6})?"
_PART = re.compile(rf"({_NUMBER})(ms|[dhms])")
_DURATION = re.compile("".join(rf"(?:{_NUMBER}{unit})?" for unit in ("d", "h", "m", "s", "ms")))
_RATE = re.compile(r"([1-9][0-9]{0,8})(?:/([1-9][0-9]{0,8})?(ms|sec|min|hour|day|[dhms]))?")
_COUNT = re.compile(r"0|[1-9][0-9]{0,8}")
_WHOLE = 100


def counted(count: int, noun: str) -> str:
    """Return a count with its noun for a sentence: `1 item`, `2,000 items`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def parse_duration_s(text: str) -> float:
    """Return a duration in seconds; a bare number is seconds. Raises ValueError with the way out."""
    if re.fullmatch(_NUMBER, text):
        seconds = float(text)
    elif text and _DURATION.fullmatch(text):
        seconds = sum(float(number) * _UNITS_S[unit] for number, unit in _PART.findall(text))
    else:
        raise ValueError(f"{quoted(text)} is not a duration; write it like 300ms, 5s, 1m30s or 2h")
    if seconds > MAX_DURATION_S:
        raise ValueError(f"{quoted(text)} is too long; a year is the most")
    return round(seconds, 6)


def parse_optional_duration_s(text: str) -> float | None:
    """Return a duration in seconds, or None for the word `none`."""
    return None if text == "none" else parse_duration_s(text)


def parse_rate(text: str) -> Rate:
    """Return a rate such as `5/s`, `60/m` or `5/15s`; a bare number is per second."""
    match = _RATE.fullmatch(text)
    if not match:
        raise ValueError(
            f"{quoted(text)} is not a rate; write whole calls per time, like 5/s, 60/m, 5/15s or 1/2s"
        )
    calls, times, unit = int(match[1]), int(match[2] or 1), match[3] or "s"
    period_s = times * _UNITS_S[_RATE_UNITS.get(unit, unit)]
    if calls > MAX_CALLS or period_s > MAX_DURATION_S:
        raise ValueError(f"{quoted(text)} is out of range; at most {MAX_CALLS} calls, and a year")
    return Rate(calls, period_s)


def parse_count(text: str) -> int:
    """Return a whole number of at least 0; raises ValueError with the way out."""
    if not _COUNT.fullmatch(text):
        raise ValueError(f"{quoted(text)} is not a whole number from 0 to 999999999")
    return int(text)


def parse_percent(text: str) -> Percent:
    """Return a percentage from 0% to 100%; raises ValueError with the way out."""
    number = text.removesuffix("%")
    if number == text or not re.fullmatch(_NUMBER, number) or float(number) > _WHOLE:
        raise ValueError(f"{quoted(text)} is not a percentage from 0% to 100%")
    return Percent(float(number))


def parse_share(text: str) -> Share:
    """Return a percentage or a count, such as `30%` or `200`."""
    if text.endswith("%"):
        return parse_percent(text)
    if not _COUNT.fullmatch(text):
        raise ValueError(f"{quoted(text)} is neither a percentage like 30% nor a whole number")
    return int(text)


def parse_optional_share(text: str) -> Share | None:
    """Return a percentage or a count, or None for the word `none`."""
    return None if text == "none" else parse_share(text)

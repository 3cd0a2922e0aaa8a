"""How a setting stands in a job file: `5/s`, `10m`, `3%`. The way back from what `fields` reads."""

from typing import Final

from bulkip.model import JsonValue, Rate
from bulkip.policy import OnExists, ReportSpec
from bulkip.settings import fields as f

TIMES: Final = frozenset({f.Wait, f.PositiveTime, f.OptionalTime, f.Pause})
ENDLESS: Final = frozenset({f.OptionalTime, f.OptionalShare})
_UNITS_US: Final = (("d", 86_400_000_000), ("h", 3_600_000_000), ("m", 60_000_000))
_SECOND_US = 1_000_000
_RATE_UNITS: Final = {1.0: "s", 60.0: "m", 3600.0: "h", 86400.0: "d"}


def written(value: object, kind: object) -> JsonValue:
    """Return a value as a job file states it; `kind` is its type in `fields`, which says what a number is."""
    match value:
        case None if kind in ENDLESS:
            return "none"
        case float() if kind in TIMES:
            return duration_text(value)
        case float() if kind == f.Headroom:
            return f"{value * 100:g}%"
        case tuple() if not value and kind == f.Resolvers:
            return "authoritative"
        case _:
            return _plain_value(value)


def _plain_value(value: object) -> JsonValue:
    match value:
        case (Rate() as only,):
            return rate_text(only)
        case tuple() | frozenset():
            return [_single(entry) for entry in (value if isinstance(value, tuple) else sorted(value))]
        case _:
            return _single(value)


def _single(value: object) -> JsonValue:
    match value:
        case Rate():
            return rate_text(value)
        case ReportSpec(on_exists=OnExists.REPLACE):
            return value.format if value.path == "-" else f"{value.format}={value.path}"
        case ReportSpec():
            return {"format": value.format, "path": value.path, "on_exists": value.on_exists.value}
        case bool() | int() | float() | None:
            return value
        case _:
            return str(value)


def duration_text(seconds: float) -> str:
    """Return a duration as `1m30s`, exact to the microsecond."""
    left = round(seconds * _SECOND_US)
    if 0 < left < _SECOND_US:
        return f"{_digits(left, 1000)}ms"
    text = ""
    for unit, size in _UNITS_US:
        count, left = divmod(left, size)
        text += f"{count}{unit}" if count else ""
    return text + f"{_digits(left, _SECOND_US)}s" if left or not text else text


def rate_text(rate: Rate) -> str:
    """Return a rate as `5/s`, `200/m` or `5/15s`."""
    if unit := _RATE_UNITS.get(rate.period_s):
        return f"{rate.calls}/{unit}"
    if rate.period_s.is_integer():
        return f"{rate.calls}/{rate.period_s:.0f}s"
    return f"{rate.calls}/{rate.period_s * 1000:.0f}ms"


def _digits(count: int, unit: int) -> str:
    """Return `count / unit` without an exponent and without idle zeros."""
    return f"{count / unit:.6f}".rstrip("0").rstrip(".")

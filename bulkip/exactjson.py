"""How JSON keeps figures to the last digit: a fraction is a decimal, and is written as it was read."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from json.encoder import encode_basestring, encode_basestring_ascii

from bulkip.model import JsonValue

MOST_DIGITS = 300
"""So many digits and signs a number may have that is read; no float holds more."""
_PLAIN = range(-64, 1)


@dataclass(frozen=True, slots=True)
class _Style:
    """What stands between the parts: as `json.dumps` has it by default, closely, or line by line."""

    comma: str
    colon: str
    indent: int | None = None
    ascii_only: bool = False

    def text(self, value: JsonValue) -> str:
        """Return a value without decimals as JSON; raises TypeError when there are some."""
        quoted = encode_basestring_ascii if self.ascii_only else encode_basestring
        if isinstance(value, str):  # a report has a million of them
            return quoted(value)
        if isinstance(value, dict) and len(value) == 1 and self.indent is None:
            ((name, only),) = value.items()
            if isinstance(only, str):  # what get_ptr answers: for that the encoder is slow to begin
                return f"{{{quoted(name)}{self.colon}{quoted(only)}}}"
        return _encoder(self).encode(value)

    def line(self, level: int) -> str:
        """Return the line end before a part at this depth."""
        return "" if self.indent is None else "\n" + " " * (self.indent * level)


@lru_cache(maxsize=16)
def _encoder(style: _Style) -> json.JSONEncoder:
    """Return what writes in a style; `json.dumps` would make one for every value."""
    return json.JSONEncoder(
        ensure_ascii=style.ascii_only,
        separators=(style.comma, style.colon),
        indent=style.indent,
        allow_nan=False,
    )


@lru_cache(maxsize=16)
def _style(*, close: bool, indent: int | None, ascii_only: bool) -> _Style:
    comma = ", " if indent is None and not close else ","
    return _Style(comma, ":" if close else ": ", indent, ascii_only)


def exact_text(
    value: JsonValue, *, close: bool = False, indent: int | None = None, ascii_only: bool = False
) -> str:
    """Return a value as JSON whose decimals are bare numbers; `close` leaves out the spaces."""
    style = _style(close=close, indent=indent, ascii_only=ascii_only)
    try:
        return style.text(value)
    except TypeError:  # there is a decimal in it, which the faster writer does not know
        return "".join(_parts(value, style, 0))


def exact_value(text: str) -> JsonValue:
    """Return the value of a JSON text, numbers with a fraction as decimals; raises ValueError."""
    value: JsonValue = _EXACT.decode(text)
    return value


def exact_number(digits: str) -> Decimal:
    """Return the number that JSON writes so, with all its digits; raises ValueError when it is endless."""
    if len(digits) > MOST_DIGITS:
        raise ValueError("a number is endless")
    try:
        return Decimal(digits)
    except InvalidOperation as error:  # an exponent beyond what even decimals hold
        raise ValueError("a number is endless") from error


def _refused(name: str) -> JsonValue:
    raise ValueError(f"{name} is no JSON")


_EXACT = json.JSONDecoder(parse_float=exact_number, parse_constant=_refused)


def digits_of(number: Decimal | float) -> str:
    """Return a number in plain digits; one that would take too many keeps its exponent."""
    if not isinstance(number, Decimal):
        return json.dumps(number, allow_nan=False)
    if not number.is_finite():
        raise ValueError(f"{number} is no number for JSON")
    exponent = number.as_tuple().exponent
    return f"{number:f}" if exponent in _PLAIN else str(number)


def _parts(value: JsonValue, style: _Style, level: int) -> Iterator[str]:
    match value:
        case Decimal():
            yield digits_of(value)
        case dict() if value:
            yield "{"
            for place, (name, one) in enumerate(value.items()):
                head = style.text(name)
                yield f"{style.comma if place else ''}{style.line(level + 1)}{head}{style.colon}"
                yield from _parts(one, style, level + 1)
            yield style.line(level) + "}"
        case list() if value:
            yield "["
            for place, one in enumerate(value):
                yield f"{style.comma if place else ''}{style.line(level + 1)}"
                yield from _parts(one, style, level + 1)
            yield style.line(level) + "]"
        case int() if not isinstance(value, bool):
            yield str(value)
        case _:
            yield style.text(value)

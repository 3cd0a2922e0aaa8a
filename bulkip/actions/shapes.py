"""What an answer may hold: each reader returns a typed value or raises `AnswerShapeError`.

The messages name fields and types only, never what the server wrote: it may be hostile or secret.
"""

import re
from collections.abc import Mapping
from datetime import MAXYEAR, MINYEAR, UTC, datetime
from decimal import Decimal

from bulkip.actions.action import AnswerShapeError
from bulkip.actions.checks import address
from bulkip.model import JsonValue

WHOLE_DIGITS, FRACTION_DIGITS = 12, 26
"""So many digits an amount has at most; together they are what a decimal column of a file can hold."""
LONGEST_TEXT = 255
_LATEST_SECOND = 10**10
_ENDS = frozenset({MINYEAR, MAXYEAR})

_AMOUNT = re.compile(rf"(?:0|[1-9][0-9]{{0,{WHOLE_DIGITS - 1}}})(?:\.[0-9]{{1,{FRACTION_DIGITS}}})?")
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")


def object_in(value: JsonValue, field: str) -> Mapping[str, JsonValue]:
    """Return a JSON object."""
    if isinstance(value, dict):
        return value
    raise AnswerShapeError(f"`{field}` is {_kind(value)}, expected an object")


def list_in(value: JsonValue, field: str) -> list[JsonValue]:
    """Return a JSON list."""
    if isinstance(value, list):
        return value
    raise AnswerShapeError(f"`{field}` is {_kind(value)}, expected a list")


def text_in(value: JsonValue, field: str) -> str:
    """Return a short printable text."""
    if not isinstance(value, str):
        raise AnswerShapeError(f"`{field}` is {_kind(value)}, expected text")
    if len(value) > LONGEST_TEXT or not value.isprintable():
        raise AnswerShapeError(f"`{field}` is too long or has characters that do not print")
    return value


def address_in(value: JsonValue, field: str) -> str:
    """Return an IPv4 or IPv6 address in canonical form."""
    try:
        return address(text_in(value, field))
    except AnswerShapeError:
        raise
    except ValueError:
        raise AnswerShapeError(f"`{field}` is no address") from None


def code_in(value: JsonValue, field: str) -> str:
    """Return a location code in upper case."""
    text = text_in(value, field)
    if _CODE.fullmatch(text):
        return text.upper()
    raise AnswerShapeError(f"`{field}` is no location code")


def amount_in(value: JsonValue, field: str) -> int | Decimal:
    """Return a number from zero up with all the digits that the server wrote.

    Plain digits in quotes are a number too, because PHP quotes what comes from
    a database; true and false are none.
    """
    if isinstance(value, str) and _AMOUNT.fullmatch(value):
        return Decimal(value)
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise AnswerShapeError(f"`{field}` is {_kind(value)}, expected a number")
    if isinstance(value, Decimal) and _AMOUNT.fullmatch(str(value)):  # as nearly all of them are
        return value
    number = value if isinstance(value, int) else _plain(value)
    if number is None or not 0 <= number < 10**WHOLE_DIGITS:
        raise AnswerShapeError(
            f"`{field}` is negative, not finite, or has more than {WHOLE_DIGITS} digits before the point "
            f"or {FRACTION_DIGITS} behind it"
        )
    return number


def _plain(number: Decimal) -> Decimal | None:
    """Return a decimal without an exponent, or None when that takes more digits than an amount may have."""
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < -FRACTION_DIGITS or number.adjusted() >= WHOLE_DIGITS:
        return None  # a NaN or an infinity has a letter for an exponent
    return Decimal(f"{number:f}").copy_abs() if not number else Decimal(f"{number:f}")


def moment_in(value: JsonValue, field: str) -> str | int:
    """Return a point in time as the server wrote it: ISO 8601 text or Unix seconds."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _LATEST_SECOND:
        return value
    text = text_in(value, field)
    try:
        moment = datetime.fromisoformat(text)
        if moment.year in _ENDS:
            moment.astimezone(UTC)
    except (ValueError, OverflowError):  # in UTC, the first and the last day of the calendar may be beyond it
        raise AnswerShapeError(f"`{field}` is no ISO 8601 time") from None
    return text


def _kind(value: JsonValue) -> str:
    match value:
        case None:
            return "null or missing"
        case bool():
            return "true or false"
        case int() | float() | Decimal():
            return "a number"
        case str():
            return "text"
        case list():
            return "a list"
        case dict():
            return "an object"

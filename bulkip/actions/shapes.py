"""What an answer may hold: each reader returns a typed value or raises `AnswerShapeError`.

The messages name fields and types only, never what the server wrote: it may be hostile or secret.
"""

import re
from collections.abc import Mapping
from datetime import datetime

from bulkip.actions.action import AnswerShapeError
from bulkip.actions.checks import address
from bulkip.model import JsonValue

LARGEST_AMOUNT = 1e12
LONGEST_TEXT = 255
_LATEST_SECOND = 10**10

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


def amount_in(value: JsonValue, field: str) -> int | float:
    """Return a finite number from zero up; true and false are no numbers."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise AnswerShapeError(f"`{field}` is {_kind(value)}, expected a number")
    if not 0 <= value <= LARGEST_AMOUNT:  # refuses NaN too: it compares false
        raise AnswerShapeError(f"`{field}` is negative, not finite or beyond {LARGEST_AMOUNT:.0e}")
    return value


def moment_in(value: JsonValue, field: str) -> str | int:
    """Return a point in time as the server wrote it: ISO 8601 text or Unix seconds."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _LATEST_SECOND:
        return value
    text = text_in(value, field)
    try:
        datetime.fromisoformat(text)
    except ValueError:
        raise AnswerShapeError(f"`{field}` is no ISO 8601 time") from None
    return text


def _kind(value: JsonValue) -> str:
    match value:
        case None:
            return "null or missing"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case list():
            return "a list"
        case dict():
            return "an object"

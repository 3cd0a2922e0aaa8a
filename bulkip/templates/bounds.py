"""How much an expression of a template may make: every text, list and number is bounded."""

import re
from collections.abc import Callable, Iterable
from datetime import date, datetime
from functools import wraps
from itertools import islice
from typing import Any, ParamSpec, TypeVar

from jinja2 import Undefined
from jinja2.exceptions import SecurityError

LONGEST = 4096  # characters
MOST_ELEMENTS = 256  # of a list, and rounds of a loop
MOST_BITS = 4096  # of a number

P = ParamSpec("P")
T = TypeVar("T")

_CONTAINERS = (list, tuple, dict, set, frozenset)
_TOO_WIDE = re.compile(r"[0-9]{4,}|\*|\{[^{}]*\{")  # a width of 1000 and more, or one given by a value


class TooMuchError(SecurityError):
    """Raised when a value grows beyond its bound; with another row it may not."""


def bounded(value: T) -> T:
    """Return a value that is small enough, else raise `TooMuchError`."""
    if isinstance(value, str) and len(value) > LONGEST:
        raise TooMuchError(f"makes a text of {len(value)} characters; at most {LONGEST} are allowed")
    if isinstance(value, _CONTAINERS) and len(value) > MOST_ELEMENTS:
        raise TooMuchError(f"makes a list of {len(value)} elements; at most {MOST_ELEMENTS} are allowed")
    if isinstance(value, int) and value.bit_length() > MOST_BITS:
        raise TooMuchError(f"makes a number of more than {MOST_BITS} bits")
    return value


def flat(value: T) -> T:
    """Return a list without lists in it: nested ones grow exponentially in a few lines."""
    inside = [*value, *value.values()] if isinstance(value, dict) else value
    if isinstance(inside, Iterable) and any(isinstance(one, _CONTAINERS) for one in inside):
        raise SecurityError("a list within a list is not available in a template")
    return bounded(value)


def elements(value: Iterable[T]) -> list[T]:
    """Return what a loop runs over, when that is little enough."""
    found = list(islice(value, MOST_ELEMENTS + 1))
    if len(found) > MOST_ELEMENTS:
        raise TooMuchError(f"loops more than {MOST_ELEMENTS} times")
    return found


def printable(value: object) -> object:
    """Return what may stand in `{{ }}`: text, a number or a date; nothing else is part of a name."""
    if isinstance(value, str | int | float | date | Undefined):
        return bounded(value)
    raise SecurityError(f"{'none' if value is None else 'this value'} is no text; print one of its fields")


def guarded(function: Callable[P, T]) -> Callable[P, T]:
    """Return a function that refuses arguments and results which are not small."""

    @wraps(function)
    def within_bounds(*args: P.args, **kwargs: P.kwargs) -> T:
        for value in (*args, *kwargs.values()):
            bounded(value)
        return bounded(function(*args, **kwargs))

    return within_bounds


def small_range(*bounds: int) -> range:
    """Return a range of few numbers, however far apart its ends are."""
    found = range(*bounds)
    if found[MOST_ELEMENTS:]:
        raise TooMuchError(f"loops more than {MOST_ELEMENTS} times")
    return found


def refuse_wide(pattern: object) -> None:
    """Raise for a pattern that pads to 1000 characters or more, or to as many as a value says."""
    if _TOO_WIDE.search(bounded(str(pattern))):
        raise SecurityError("a width must be a plain number below 1000")


def add(left: Any, right: Any) -> Any:
    """Return the sum of two small values."""
    return bounded(bounded(left) + bounded(right))


def multiply(left: Any, right: Any) -> Any:
    """Return the product of two numbers, or a short text repeated; lists do not multiply."""
    texts = [one for one in (left, right) if isinstance(one, str)]
    counts = [one for one in (left, right) if isinstance(one, int)]
    if any(isinstance(one, _CONTAINERS) for one in (left, right)):
        raise SecurityError("multiplying a list is not available in a template")
    if texts and counts and len(texts[0]) * counts[0] > LONGEST:
        raise TooMuchError(f"makes a text of more than {LONGEST} characters")
    return bounded(bounded(left) * bounded(right))


def power(left: Any, right: Any) -> Any:
    """Return a power that has few digits."""
    if isinstance(left, int) and isinstance(right, int) and left.bit_length() * abs(right) > MOST_BITS:
        raise TooMuchError(f"makes a number of more than {MOST_BITS} bits")
    return left**right


def remainder(left: Any, right: Any) -> Any:
    """Return a remainder, or a text formatted with `%`."""
    if not isinstance(left, str):
        return left % right
    return formatted(left, *right) if isinstance(right, tuple) else formatted(left, right)


def dated(value: object, pattern: str) -> str:
    """Return a moment as a pattern of `strftime` has it: `period.start | date('%Y/%m/%d')`."""
    if not isinstance(value, datetime):
        raise SecurityError("date() takes a moment, such as period.start")
    refuse_wide(pattern)
    return bounded(value.strftime(pattern))


def formatted(pattern: str, *args: Any, **kwargs: Any) -> str:
    """Return a text formatted with `%`, when pattern and values are small."""
    refuse_wide(pattern)
    values = (*args, *kwargs.values())
    for value in values:
        printable(value)
    return bounded(pattern % (kwargs or args))

"""How one value of a job file is checked: YAML in, typed value out, refusals in plain words.

Every function here takes a node of the tree and raises ValueError with a text
that shows the value and the way out; secrets are never shown.
"""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from difflib import get_close_matches
from enum import StrEnum
from typing import Annotated, Any, Literal, TypeVar
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BeforeValidator

from bulkip.characters import quoted
from bulkip.model import Rate, Status
from bulkip.policy import Forward, SecretRef, Share, VerifyMode
from bulkip.quantities import (
    parse_count,
    parse_duration_s,
    parse_optional_duration_s,
    parse_optional_share,
    parse_percent,
    parse_rate,
    parse_share,
)
from bulkip.settings.origins import parse_endpoint, parse_secret, parse_url
from bulkip.sources import Format

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_RUN = re.compile(r"last(?:~[0-9]{1,6})?|[0-9][0-9A-Za-z-]{0,63}")
_MAX_TEXT = 4096
_MAX_HEADROOM = 50
_TOP = 999_999_999

_Choice = TypeVar("_Choice", bound=StrEnum)


def did_you_mean(word: str, known: list[str]) -> str:
    """Return the way out of an unknown word: the nearest known one, or all of them."""
    near = get_close_matches(word.lower(), known, n=1, cutoff=0.6)
    return f"did you mean `{near[0]}`?" if near else f"known: {', '.join(known)}"


def text(node: Any) -> str:
    """Return a single value as the author wrote it."""
    match node:
        case bool():
            return "true" if node else "false"
        case int() | Decimal():
            return str(node)
        case str() if len(node) <= _MAX_TEXT:
            return node
        case str():
            raise ValueError(f"is longer than {_MAX_TEXT} characters")
        case None:
            raise ValueError("is empty")
        case _:
            raise ValueError(
                f"must be a single value, not a {'list' if isinstance(node, list) else 'mapping'}"
            )


def mapping(node: Any, content: str) -> dict[str, Any]:
    """Return a mapping as it is; anything else is refused."""
    match node:
        case dict():
            return node
        case _:
            raise ValueError(f"must be a mapping of {content}")


def _filled(node: Any) -> str:
    value = text(node)
    if not value.strip():
        raise ValueError("must not be empty")
    return value


def line(node: Any) -> str:
    """Return a text of one line that is not blank."""
    value = _filled(node)
    if not value.isprintable():
        raise ValueError("must be one line of visible text")
    return value


def _flag(node: Any) -> bool:
    if node is not True and node is not False:
        raise ValueError(f"{quoted(text(node))} is neither `true` nor `false`")
    return node is True


def _count(lowest: int, highest: int) -> Callable[[Any], int]:
    def check(node: Any) -> int:
        number = parse_count(text(node))
        if not lowest <= number <= highest:
            raise ValueError(f"`{number}` is out of range; it must be from {lowest} to {highest}")
        return number

    return check


def _positive_s(node: Any) -> float:
    seconds = parse_duration_s(text(node))
    if seconds <= 0:
        raise ValueError("must be longer than 0")
    return seconds


def _optional_s(node: Any) -> float | None:
    seconds = parse_optional_duration_s(text(node))
    if seconds is not None and seconds <= 0:
        raise ValueError("must be longer than 0; `none` sets no end")
    return seconds


def _pause(node: Any) -> float | str:
    return "prompt" if node == "prompt" else parse_duration_s(text(node))


def _rates(node: Any) -> tuple[Rate, ...]:
    entries = node if isinstance(node, list) else [node]
    if not entries:
        raise ValueError("needs at least one rate, like 5/s")
    return tuple(parse_rate(text(entry)) for entry in entries)


def _headroom(node: Any) -> float:
    percent = parse_percent(text(node))
    if percent.value > _MAX_HEADROOM:
        raise ValueError(f"`{percent}` is out of range; at most {_MAX_HEADROOM}%")
    return percent.value / 100


def _steps(node: Any) -> tuple[Share, ...]:
    if not isinstance(node, list) or not node:
        raise ValueError("must be a list like [5, 10%, 100%]")
    return tuple(parse_share(text(entry)) for entry in node)


def choice_of(choices: type[_Choice]) -> Callable[[Any], _Choice]:
    """Return a check for one word of a closed set."""

    def check(node: Any) -> _Choice:
        word = text(node)
        known = [str(choice) for choice in choices]
        if word not in known:
            raise ValueError(f"{quoted(word)} is not known here; {did_you_mean(word, known)}")
        return choices(word)

    return check


def word_of(*known: str) -> Callable[[Any], str]:
    """Return a check for one of a few words."""

    def check(node: Any) -> str:
        word = text(node)
        if word not in known:
            raise ValueError(f"{quoted(word)} is not known here; {did_you_mean(word, list(known))}")
        return word

    return check


def _timezone(node: Any) -> str:
    name = text(node)
    try:
        return ZoneInfo(name).key
    except (KeyError, ValueError, OSError):
        known = sorted(available_timezones())
        near = get_close_matches(name, known, n=1)
        hint = f"did you mean `{near[0]}`?" if near else "write it like Europe/Amsterdam or UTC"
        raise ValueError(f"{quoted(name)} is not a known time zone; {hint}") from None


def variable_name(name: str) -> str:
    """Return the name of a variable as it is; what templates cannot name is refused."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{quoted(name)} cannot be a variable's name; use letters, digits and `_`")
    return name


def _variables(node: Any) -> Mapping[str, str]:
    entries = mapping(node, "names to values")
    names = [variable_name(name) for name in entries]
    return {name: _named(name, entries[name]) for name in names if entries[name] is not None}


def _resolvers(node: Any) -> tuple[str, ...]:
    if node == "authoritative":
        return ()
    if not isinstance(node, list) or not node:
        raise ValueError("must be `authoritative` or a list like [192.0.2.53:53]")
    return tuple(parse_endpoint(text(entry)) for entry in node)


def _parameters(node: Any) -> Mapping[str, str | tuple[str, ...]]:
    entries = mapping(node, "parameters to values")
    return {name: _parameter(name, value) for name, value in entries.items() if value is not None}


def _parameter(name: str, node: Any) -> str | tuple[str, ...]:
    return tuple(_named(name, entry) for entry in node) if isinstance(node, list) else _named(name, node)


def _named(name: str, node: Any) -> str:
    try:
        return text(node)
    except ValueError as error:
        raise ValueError(f"{quoted(name)} {error}") from None


def _tags(node: Any) -> frozenset[str]:
    entries = node if isinstance(node, list) else [node]
    return frozenset(_tag(entry) for entry in entries)


def _tag(node: Any) -> str:
    tag = line(node).strip()
    if "," in tag:
        raise ValueError(f"{quoted(tag)} has a comma; write several tags as a list: [a, b]")
    return tag


def _statuses(node: Any) -> tuple[Status, ...]:
    entries = node if isinstance(node, list) else [node]
    if not entries:
        raise ValueError("names no status; write it like [failed, unknown]")
    return tuple(dict.fromkeys(choice_of(Status)(entry) for entry in entries))


def _run_name(node: Any) -> str:
    name = text(node)
    if not _RUN.fullmatch(name):
        raise ValueError(f"{quoted(name)} is no run; write `last`, `last~1`, or the beginning of a run's id")
    return name


def _version(node: Any) -> int:
    if text(node) != "1":
        raise ValueError(f"{quoted(text(node))} is not a version that bulkip reads; write `version: 1`")
    return 1


def _delimiter(node: Any) -> str:
    sign = text(node)
    sign = "\t" if sign in ("tab", r"\t") else sign
    if len(sign) != 1 or sign in "\"'\n " or sign.isalnum():
        raise ValueError(f"{quoted(sign)} cannot separate columns; use one sign like `;`, or `tab`")
    return sign


Text = Annotated[str, BeforeValidator(text)]
Filled = Annotated[str, BeforeValidator(_filled)]
Line = Annotated[str, BeforeValidator(line)]
Flag = Annotated[bool, BeforeValidator(_flag)]
Count = Annotated[int, BeforeValidator(_count(0, _TOP))]
Positive = Annotated[int, BeforeValidator(_count(1, _TOP))]
Places = Annotated[int, BeforeValidator(_count(1, 1000))]
Attempts = Annotated[int, BeforeValidator(_count(1, 100))]
Version = Annotated[int, BeforeValidator(_version)]
Statuses = Annotated[tuple[Status, ...], BeforeValidator(_statuses)]
RunName = Annotated[str, BeforeValidator(_run_name)]
Wait = Annotated[float, BeforeValidator(lambda node: parse_duration_s(text(node)))]
PositiveTime = Annotated[float, BeforeValidator(_positive_s)]
OptionalTime = Annotated[float | None, BeforeValidator(_optional_s)]
Pause = Annotated[float | Literal["prompt"], BeforeValidator(_pause)]
Rates = Annotated[tuple[Rate, ...], BeforeValidator(_rates)]
Headroom = Annotated[float, BeforeValidator(_headroom)]
OptionalShare = Annotated[Share | None, BeforeValidator(lambda node: parse_optional_share(text(node)))]
Steps = Annotated[tuple[Share, ...], BeforeValidator(_steps)]
ForwardMode = Annotated[Forward, BeforeValidator(choice_of(Forward))]
Mode = Annotated[VerifyMode, BeforeValidator(choice_of(VerifyMode))]
Resolvers = Annotated[tuple[str, ...], BeforeValidator(_resolvers)]
Url = Annotated[str, BeforeValidator(lambda node: parse_url(text(node)))]
Secret = Annotated[SecretRef, BeforeValidator(lambda node: parse_secret(text(node)))]
Zone = Annotated[str, BeforeValidator(_timezone)]
Variables = Annotated[Mapping[str, str], BeforeValidator(_variables)]
Parameters = Annotated[Mapping[str, str | tuple[str, ...]], BeforeValidator(_parameters)]
Tags = Annotated[frozenset[str], BeforeValidator(_tags)]
Delimiter = Annotated[str, BeforeValidator(_delimiter)]
Hosts = Annotated[str, BeforeValidator(word_of("all", "usable"))]
StdinFormat = Annotated[Format, BeforeValidator(choice_of(Format))]

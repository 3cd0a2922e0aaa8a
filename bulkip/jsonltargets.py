"""Which targets a JSONL file lists: one JSON object a line, `ip` and further keys as fields."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO

from bulkip.characters import forbidden_text, quoted
from bulkip.csvtargets import row_ip
from bulkip.linefile import lines_of
from bulkip.makers import maker_of
from bulkip.model import Place, Problem, Target
from bulkip.owners import FIELD, Owner
from bulkip.plaintext import Broken
from bulkip.tally import Idle

_target = maker_of(Target)
_place = maker_of(Place)

_SPACE = " \t"


@dataclass(frozen=True, slots=True)
class _NotANumber:
    """What stands for NaN and Infinity, which JSON does not have."""

    text: str


_DECODER = json.JSONDecoder(
    object_pairs_hook=tuple, parse_float=str, parse_int=str, parse_constant=_NotANumber
)


class _MemberError(ValueError):
    """Raised inside this module with where in the line a member is wrong."""

    def __init__(self, offset: int, message: str) -> None:
        self.offset = offset
        super().__init__(message)


def jsonl_targets(
    content: BinaryIO, file: str, owner: Owner | None = None, *, allow_ipv6: bool
) -> Iterator[Target | Problem | Idle]:
    """Yield one thing for each line: a target, what is wrong with it, or that it is blank.

    The `owner` tells whose a line is, where there are accounts. Raises `Broken`
    when the file is no text, or one JSON list instead of lines.
    """
    begun = False
    for number, line in lines_of(content, file):
        if isinstance(line, Problem):
            yield line
            continue
        if not line or line.isspace():
            yield Idle.BLANK
            continue
        if not begun and line.lstrip(_SPACE).startswith("["):
            place = Place(file, number, line.index("[") + 1)
            raise Broken(
                place, "a JSON list begins here; write one object a line, without brackets and commas"
            )
        begun = True
        yield _read(line, _place(file, number), owner, allow_ipv6=allow_ipv6)


def _read(line: str, place: Place, owner: Owner | None, *, allow_ipv6: bool) -> Target | Problem:
    try:
        fields = _fields(line)
        ip = _ip(fields.pop("ip", None), fields, line, allow_ipv6=allow_ipv6)
        if owner is None:
            return _target(ip, fields, place)
        return Target(ip, fields, place, account=_account(owner, fields, line))
    except _MemberError as wrong:
        return Problem(Place(place.file, place.line, wrong.offset + 1), str(wrong))


def _account(owner: Owner, fields: dict[str, str], line: str) -> str:
    try:
        return owner(fields)
    except ValueError as wrong:
        at = next((one.value_at for one in _members(line) if one.name == FIELD), 0)
        raise _MemberError(at, str(wrong)) from None


def _ip(text: str | None, others: Mapping[str, str], line: str, *, allow_ipv6: bool) -> str:
    if text is None:
        near = next((name for name in others if name.strip().lower() == "ip"), None)
        hint = f"; did you mean {quoted(near)} to be it?" if near else ""
        raise _MemberError(0, f"the object has no key `ip`{hint}")
    try:
        return row_ip(text.strip(), allow_ipv6=allow_ipv6)
    except ValueError as wrong:
        at = next(one.value_at for one in _members(line) if one.name == "ip")
        raise _MemberError(at, str(wrong)) from None


def _fields(line: str) -> dict[str, str]:
    """Return the members of the line's object as text; null is not set. Raises `_MemberError`."""
    pairs = _pairs(line)
    try:
        fields = {name: text for name, value in pairs if (text := _text(name, value)) is not None}
    except ValueError:
        raise _first_fault(line) from None
    if len(fields) != len(pairs) and len(dict(pairs)) != len(pairs):
        raise _first_fault(line)
    return fields


def _pairs(line: str) -> tuple[tuple[str, object], ...]:
    try:
        value = _DECODER.decode(line)
    except json.JSONDecodeError as error:
        raise _MemberError(error.pos, _syntax(error)) from None
    except RecursionError:
        raise _MemberError(0, "the values are nested; a field is text, a number, true or false") from None
    if not isinstance(value, tuple):
        start = len(line) - len(line.lstrip(_SPACE))
        raise _MemberError(start, f'{quoted(line.strip())} is no object; write {{"ip": "203.0.113.7"}}')
    return value


def _syntax(error: json.JSONDecodeError) -> str:
    if error.msg == "Extra data":
        return "something stands behind the object; write one object a line"
    return f"not valid JSON: {error.msg[:1].lower()}{error.msg[1:]}"


def _text(name: str, value: object) -> str | None:
    """Return a member's value as its author wrote it, None for null; raises ValueError."""
    if not name.strip():
        raise ValueError("a key has no name")
    if wrong := forbidden_text(name):
        raise ValueError(wrong)
    match value:
        case str():
            if wrong := forbidden_text(value):
                raise ValueError(wrong)
            return value
        case bool():
            return "true" if value else "false"
        case None:
            return None
        case _NotANumber():
            raise ValueError(f"`{value.text}` is not valid JSON; write null or text")
        case _:
            kind = "list" if isinstance(value, list) else "object"
            raise ValueError(f"{quoted(name)} must be a single value, not a {kind}")


@dataclass(frozen=True, slots=True)
class _Member:
    """A member of an object, with the offsets of its key and its value."""

    name: str
    name_at: int
    value: object
    value_at: int


def _first_fault(line: str) -> _MemberError:
    """Return the first thing that is wrong with the members of an object."""
    seen: set[str] = set()
    for one in _members(line):
        if one.name in seen:
            return _MemberError(one.name_at, f"key {quoted(one.name)} stands twice; remove one")
        seen.add(one.name)
        try:
            _text(one.name, one.value)
        except ValueError as error:
            return _MemberError(one.value_at, str(error))
    return _MemberError(0, "the object cannot be read")


def _members(line: str) -> Iterator[_Member]:
    """Yield the members of an object that is valid JSON, in order."""
    at = _past_space(line, line.index("{") + 1)
    while line[at] != "}":
        name_at = at
        name, end = _DECODER.raw_decode(line, at)
        value_at = _past_space(line, line.index(":", end) + 1)
        value, end = _DECODER.raw_decode(line, value_at)
        yield _Member(name, name_at, value, value_at)
        at = _past_space(line, end)
        if line[at] == ",":
            at = _past_space(line, at + 1)


def _past_space(line: str, at: int) -> int:
    while line[at] in _SPACE:
        at += 1
    return at

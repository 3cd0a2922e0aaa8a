"""How the simulated provider words its answers: as the vendor's page does, or as seen elsewhere."""

from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from bulkip.model import JsonValue
from bulkip.simulator.pages import Page, json_page

Fields = dict[str, JsonValue]


class Dialect(StrEnum):
    """A way in which answers differ from the vendor's page; several may hold at once."""

    PAGE = "page"  # as the page has it; changes nothing
    MINUS = "minus"  # a refusal is {"result": -1, "error": TEXT}
    FAIL = "fail"  # a refusal is {"result": "Fail", "message": TEXT}
    BARE = "bare"  # a refusal is {"result": "error"}, and says no more
    DESCRIPTION = "description"  # a refusal is {"code": -1, "message": TEXT, "description": TEXT}
    NESTED = "nested"  # get_client_ip answers {"result": "OK", "data": {"ip": IP}}
    FLAT = "flat"  # login answers without the `result` around its fields
    TEXT_IDS = "text-ids"  # whole numbers come as text
    SUCCESS = "success"  # `result` of a success is "success"


class Envelope(StrEnum):
    """Where a success says that it is one."""

    BESIDE = "beside"  # {"result": "OK", ...}
    ALONE = "alone"  # nowhere: {...}
    WITHIN = "within"  # {"result": {...}}
    LOGIN = "login"  # likewise, but some documents show {...}
    PENDING = "pending"  # not a success yet: {"result": "pending", ...}


@dataclass(frozen=True, slots=True)
class Success:
    """What a script answers to a call that it carried out."""

    fields: Mapping[str, JsonValue]
    envelope: Envelope = Envelope.BESIDE


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a script answers to a call that it refuses.

    `twice` says the text in `error` too; `raw` is the body as the vendor's
    page prints it where that is not what its fields would give.
    """

    text: str
    code: int = -1
    twice: bool = False
    raw: bytes | None = None


Answer = Success | Refusal

PLAIN: AbstractSet[Dialect] = frozenset()
_REFUSALS: Mapping[Dialect, Callable[[Refusal], Fields]] = MappingProxyType(
    {
        Dialect.MINUS: lambda refusal: {"result": refusal.code, "error": refusal.text},
        Dialect.FAIL: lambda refusal: {"result": "Fail", "message": refusal.text},
        Dialect.BARE: lambda _refusal: {"result": "error"},
        Dialect.DESCRIPTION: lambda refusal: {
            "code": refusal.code,
            "message": refusal.text,
            "description": refusal.text,
        },
    }
)
_STAYS_A_NUMBER = frozenset({"token_expire"})  # the vendor's own clients read nothing else there


def conflict(dialects: AbstractSet[Dialect]) -> str | None:
    """Say which of the dialects cannot hold at once; None when all can."""
    rivals = [dialect.value for dialect in _REFUSALS if dialect in dialects]
    return f"{' and '.join(rivals)} word refusals differently; keep one" if len(rivals) > 1 else None


def worded(answer: Answer, dialects: AbstractSet[Dialect] = PLAIN) -> Page:
    """Return an answer as a page."""
    dialects = dialects - {Dialect.PAGE}
    if isinstance(answer, Refusal) and answer.raw is not None and not dialects:
        return Page(answer.raw)
    fields = _refused(answer, dialects) if isinstance(answer, Refusal) else _granted(answer, dialects)
    return json_page(_as_text(fields) if Dialect.TEXT_IDS in dialects else fields)


def _refused(refusal: Refusal, dialects: AbstractSet[Dialect]) -> Fields:
    for dialect, fields in _REFUSALS.items():
        if dialect in dialects:
            return fields(refusal)
    said: Fields = {"code": refusal.code, "message": refusal.text}
    return {**said, "error": refusal.text} if refusal.twice else said


def _granted(success: Success, dialects: AbstractSet[Dialect]) -> Fields:
    fields = dict(success.fields)
    word = "success" if Dialect.SUCCESS in dialects else "OK"
    match success.envelope:
        case Envelope.BESIDE:
            return {"result": word, **fields}
        case Envelope.ALONE:
            return {"result": word, "data": fields} if Dialect.NESTED in dialects else fields
        case Envelope.WITHIN:
            return {"result": fields}
        case Envelope.LOGIN:
            return fields if Dialect.FLAT in dialects else {"result": fields}
        case Envelope.PENDING:
            return {"result": "pending", **fields}


def _as_text(value: JsonValue) -> JsonValue:
    """Return a value with its whole numbers as text, as a database driver of PHP gives them."""
    if isinstance(value, dict):
        return {key: each if key in _STAYS_A_NUMBER else _as_text(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_as_text(each) for each in value]
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value

"""What did the server say: is a body an envelope of this API, and does it claim success or failure?"""

import json
import re
from codecs import BOM_UTF8
from collections.abc import Iterator, Mapping
from decimal import Decimal
from math import isfinite
from typing import Any, TypeAlias

from bulkip.actions import ACTIONS
from bulkip.actions.checks import address
from bulkip.exactjson import MOST_DIGITS, exact_number
from bulkip.frozen import Struct
from bulkip.model import JsonValue
from bulkip.wire import ApiRequest

DEEPEST = 64
MOST_BRACKETS = 70_000  # eight months of five-minute rows; reading more would hold up every other call
MOST_COMMAS = 210_000
LONGEST_MENDED = 2**18  # a refusal with bad escapes is a sentence
LONGEST_FOREIGN = 2**21  # bytes beyond ASCII: one emoji makes a text four times as large in memory
_BAD_ESCAPE = re.compile(r'(\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4}))|\\')
_NUMERIC = re.compile(r"[+-]?\d{1,300}(?:\.\d{1,300})?", re.ASCII)
_SUCCESSES = ("OK", "success")
_SIGNS = ("result", "code", "error")
_TEXT_KEYS = ("message", "error", "description")
_MOST_TEXTS = 8
_BRACKETS = re.compile(r"[\[{]")
_Pairs: TypeAlias = list[tuple[str, Any]]


class UnreadableError(ValueError):
    """Raised when a body is not strict JSON; the text says why in our own words."""


class Envelope(Struct, frozen=True):
    """A JSON object from the server.

    `repaired` says that its escapes had to be mended, so that it may be
    believed when it refuses, but not when it claims success.
    """

    fields: Mapping[str, JsonValue]
    repaired: bool = False

    @property
    def is_ours(self) -> bool:
        """Whether it has any of the fields by which this API says how a call went."""
        return not self.fields.keys().isdisjoint(_SIGNS)

    @property
    def claims_success(self) -> bool:
        """Whether `result` is exactly OK or success."""
        return self.fields.get("result") in _SUCCESSES

    @property
    def resembles_success(self) -> bool:
        """Whether `result` says OK in any spelling."""
        return _is_fine_word(self.fields.get("result"))

    @property
    def claims_failure(self) -> bool:
        """Whether `result`, `code` or `error` says that the call failed."""
        result, code = self.fields.get("result"), self.fields.get("code")
        return (
            (result not in _SUCCESSES and _is_failing_result(result))
            or (code is not None and _is_failing_code(code))
            or _is_error(self.fields.get("error"))
        )

    @property
    def error_code(self) -> str | None:
        """The server's own code as it wrote it, if it gave one."""
        if _is_failing_code(self.fields.get("code")):
            return str(self.fields["code"])
        return str(self.fields["result"]) if _is_failing_result(self.fields.get("result")) else None

    @property
    def texts(self) -> tuple[str, ...]:
        """Every text that explains a failure, prose first, then the words among the codes."""
        words = [_word(self.fields.get(name)) for name in ("code", "result")]
        prose = [text for name in _TEXT_KEYS for text in _prose(self.fields.get(name))]
        return tuple(prose[:_MOST_TEXTS] + [word for word in words if word])

    @property
    def callback(self) -> str | None:
        """The key to ask by whether it is finished, of a call that goes on in the background."""
        callback = self.fields.get("callback")
        return callback if isinstance(callback, str) and callback.strip() else None

    def answers_another(self, request: ApiRequest) -> str | None:
        """Return what shows that it answers another call, as on a connection that is out of step."""
        action, ip, nested = self.fields.get("action"), request.form.get("ip"), self.fields.get("data")
        if isinstance(action, str) and action != request.action and action in ACTIONS:
            return f"the answer is one to {action}"
        inner = nested.get("ip") if isinstance(nested, dict) else None
        if ip is not None and (_is_other_address(self.fields.get("ip"), ip) or _is_other_address(inner, ip)):
            return "the answer is about another address"
        return None


def read_envelope(body: bytes) -> Envelope | None:
    """Return the JSON object of a body; None when it is JSON, but no object.

    Raises `UnreadableError` for whatever strict readers would not agree on:
    bytes that are not UTF-8, keys that come twice, NaN, infinities, endless
    numbers, depth beyond reason.
    """
    _refuse_crowd(body)
    text = _decoded(body)
    try:
        found, repaired = _read(text), False
    except json.JSONDecodeError as error:
        # the vendor's own page shows a message with `\(`, which is not JSON
        if not error.msg.startswith("Invalid \\") or len(text) > LONGEST_MENDED:
            raise UnreadableError("not JSON") from None
        found, repaired = _read_repaired(text), True
    if _BRACKETS.search(text, 1) and _is_deeper(found, DEEPEST):
        raise UnreadableError("JSON nested too deep")
    return Envelope(found, repaired) if isinstance(found, dict) else None


def _refuse_crowd(body: bytes) -> None:
    """Refuse unparsed what would take seconds to read and hundreds of megabytes to hold."""
    if len(body) <= MOST_BRACKETS:
        return
    if body.count(b"[") + body.count(b"{") > MOST_BRACKETS or body.count(b",") > MOST_COMMAS:
        raise UnreadableError("JSON with too many values")


def _decoded(body: bytes) -> str:
    if len(body) > LONGEST_FOREIGN and (not body.isascii() or b"\\u" in body):
        raise UnreadableError("too long for a text beyond ASCII")
    try:
        return body.removeprefix(BOM_UTF8).decode()
    except UnicodeDecodeError:
        raise UnreadableError("not UTF-8") from None


def _read(text: str) -> JsonValue:
    try:
        found: JsonValue = _STRICT.decode(text)
    except RecursionError:
        raise UnreadableError("JSON nested too deep") from None
    return found


def _read_repaired(text: str) -> JsonValue:
    try:
        return _read(_BAD_ESCAPE.sub(lambda found: found[1] or "\\\\", text))
    except json.JSONDecodeError:
        raise UnreadableError("not JSON") from None


def _unique(pairs: _Pairs) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        raise UnreadableError("JSON with a key twice")
    return fields


def _refuse_constant(_name: str) -> JsonValue:
    raise UnreadableError("JSON with NaN or Infinity")


def _integer(digits: str) -> int:
    if len(digits) > MOST_DIGITS:
        raise UnreadableError("JSON with an endless number")
    return int(digits)


def _finite(digits: str) -> Decimal:
    try:
        if isfinite(float(digits)):  # what no float holds is no amount either
            return exact_number(digits)
    except ValueError:
        pass
    raise UnreadableError("JSON with an endless number")


_STRICT = json.JSONDecoder(  # built once: json.loads would build one for every answer
    object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_int=_integer, parse_float=_finite
)


def _is_deeper(value: JsonValue, limit: int) -> bool:
    """Walk level by level, because a hostile depth must not reach Python's stack."""
    level = [value]
    for _ in range(limit):
        level = [child for parent in level for child in _children(parent)]
        if not level:
            return False
    return True


def _children(value: JsonValue) -> Iterator[JsonValue]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        yield from (child for child in value if isinstance(child, list | dict))


def _is_other_address(value: JsonValue, ip: str) -> bool:
    try:
        return isinstance(value, str) and value != ip and address(value) != ip
    except ValueError:
        return False


def _is_fine_word(value: JsonValue) -> bool:
    return isinstance(value, str) and value.strip().casefold() in {"ok", "success"}


def _word(value: JsonValue) -> str | None:
    """Return a text that is neither blank, a number, nor a way to say OK."""
    if not isinstance(value, str) or not value.strip() or _is_fine_word(value):
        return None
    return None if _NUMERIC.fullmatch(value.strip()) else value


def _number(value: JsonValue) -> float | None:
    if isinstance(value, str) and _NUMERIC.fullmatch(value.strip()):
        return float(value)
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return float(value)
    return None


def _is_failing_result(value: JsonValue) -> bool:
    number = _number(value)
    return number < 0 if number is not None else _word(value) is not None


def _is_failing_code(value: JsonValue) -> bool:
    number = _number(value)
    return number != 0 if number is not None else _word(value) is not None


def _is_error(value: JsonValue) -> bool:
    return bool(value.strip()) if isinstance(value, str) else bool(value)


def _prose(value: JsonValue) -> Iterator[str]:
    """Yield the texts of a field, also of one that holds a list or an object of texts."""
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else [value]
    yield from (text for text in children if isinstance(text, str) and text.strip())

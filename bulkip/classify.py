"""What does a reply mean? One pure function from a request and its reply to a verdict (api.md §4)."""

from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType

from bulkip.actions.action import Action
from bulkip.answers import (
    AUTH,
    FORBIDDEN,
    NO_TRAFFIC,
    NOT_FOUND,
    REFUSED,
    THROTTLED,
    TROUBLED,
    UNKNOWN,
    Row,
    match_text,
)
from bulkip.envelope import Envelope, UnreadableError, read_envelope
from bulkip.followups import usable_key
from bulkip.frozen import Struct, replace
from bulkip.model import ErrorClass
from bulkip.redact import Redactor
from bulkip.redirects import clean_origin
from bulkip.retryafter import retry_after
from bulkip.wire import Answer, ApiRequest, Failure, FailureKind, Reply, Verdict, VerdictKind

CODE_LIMIT = 64

_BAD_TIMING = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY})
_GATEKEEPERS = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN, HTTPStatus.TOO_MANY_REQUESTS})
"""Who answers with one of these has turned the call away at the door, whatever the body says."""
_LOST: Mapping[FailureKind, tuple[VerdictKind, ErrorClass]] = MappingProxyType(
    {
        FailureKind.DNS: (VerdictKind.TRANSIENT, ErrorClass.DNS),
        FailureKind.CONNECT: (VerdictKind.TRANSIENT, ErrorClass.CONNECT),
        FailureKind.TLS: (VerdictKind.TRANSIENT, ErrorClass.TLS),
        FailureKind.CERTIFICATE: (VerdictKind.MISCONFIGURED, ErrorClass.TLS),
        FailureKind.NO_TLS: (VerdictKind.MISCONFIGURED, ErrorClass.TLS),
        FailureKind.TIMEOUT: (VerdictKind.TRANSIENT, ErrorClass.TIMEOUT),
        FailureKind.NETWORK: (VerdictKind.TRANSIENT, ErrorClass.NETWORK),
        FailureKind.PROTOCOL: (VerdictKind.UNKNOWN, ErrorClass.PROTOCOL),
    }
)
_BLOCKED = Row(8, VerdictKind.BLOCKED, ErrorClass.PERMISSION)
_OTHER_4XX = replace(NOT_FOUND, error_class=ErrorClass.INVALID)
_ROWS: Mapping[int, Row] = MappingProxyType(
    {
        HTTPStatus.UNAUTHORIZED: AUTH,
        HTTPStatus.FORBIDDEN: FORBIDDEN,
        HTTPStatus.NOT_FOUND: NOT_FOUND,
        HTTPStatus.GONE: NOT_FOUND,
        HTTPStatus.REQUEST_TIMEOUT: replace(TROUBLED, error_class=ErrorClass.TIMEOUT),
        HTTPStatus.TOO_MANY_REQUESTS: THROTTLED,
        HTTPStatus.NOT_IMPLEMENTED: replace(NOT_FOUND, error_class=ErrorClass.SERVER),
    }
)
_PARSE_FAILURES = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)


class _Reading(Struct, frozen=True):
    """An answer with all that its verdict depends on."""

    request: ApiRequest
    action: Action
    answer: Answer
    redactor: Redactor
    now: float
    envelope: Envelope | None
    flaw: str | None  # why there is no envelope
    is_json: bool

    @property
    def readable(self) -> bool:
        return self.envelope is not None and self.envelope.is_ours

    @property
    def believed(self) -> bool:
        """Whether the envelope refuses, and nothing in it claims the opposite."""
        found = self.envelope
        return found is not None and found.claims_failure and not found.resembles_success

    @property
    def status_rules(self) -> bool:
        """Whether the status of a write leaves open what happened, whatever the text says."""
        throttled = self.answer.status == HTTPStatus.TOO_MANY_REQUESTS
        return self.request.writes and (throttled or _leaves_doubt(self.answer.status))


def classify(request: ApiRequest, action: Action, reply: Reply, *, redactor: Redactor, now: float) -> Verdict:
    """Return what a reply means, whatever it holds; `now` is Unix time, for a Retry-After date.

    Success has to be proved, refusal has to be worded; all else is unknown. A
    verdict is in doubt when the request writes and may have been executed.
    """
    if isinstance(reply, Failure):
        return _lost(request, reply, redactor)
    envelope, flaw, is_json = _read(reply.body)
    reading = _Reading(request, action, reply, redactor, now, envelope, flaw, is_json)
    if HTTPStatus.MULTIPLE_CHOICES <= reply.status < HTTPStatus.BAD_REQUEST:
        return _redirected(reading)
    return _proved(reading) or _judged(reading)


def _read(body: bytes) -> tuple[Envelope | None, str | None, bool]:
    """Return the envelope of an answer, or why there is none, and whether it is JSON at all."""
    try:
        envelope = read_envelope(body)
    except UnreadableError as error:
        return None, str(error), False
    return envelope, None if envelope else "no JSON object", True


def _lost(request: ApiRequest, failure: Failure, redactor: Redactor) -> Verdict:
    kind, error_class = _LOST[failure.kind]
    return Verdict(
        kind=kind,
        error_class=error_class,
        message=redactor.clean(failure.message),
        in_doubt=request.writes and failure.sent,
    )


def _redirected(reading: _Reading) -> Verdict:
    origin = clean_origin(reading.answer.headers.get("location", ""), reading.redactor)
    return Verdict(
        kind=VerdictKind.PERMANENT,
        error_class=ErrorClass.PROTOCOL,
        message=f"redirected to {origin}, not followed",
        http_status=reading.answer.status,
        in_doubt=reading.request.writes,  # many a script does its work and then sends the browser elsewhere
    )


def _proved(reading: _Reading) -> Verdict | None:
    """Return the verdict on an answer whose envelope claims success; None when it claims nothing such."""
    found = reading.envelope
    if found is None or found.claims_failure or reading.answer.status != HTTPStatus.OK:
        return None
    if found.repaired or not (found.claims_success or reading.action.self_evident):
        return None
    if stranger := found.answers_another(reading.request):
        return _unknown(reading, stranger)
    if found.callback is not None:
        return _pending(reading, usable_key(found.callback))
    try:
        value = reading.action.parse(found.fields)
    except _PARSE_FAILURES as error:
        detail = str(error) if isinstance(error, ValueError) else type(error).__name__
        return _unknown(reading, f"not the documented answer of {reading.action.name}: {detail}")
    return Verdict(
        kind=VerdictKind.SUCCESS,
        http_status=reading.answer.status,
        value=reading.redactor.clean_value(value),
        readable=True,
    )


def _pending(reading: _Reading, key: str | None) -> Verdict:
    """Return the verdict on a success that is not final; only a write is followed up."""
    verdict = _unknown(reading, "accepted but not finished: the answer names a callback")
    if key is None or not reading.request.writes:
        return verdict
    return replace(verdict, kind=VerdictKind.PENDING, value={"callback": key})


def _judged(reading: _Reading) -> Verdict:
    """Apply the fourteen rows of the table to an answer that is no success."""
    if _is_contradictory(reading):
        return _unknown(
            reading, f"neither success nor refusal: HTTP {reading.answer.status}, {_signs(reading)}"
        )
    worded = _worded(reading) if reading.believed else None
    if worded and worded[0].beats_status and not reading.status_rules:
        return _verdict(reading, *worded)
    by_status = _row_of_status(reading)
    candidates = [by_status] if by_status else []
    if worded and not worded[0].beats_status:
        candidates.append(worded[0])
    row = min(candidates, key=lambda row: row.number, default=REFUSED if reading.believed else UNKNOWN)
    return _verdict(reading, row, worded[1] if worded else None)


def _is_contradictory(reading: _Reading) -> bool:
    """Say whether an envelope claims success while something else denies it.

    Not where the status alone is a reason to come back later.
    """
    status = reading.answer.status
    if status == HTTPStatus.TOO_MANY_REQUESTS or _leaves_doubt(status):
        return False
    return reading.envelope is not None and reading.envelope.resembles_success


def _signs(reading: _Reading) -> str:
    fields = reading.envelope.fields if reading.envelope else {}
    signs = {name: fields[name] for name in ("result", "code", "error") if name in fields}
    cleaned = reading.redactor.clean_value(signs)  # before repr, which would split a hidden token
    return (
        ", ".join(f"{name} {value!r}" for name, value in cleaned.items()) if isinstance(cleaned, dict) else ""
    )


def _worded(reading: _Reading) -> tuple[Row, str] | None:
    """Return the row that the server's words match; a write is never done for want of traffic."""
    texts = reading.envelope.texts if reading.envelope else ()
    found = match_text(texts, reading.request.form.values(), reading.redactor)
    if found and found[0] is NO_TRAFFIC and reading.action.name != "get_traffic":
        return None
    return found


def _row_of_status(reading: _Reading) -> Row | None:
    status = reading.answer.status
    if status == HTTPStatus.FORBIDDEN and not reading.is_json:
        return _BLOCKED
    if status in _ROWS:
        return _ROWS[status]
    if _leaves_doubt(status):
        return TROUBLED
    return _OTHER_4XX if HTTPStatus.BAD_REQUEST <= status < HTTPStatus.INTERNAL_SERVER_ERROR else None


def _leaves_doubt(status: int) -> bool:
    """Say whether a call with this status may have been executed all the same."""
    is_5xx = status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return status in _BAD_TIMING or (is_5xx and status != HTTPStatus.NOT_IMPLEMENTED)


def _unknown(reading: _Reading, message: str) -> Verdict:
    return replace(_verdict(reading, UNKNOWN, None), message=reading.redactor.clean(message))


def _verdict(reading: _Reading, row: Row, matched: str | None) -> Verdict:
    status = reading.answer.status
    refused = reading.believed or status in _GATEKEEPERS
    open_kind = row.kind in {VerdictKind.TRANSIENT, VerdictKind.UNKNOWN}
    doubtful = not refused or open_kind or _leaves_doubt(status)
    return Verdict(
        kind=row.kind,
        error_class=row.error_class,
        error_code=_error_code(reading),
        message=_message(reading, matched),
        http_status=status,
        value=reading.action.empty if row.kind is VerdictKind.EMPTY else None,
        retry_after_s=retry_after(reading.answer.headers, reading.now),
        in_doubt=reading.request.writes and doubtful,
        readable=reading.readable,
    )


def _error_code(reading: _Reading) -> str | None:
    code = _code_of(reading)
    return reading.redactor.clean(code, CODE_LIMIT) if code else None


def _code_of(reading: _Reading) -> str | None:
    return reading.envelope.error_code if reading.envelope else None


def _message(reading: _Reading, matched: str | None) -> str:
    """Return the server's own words where it has any, else a sentence about the answer."""
    texts = reading.envelope.texts if reading.envelope and reading.believed else ()
    words = next((text for text in texts if text == matched != _code_of(reading)), "".join(texts[:1]))
    if cleaned := reading.redactor.clean(words):
        return cleaned
    status = reading.answer.status
    if reading.readable:
        return f"HTTP {status} with an answer that says nothing more"
    media_type = reading.answer.headers.get("content-type", "").partition(";")[0]
    detail = ", ".join(filter(None, [media_type, reading.flaw]))
    sentence = f"HTTP {status} without a readable answer"
    return reading.redactor.clean(f"{sentence} ({detail})" if detail else sentence)

"""Which envelopes prove success, which refuse, and whose words they are."""

from typing import Any

import pytest

from bulkip.actions import ACTIONS
from bulkip.actions.action import Action
from bulkip.classify import classify
from bulkip.model import JsonValue
from bulkip.redact import REDACTED, Redactor
from bulkip.wire import ApiRequest, Verdict, VerdictKind
from tests.answers import IP, NOW, TOKEN, E, K, answer, failure, judge


@pytest.mark.parametrize(
    ("envelope", "code"),
    [
        pytest.param({"code": -1, "message": "x"}, "-1", id="code"),
        pytest.param({"code": -1, "message": "x", "description": "y"}, "-1", id="description"),
        pytest.param({"result": -1, "error": "x", "code": "NO_X"}, "NO_X", id="word-in-code"),
        pytest.param({"result": -2, "error": "x"}, "-2", id="negative-result"),
        pytest.param({"result": "-2", "error": "x"}, "-2", id="negative-text"),
        pytest.param({"code": "17", "message": "x"}, "17", id="code-as-text"),
        pytest.param({"code": 0.5}, "0.5", id="fraction"),
        pytest.param({"result": "error"}, "error", id="bare-word"),
        pytest.param({"result": "Fail"}, "Fail", id="fail"),
        pytest.param({"error": "x"}, None, id="error-alone"),
        pytest.param({"error": {"text": "x"}}, None, id="error-object"),
        pytest.param({"error": ["x"]}, None, id="error-list"),
    ],
)
def test_shapes_of_failure(envelope: dict[str, JsonValue], code: str | None) -> None:
    """Every shape of failure that was ever seen refuses, and the server's own code is kept."""
    verdict = judge("update_ptr", answer(envelope))

    assert (verdict.kind, verdict.error_code) == (K.REFUSED, code)


@pytest.mark.parametrize(
    "envelope",
    [
        pytest.param({"result": "OK", "code": -1}, id="ok-with-negative-code"),
        pytest.param({"result": "OK", "error": "permission denied"}, id="ok-with-error"),
        pytest.param({"result": "success", "code": "FAILED"}, id="success-with-word"),
        pytest.param({"result": "ok", "message": ""}, id="ok-in-lower-case"),
        pytest.param({"result": " OK"}, id="ok-with-space"),
        pytest.param({"result": 1}, id="one"),
        pytest.param({"result": 0, "code": 0}, id="zero"),
        pytest.param({"result": True}, id="true"),
        pytest.param({"result": None}, id="null"),
        pytest.param({"result": ["OK"]}, id="list"),
        pytest.param({"message": "OK"}, id="message-alone"),
        pytest.param({}, id="empty"),
        pytest.param({"result": "OK", "callback": "job\n17"}, id="callback-that-is-no-key"),
        pytest.param({"result": "OK", "action": "get_ptr"}, id="another-action"),
        pytest.param({"result": "OK", "ip": "198.51.100.9"}, id="another-address"),
        pytest.param({"result": "OK", "data": {"ip": "198.51.100.9"}}, id="another-address-inside"),
    ],
)
def test_row_14_what_proves_nothing_is_unknown(envelope: dict[str, JsonValue]) -> None:
    """A write succeeds only by `result: OK` with nothing against it; else it is in doubt."""
    verdict = judge("update_ptr", answer(envelope))

    assert (verdict.kind, verdict.error_class, verdict.in_doubt) == (K.UNKNOWN, E.UNKNOWN_ANSWER, True)


def test_success_that_names_a_callback_is_pending() -> None:
    """A write that goes on in the background is neither done nor lost: it is asked for by its key."""
    verdict = judge("update_ptr", answer({"result": "OK", "callback": " job-17 "}))

    assert (verdict.kind, verdict.value, verdict.in_doubt) == (K.PENDING, {"callback": "job-17"}, True)


def test_read_that_names_a_callback_is_unknown() -> None:
    """A read has nothing that could go on in the background."""
    assert (
        judge("get_ptr", answer({"result": "OK", "message": "a.example", "callback": "x"})).kind is K.UNKNOWN
    )


@pytest.mark.parametrize("status", [201, 202, 206, 400, 401, 403, 404, 501])
def test_row_14_success_with_another_status_is_unknown(status: int) -> None:
    """A success that the status denies is no failure either."""
    verdict = judge("update_ptr", answer({"result": "OK", "message": ""}, status))

    assert (verdict.kind, verdict.in_doubt) == (K.UNKNOWN, True)


BODIES = [
    pytest.param(b'{"result": "OK", "result": "OK"}', id="key-twice"),
    pytest.param(b'{"result": "OK", "x": NaN}', id="nan"),
    pytest.param(b'{"result": "OK", "x": -Infinity}', id="infinity"),
    pytest.param(b'{"result": "OK", "x": 1e999}', id="infinite-exponent"),
    pytest.param(b'{"result": "OK", "x": ' + b"9" * 5000 + b"}", id="5000-digits"),
    pytest.param(b'{"result": "OK", "x": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", id="deep"),
    pytest.param(b'{"result": "OK", "x": ' + b"[" * 100 + b"]" * 100 + b"}", id="rather-deep"),
    pytest.param(b'{"a":' * 100_000, id="deep-and-open"),
    pytest.param('{"result": "OK"}'.encode("utf-16"), id="utf-16"),
    pytest.param(b'{"result": "OK", "x": "\xff"}', id="not-utf-8"),
    pytest.param(b'{"result": "OK", "x": "\xed\xa0\x80"}', id="surrogate-bytes"),
    pytest.param(b'cb({"result": "OK"})', id="jsonp"),
    pytest.param(b'<b>Warning</b>: x in y.php {"result": "OK"}', id="php-warning"),
    pytest.param(b'{"result": "OK"}{"result": "OK"}', id="two-objects"),
    pytest.param(b'{"result": "OK", "x": "\\("}', id="success-with-bad-escape"),
    pytest.param(b'{"result": "OK"', id="cut-short"),
    pytest.param(b'[{"result": "OK"}]', id="list"),
    pytest.param(b'"OK"', id="text"),
    pytest.param(b"null", id="null"),
]


@pytest.mark.parametrize("body", BODIES)
def test_row_14_unreadable(body: bytes) -> None:
    """A body that strict readers would not agree on proves nothing."""
    verdict = judge("update_ptr", answer(body))

    assert (verdict.kind, verdict.in_doubt) == (K.UNKNOWN, True)


ANSWERS: list[Any] = [
    pytest.param("get_client_ip", {"ip": "192.0.2.1"}, {"ip": "192.0.2.1"}, id="client-ip"),
    pytest.param(
        "get_client_ip",
        {"result": "OK", "data": {"ip": "192.0.2.1"}},
        {"ip": "192.0.2.1"},
        id="client-ip-nested",
    ),
    pytest.param(
        "get_ptr",
        {"result": "OK", "message": "permission-denied.example.net"},
        {"ptr": "permission-denied.example.net"},
        id="message-is-no-failure",
    ),
    pytest.param("get_ptr", {"result": "success", "message": None}, {"ptr": None}, id="success-word"),
    pytest.param(
        "get_traffic",
        {"result": "OK", "code": 0, "error": "", "in": 1, "out": 2.5},
        {"in": 1, "out": 2.5},
        id="code-zero-and-empty-error",
    ),
]


@pytest.mark.parametrize(("name", "envelope", "value"), ANSWERS)
def test_success_carries_the_typed_answer(name: str, envelope: JsonValue, value: JsonValue) -> None:
    """A proved success carries what the action makes of it, and no message."""
    verdict = judge(name, answer(envelope))

    assert verdict == Verdict(K.SUCCESS, http_status=200, value=value, readable=True)


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"action": "update_ptr", "module": "ip"}, id="its-own-action"),
        pytest.param({"action": "ip/update"}, id="some-other-word"),
        pytest.param({"ip": IP, "data": {"ip": IP}}, id="its-own-address"),
        pytest.param({"ip": "all", "data": [IP]}, id="no-address"),
    ],
)
def test_echo_of_the_call_does_no_harm(fields: dict[str, JsonValue]) -> None:
    """An answer may name the call that it belongs to, and may hold words that name no call."""
    assert judge("update_ptr", answer({"result": "OK", **fields})).kind is K.SUCCESS


@pytest.mark.parametrize("letter", ["ü", "\\ud83d\\ude00"], ids=["plain", "escaped"])
def test_long_text_beyond_ascii_is_not_read(letter: str) -> None:
    """Megabytes of text in other scripts are no answer of this API, and would fill the memory."""
    body = '{"code": -1, "message": "%s"}' % (letter + "x" * 2**21)

    verdict = judge("get_ptr", answer(body.encode()))

    assert (verdict.kind, "too long for a text beyond ASCII" in str(verdict.message)) == (K.UNKNOWN, True)


def test_byte_order_mark_is_tolerated() -> None:
    """A BOM before the JSON is no fault."""
    assert judge("update_ptr", answer(b'\xef\xbb\xbf{"result": "OK"}')).kind is K.SUCCESS


def test_noise_in_the_message_of_a_write_is_no_failure() -> None:
    """What set_main says on success is without meaning."""
    verdict = judge("set_main", answer({"result": "OK", "message": "Permission denied, ha ha"}))

    assert (verdict.kind, verdict.in_doubt) == (K.SUCCESS, False)


def test_bad_escapes_of_a_refusal_are_mended() -> None:
    r"""The vendor's `\(module/\)action: invalid request` is read, though it is not JSON."""
    verdict = judge("get_ptr", answer(rb'{"code": -1, "message": "\(module/\)action: invalid request"}'))

    assert (verdict.kind, verdict.error_class, verdict.readable) == (K.PERMANENT, E.INVALID, True)


def test_bad_escapes_by_the_hundred_thousand_are_not_mended() -> None:
    """What would take long to mend is no refusal of this API."""
    verdict = judge("get_ptr", answer(b'{"code": -1, "message": "%s"}' % (b"\\(" * 200_000)))

    assert (verdict.kind, verdict.readable) == (K.UNKNOWN, False)


def test_parser_that_breaks_makes_an_unknown_answer() -> None:
    """An action whose parser cannot cope does not bring the run down."""
    action = Action("x", "", (), lambda _values, _allow: {}, lambda envelope: envelope["no"], "", "")

    verdict = classify(ApiRequest("x", {}), action, answer({"result": "OK"}), redactor=Redactor(), now=NOW)

    assert verdict.kind is K.UNKNOWN


@pytest.mark.parametrize(
    ("form", "text", "kind"),
    [
        pytest.param(
            {"ptr": "try-again.example.net"}, "bad name try-again.example.net", K.REFUSED, id="host-name"
        ),
        pytest.param(
            {"ptr": "a.example.net\nmaintenance.example.net"},
            "no: maintenance.example.net",
            K.REFUSED,
            id="one-of-several-lines",
        ),
        pytest.param(
            {"location": "IS"}, f"IP {IP} is not assigned for server 123", K.PERMANENT, id="location-is"
        ),
        pytest.param(
            {"location": "IP"}, "invalid request (ID or IP mismatch)", K.PERMANENT, id="location-ip"
        ),
        pytest.param({"id": "1"}, "IP 203.0.113.1 is not assigned for server 1", K.PERMANENT, id="id-1"),
        pytest.param({"description": "not found"}, "server not found", K.PERMANENT, id="servers-own-words"),
        pytest.param({"description": "not found"}, "not found", K.PERMANENT, id="nothing-but-own-words"),
        pytest.param(
            {"description": "invalid token"}, "bad description 'Invalid  token'", K.REFUSED, id="quoted"
        ),
        pytest.param(
            {"description": "invalid token"}, "bad description: invalid token", K.REFUSED, id="after-colon"
        ),
        pytest.param(
            {"description": "invalid token"},
            "invalid request for invalid token",
            K.PERMANENT,
            id="own-words-first",
        ),
        pytest.param({}, f"bad token {TOKEN}-timeout", K.TRANSIENT, id="rest-of-the-text-counts"),
    ],
)
def test_what_we_sent_is_no_word_of_the_server(form: dict[str, str], text: str, kind: VerdictKind) -> None:
    """Echoed values do not make a match, and ordinary words among them do not spoil one."""
    assert judge("update_ptr", answer(failure(text)), **form).kind is kind


def test_token_that_looks_like_a_refusal_is_no_word_of_the_server() -> None:
    """The token is a value that we sent, too."""
    action, redactor = ACTIONS["get_ip"], Redactor(["access-forbidden-17"])
    reply = answer(failure("no luck with access-forbidden-17"))

    verdict = classify(ApiRequest("get_ip", {}), action, reply, redactor=redactor, now=NOW)

    assert (verdict.kind, verdict.message) == (K.REFUSED, f"no luck with {REDACTED}")


def test_token_that_is_split_in_a_contradictory_answer_is_not_shown() -> None:
    """A control character inside the token hides it from nobody, wherever the text stands."""
    split = f"{TOKEN[:6]}\x00{TOKEN[6:]}"
    verdict = judge("update_ptr", answer({"result": "OK", "error": {"a": split}}))

    assert verdict.kind is K.UNKNOWN
    assert TOKEN[6:] not in str(verdict.message)

"""What each answer of the API means; the rows of api.md §4, one by one."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkip.actions import ACTIONS
from bulkip.model import ErrorClass
from bulkip.wire import Answer, VerdictKind
from tests.answers import IP, TOKEN, E, K, answer, failure, judge

TEXTS = [
    pytest.param(
        "malformed IP=203.0.113.7 for token tok-4f3c2b1a9d8e", K.PERMANENT, E.INVALID, id="2-malformed-ip"
    ),
    pytest.param("Invalid IP address", K.PERMANENT, E.INVALID, id="2-invalid-ip-address"),
    pytest.param("IP 203.0.113.7 is not assigned for server 123", K.PERMANENT, E.INVALID, id="3-for"),
    pytest.param("ip is not  assigned to server", K.PERMANENT, E.INVALID, id="3-to-without-ip"),
    pytest.param("invalid request (ID or IP mismatch)", K.PERMANENT, E.INVALID, id="4-mismatch"),
    pytest.param("illegal IP subnet", K.PERMANENT, E.INVALID, id="5-subnet"),
    pytest.param("NO_APPROPRIATE_SERVERS", K.AUTH_FATAL, E.AUTH, id="6-no-servers"),
    pytest.param("Incorrect API key format", K.AUTH_FATAL, E.AUTH, id="6-key-format"),
    pytest.param("API key is disabled", K.AUTH_FATAL, E.AUTH, id="6-key-disabled"),
    pytest.param("API key not found", K.AUTH_FATAL, E.AUTH, id="6-key-not-found"),
    pytest.param("invalid key", K.AUTH_FATAL, E.AUTH, id="6-invalid-key"),
    pytest.param("IP not allowed", K.AUTH_FATAL, E.AUTH, id="6-ip-not-allowed"),
    pytest.param("authentication required", K.AUTH, E.AUTH, id="7-authentication"),
    pytest.param("Authorization required", K.AUTH, E.AUTH, id="7-authorization"),
    pytest.param("invalid session token", K.AUTH, E.AUTH, id="7-invalid-token"),
    pytest.param("Invalid hash", K.AUTH, E.AUTH, id="7-invalid-hash"),
    pytest.param("your session has expired", K.AUTH, E.AUTH, id="7-session-expired"),
    pytest.param("Permission denied", K.PERMANENT, E.PERMISSION, id="8-permission"),
    pytest.param("Forbidden", K.PERMANENT, E.PERMISSION, id="8-forbidden"),
    pytest.param("Too many requests", K.THROTTLE, E.THROTTLED, id="9-too-many"),
    pytest.param("API rate-limit reached", K.THROTTLE, E.THROTTLED, id="9-rate-limit"),
    pytest.param("request was throttled", K.THROTTLE, E.THROTTLED, id="9-throttled"),
    pytest.param("quota exceeded", K.THROTTLE, E.THROTTLED, id="9-quota"),
    pytest.param("please try again later", K.TRANSIENT, E.SERVER, id="10-try-again"),
    pytest.param("temporarily unavailable", K.TRANSIENT, E.SERVER, id="10-temporarily"),
    pytest.param("request timed out", K.TRANSIENT, E.SERVER, id="10-timed-out"),
    pytest.param("Deadlock found", K.TRANSIENT, E.SERVER, id="10-deadlock"),
    pytest.param("MySQL server has gone away", K.TRANSIENT, E.SERVER, id="10-gone-away"),
    pytest.param("connection refused", K.TRANSIENT, E.SERVER, id="10-connection"),
    pytest.param("Internal Server Error", K.TRANSIENT, E.SERVER, id="10-internal"),
    pytest.param("under maintenance", K.TRANSIENT, E.SERVER, id="10-maintenance"),
    pytest.param("(module/)action: invalid request", K.PERMANENT, E.INVALID, id="11-invalid-request"),
    pytest.param("missing required parameter", K.PERMANENT, E.INVALID, id="11-missing"),
    pytest.param("unknown action", K.PERMANENT, E.INVALID, id="11-unknown-action"),
    pytest.param("server not found", K.PERMANENT, E.NOT_FOUND, id="12-not-found"),
    pytest.param("no such server", K.PERMANENT, E.NOT_FOUND, id="12-no-such"),
    pytest.param("zone does not exist", K.PERMANENT, E.NOT_FOUND, id="12-does-not-exist"),
    pytest.param("the moon is full", K.REFUSED, E.UNKNOWN_ANSWER, id="13-any-other"),
]


@pytest.mark.parametrize("name", ["get_ip", "update_ptr", "set_main"])
@pytest.mark.parametrize(("text", "kind", "error_class"), TEXTS)
def test_row_of_text(name: str, text: str, kind: VerdictKind, error_class: ErrorClass) -> None:
    """A failure envelope is judged by its text; only "come back later" leaves a write in doubt."""
    verdict = judge(name, answer(failure(text)))

    assert (verdict.kind, verdict.error_class, verdict.readable) == (kind, error_class, True)
    assert verdict.in_doubt == (ACTIONS[name].writes and kind is K.TRANSIENT)


def test_row_1_no_traffic_is_an_empty_success() -> None:
    """No significant traffic is a success of get_traffic: in and out are null, and not 0."""
    text = f"no significant traffic detected for {IP} in the period [2026-09-01] - [2026-10-01]"
    verdict = judge("get_traffic", answer(failure(text) | {"error": text}))

    assert (verdict.kind, verdict.error_class, verdict.value) == (K.EMPTY, None, {"in": None, "out": None})


def test_row_1_is_for_traffic_alone() -> None:
    """A write is never done because there is no traffic."""
    verdict = judge("update_ptr", answer(failure("no significant traffic detected")))

    assert verdict.kind is K.REFUSED


STATUSES = [
    pytest.param(401, K.AUTH, E.AUTH, False, id="401-row-7"),
    pytest.param(404, K.PERMANENT, E.NOT_FOUND, True, id="404-row-12"),
    pytest.param(410, K.PERMANENT, E.NOT_FOUND, True, id="410-row-12"),
    pytest.param(400, K.PERMANENT, E.INVALID, True, id="400-row-12"),
    pytest.param(422, K.PERMANENT, E.INVALID, True, id="422-row-12"),
    pytest.param(501, K.PERMANENT, E.SERVER, True, id="501-row-12"),
    pytest.param(429, K.THROTTLE, E.THROTTLED, False, id="429-row-9"),
    pytest.param(408, K.TRANSIENT, E.TIMEOUT, True, id="408-row-10"),
    pytest.param(425, K.TRANSIENT, E.SERVER, True, id="425-row-10"),
    pytest.param(500, K.TRANSIENT, E.SERVER, True, id="500-row-10"),
    pytest.param(502, K.TRANSIENT, E.SERVER, True, id="502-row-10"),
    pytest.param(503, K.TRANSIENT, E.SERVER, True, id="503-row-10"),
    pytest.param(599, K.TRANSIENT, E.SERVER, True, id="599-row-10"),
    pytest.param(200, K.UNKNOWN, E.UNKNOWN_ANSWER, True, id="200-row-14"),
    pytest.param(204, K.UNKNOWN, E.UNKNOWN_ANSWER, True, id="204-row-14"),
    pytest.param(101, K.UNKNOWN, E.UNKNOWN_ANSWER, True, id="101-row-14"),
]


@pytest.mark.parametrize("name", ["get_ip", "update_ptr"])
@pytest.mark.parametrize(
    "body", [b"", b"<html>Permission denied</html>", b"{}"], ids=["empty", "html", "json"]
)
@pytest.mark.parametrize(("status", "kind", "error_class", "doubt"), STATUSES)
def test_row_of_status(
    name: str, body: bytes, status: int, kind: VerdictKind, error_class: ErrorClass, *, doubt: bool
) -> None:
    """Without a failure envelope the status decides; only one that says "at the door" leaves no doubt."""
    verdict = judge(name, answer(body, status))

    assert (verdict.kind, verdict.error_class, verdict.readable) == (kind, error_class, False)
    assert verdict.in_doubt == (doubt and ACTIONS[name].writes)
    assert f"HTTP {status}" in (verdict.message or "")


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        pytest.param(b"<html>blocked</html>", K.BLOCKED, id="html-is-an-edge"),
        pytest.param(b"error code: 1020", K.BLOCKED, id="plain-text-is-an-edge"),
        pytest.param(b"", K.BLOCKED, id="empty-is-an-edge"),
        pytest.param(b'{"code": -1, "message": "no"}', K.PERMANENT, id="row-8-json-is-the-api"),
        pytest.param(b'{"detail": "no"}', K.PERMANENT, id="row-8-any-json"),
    ],
)
def test_status_403(body: bytes, kind: VerdictKind) -> None:
    """A 403 in JSON refuses one item; anything else is an edge that blocks us."""
    verdict = judge("update_ptr", answer(body, 403))

    assert (verdict.kind, verdict.error_class, verdict.in_doubt) == (kind, E.PERMISSION, False)


@pytest.mark.parametrize("status", [200, 400, 401, 404, 408, 425, 429, 500, 501, 503])
@pytest.mark.parametrize(
    ("text", "kind"),
    [
        pytest.param(f"malformed IP={IP}", K.PERMANENT, id="row-2"),
        pytest.param("api key expired", K.AUTH_FATAL, id="row-6"),
        pytest.param("invalid token", K.AUTH, id="row-7"),
        pytest.param("permission denied", K.PERMANENT, id="row-8"),
        pytest.param("unknown method", K.PERMANENT, id="row-11"),
        pytest.param("no such server", K.PERMANENT, id="row-12"),
    ],
)
def test_words_beat_the_status_of_a_read(text: str, kind: VerdictKind, status: int) -> None:
    """For a read, a refusal in so many words counts, whatever the status."""
    assert judge("get_ip", answer(failure(text), status)).kind is kind


@pytest.mark.parametrize(
    ("status", "kind", "doubt"),
    [
        pytest.param(408, K.TRANSIENT, True, id="408"),
        pytest.param(425, K.TRANSIENT, True, id="425"),
        pytest.param(429, K.THROTTLE, False, id="429"),
        pytest.param(500, K.TRANSIENT, True, id="500"),
        pytest.param(503, K.TRANSIENT, True, id="503"),
    ],
)
def test_status_of_a_write_beats_the_words(status: int, kind: VerdictKind, *, doubt: bool) -> None:
    """For a write, a refusal counts nothing beside a status that leaves open what happened."""
    verdict = judge("update_ptr", answer(failure("permission denied"), status))

    assert (verdict.kind, verdict.in_doubt) == (kind, doubt)


@pytest.mark.parametrize(
    ("text", "status", "kind", "doubt"),
    [
        pytest.param("the moon is full", 400, K.PERMANENT, False, id="unknown-words-400"),
        pytest.param("the moon is full", 503, K.TRANSIENT, True, id="unknown-words-503"),
        pytest.param("the moon is full", 401, K.AUTH, False, id="unknown-words-401"),
        pytest.param("too many requests", 503, K.THROTTLE, True, id="throttled-in-words-503"),
        pytest.param("too many requests", 400, K.THROTTLE, False, id="throttled-in-words-400"),
        pytest.param("try again", 404, K.TRANSIENT, True, id="try-again-404"),
        pytest.param("try again", 429, K.THROTTLE, False, id="try-again-429"),
        pytest.param("try again", 401, K.AUTH, False, id="try-again-401"),
    ],
)
def test_the_first_row_wins(text: str, status: int, kind: VerdictKind, *, doubt: bool) -> None:
    """Where words do not beat the status, the earlier row of the table decides."""
    verdict = judge("update_ptr", answer(failure(text), status))

    assert (verdict.kind, verdict.in_doubt) == (kind, doubt)


JSONS = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["OK", "-1", TOKEN]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["result", "code", "error", "message", "ip", "data", "traffic", "in", "callback"])
            | st.text(),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)
TEXTS_OF_HEADERS = st.text(st.characters(max_codepoint=0xDFFF), max_size=80)


@given(
    name=st.sampled_from(sorted(ACTIONS)),
    status=st.integers(0, 999),
    body=st.binary(max_size=200) | JSONS.map(lambda value: json.dumps(value).encode()),
    headers=st.dictionaries(
        st.sampled_from(["retry-after", "date", "location", "content-type"]), TEXTS_OF_HEADERS
    ),
)
def test_no_answer_makes_classify_raise(name: str, status: int, body: bytes, headers: dict[str, str]) -> None:
    """Any status, headers and bytes get a verdict, without the token, and no success but by 200."""
    verdict = judge(name, Answer(status, headers, body))

    assert TOKEN not in repr(verdict)
    assert verdict.kind is not K.SUCCESS or (status == 200 and not verdict.in_doubt)


@given(
    before=st.text(max_size=400),
    after=st.text(max_size=50),
    where=st.sampled_from(["message", "error", "code"]),
)
def test_token_is_in_no_message(before: str, after: str, where: str) -> None:
    """Wherever in a refusal the token stands, it is redacted."""
    verdict = judge("get_ip", answer({"code": -1, where: f"{before}{TOKEN}{after}"}))

    assert TOKEN not in repr(verdict)

"""Whatever a server answers, to whatever action: a verdict and a decision, without the token, and no lie."""

import json
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkip.actions import ACTIONS
from bulkip.characters import FORBIDDEN
from bulkip.classify import classify
from bulkip.course import Course
from bulkip.logins import LOGIN_ACTIONS
from bulkip.model import Purpose, Status
from bulkip.policy import RetryPolicy
from bulkip.redact import Redactor
from bulkip.retry import Again, Decision, Settled, decide
from bulkip.wire import Answer, ApiRequest, Verdict, VerdictKind
from tests.answers import FORMS, IP, NOW
from tests.chaos.length import patient
from tests.chaos.mutations import examples, spoiled
from tests.chaos.spellings import spellings
from tests.rawserver import QUICK, ask, one, serving

TOKEN = "tok-4f3c2b1a9d8e7f60"
KEY = "key-0123456789abcdef"
ALL = {**ACTIONS, **LOGIN_ACTIONS}
HONEST: dict[str, dict[str, Any]] = {
    "get_client_ip": {"result": "OK", "ip": "192.0.2.1"},
    "get_ip": {"result": "OK", "data": {"ip": IP, "network": "10.0.0.0", "netmask": "255.0.0.0"}},
    "get_ptr": {"result": "OK", "ptr": ["mail.example.net", "mx.example.net"]},
    "get_traffic": {"result": "OK", "traffic": [{"in": "1.5", "out": 2, "time": 1788000000}]},
    "list_free_ip": {"result": "OK", "ips": [{"ip": IP, "special": 0}]},
    "set_main": {"result": "OK"},
    "update_ptr": {"result": "OK", "callback": ""},
    "login": {"result": {"token": "made", "token_expire": 1790000000}},
    "info": {"result": {"role": "admin"}},
    "refusal": {"code": -1, "message": "permission denied", "error": "", "description": "x"},
    "failure": {"result": -1, "error": "try again later", "code": "NO_APPROPRIATE_SERVERS"},
}
TEXTS = {name: json.dumps(value, indent=1) for name, value in HONEST.items()}
SPLINTERS = [
    *["null", "true", "-1", "0", "1e999", "-0", "9" * 5000, "NaN", "Infinity", '"OK"', '"success"'],
    *['"error"', "[]", "{}", "{", "}", "[" * 20_000, '"', "\\", "\\u0000", "\\ud800", "\\u202e", "\x00"],
    *["\x1b[2J", "\ufeff", "\ud800", '"result": "OK",', '"result": -1,', '"code": 0,', '"code": -2,'],
    *['"error": "no",', '"callback": "cb-1",', "<br />\n<b>Warning</b>: mysqli", "callback(", ");", "//"],
    *["/* x */", ",", ",,", "%s%n", "=1+1", "]]>", "<script>", "no significant traffic detected"],
    *["Invalid token", "too many requests", "permission denied", "timed out"],
    *[spelling.decode("latin-1") for spelling in spellings(TOKEN).values()],
]  # fmt: skip
OF_UTF_8 = st.characters(codec="utf-8")
WORDS = [
    "result",
    "code",
    "error",
    "message",
    "description",
    "ip",
    "data",
    "ptr",
    "traffic",
    "callback",
    "token",
]
PIECES: list[Any] = [
    *[
        None,
        True,
        -1,
        0,
        2,
        1.5,
        1e308,
        "",
        "OK",
        "success",
        "error",
        "-1",
        "no",
        [],
        {},
        [[]],
        ["OK"],
        "x" * 5000,
    ],
    *["Invalid token", "no significant traffic detected", "permission denied", "something new", "try again"],
    *["\x1b[2J", "\u202e", "\ud800", "\u0000", "=1+1", "<script>", "%s%n", "a.example.net", IP, "192.0.2.1"],
    *[f"bad luck with {spelling.decode('latin-1')} today" for spelling in spellings(TOKEN).values()],
    *[f"{TOKEN[:9]}\u200b{TOKEN[9:]}", {TOKEN: TOKEN}, [TOKEN], {"in": TOKEN}],
]
KNOWN = {
    name: spelled.decode() for name, spelled in spellings(TOKEN).items() if name not in {"ROT13", "UTF-16"}
}
"""Nobody undoes the other two by accident."""
Edit = tuple[str, Any]
EDITS = st.lists(st.tuples(st.sampled_from([*WORDS, *["message"] * 9]), st.sampled_from(PIECES)), max_size=3)


def edited(honest: dict[str, Any], edits: list[Edit], lost: str | None) -> bytes:
    """Return an honest answer as JSON with some members replaced or added, and one left out."""
    members = honest | dict(edits)
    members.pop(lost or "", None)
    return json.dumps(members).encode()


ENVELOPES = st.builds(
    edited,
    st.sampled_from([*HONEST.values(), *[HONEST["refusal"]] * 5]),
    EDITS,
    st.none() | st.none() | st.sampled_from(WORDS),
)
BODIES = st.one_of(ENVELOPES, ENVELOPES, ENVELOPES, spoiled(TEXTS, SPLINTERS))
STATUSES = st.sampled_from(
    [200, 200, 200, 201, 204, 301, 400, 401, 403, 404, 408, 425, 429, 500, 501, 503, 599, 0]
)
HEADERS = st.dictionaries(
    st.sampled_from(["retry-after", "date", "location", "content-type"]),
    st.sampled_from(
        ["", "1", "-1", "1e9", "9" * 400, "Tue, 01 Sep 2026 03:15:00 GMT", "http://[::1", "\x1b[2J", TOKEN]
    )
    | st.text(st.characters(max_codepoint=0xFF), max_size=30),
)
ANSWERS = st.builds(Answer, STATUSES, HEADERS, BODIES)
NAMES = st.sampled_from(sorted(ALL))
ENDS_OF_A_WRITE = {Status.CHANGED, Status.FAILED, Status.UNKNOWN, Status.UNCHANGED, Status.CONFLICT}

pytestmark = patient


def judged(name: str, answer: Answer) -> Verdict:
    """Return the verdict on an answer to an action of ip.php or auth.php."""
    action = ALL[name]
    request = ApiRequest(name, FORMS.get(name, {}), writes=action.writes)
    return classify(request, action, answer, redactor=Redactor((TOKEN, KEY)), now=NOW)


def texts_in(value: Any) -> list[str]:
    """Return every text of a value, however deep."""
    if isinstance(value, dict):
        return [text for pair in value.items() for inner in pair for text in texts_in(inner)]
    if isinstance(value, list):
        return [text for inner in value for text in texts_in(inner)]
    return [value] if isinstance(value, str) else []


def shown(verdict: Verdict) -> list[str]:
    """Return every text of a verdict that a report or a terminal may show."""
    return [*texts_in(verdict.value), *filter(None, [verdict.message, verdict.error_code])]


def reading(course: Course) -> Course:
    """Return a course that waits for a read-back."""
    return Course(Purpose.READBACK, writes=True, wanted=course.wanted, before=("old.example.org",), calls=1)


@given(NAMES, ANSWERS)
@examples(150, 5_000)
def test_any_answer_gets_a_verdict_that_can_be_shown(name: str, answer: Answer) -> None:
    """A spoiled answer is judged, and what is kept of it holds no token and nothing that attacks a reader."""
    verdict = judged(name, answer)

    told = [] if name == "login" and verdict.kind is VerdictKind.SUCCESS else shown(verdict)
    assert [text for text in told if FORBIDDEN.search(text)] == []
    assert [text for text in told if TOKEN in text or TOKEN[::-1] in text] == []


@given(
    NAMES,
    STATUSES,
    st.sampled_from(sorted(KNOWN)),
    st.sampled_from(WORDS),
    st.tuples(st.text(OF_UTF_8, max_size=30), st.text(OF_UTF_8, max_size=400)),
)
@examples(150, 5_000)
def test_token_is_shown_in_no_spelling(
    name: str, status: int, spelling: str, where: str, around: tuple[str, str]
) -> None:
    """Wherever in an answer the token stands, in whatever spelling and company, it is not kept."""
    echo = f"{around[0]} {KNOWN[spelling]} {around[1]}"
    honest = (
        HONEST["refusal"] if where in {"message", "error", "description", "code"} else HONEST.get(name, {})
    )

    verdict = judged(name, Answer(status, {}, edited(honest, [(where, echo)], None)))

    told = [] if where == "token" else shown(verdict)
    assert [text for text in told if KNOWN[spelling] in text] == []


@given(NAMES, ANSWERS)
@examples(150, 5_000)
def test_success_is_proved(name: str, answer: Answer) -> None:
    """Only 200 with one whole JSON object that denies nothing is a success, and never for want of traffic."""
    verdict = judged(name, answer)

    if verdict.kind is VerdictKind.SUCCESS:
        envelope = json.loads(answer.body.decode("utf-8-sig"))
        assert answer.status == 200
        assert isinstance(envelope, dict)
        assert not envelope.get("error")
        assert not verdict.in_doubt
    assert verdict.kind is not VerdictKind.EMPTY or name == "get_traffic"


@given(st.sampled_from(sorted(name for name in ACTIONS if ACTIONS[name].writes)), ANSWERS)
@examples(150, 5_000)
def test_write_that_may_have_happened_is_never_called_failed(name: str, answer: Answer) -> None:
    """After a write a 5xx, a page or an unreadable body leaves a doubt; only worded refusals are failures."""
    verdict = judged(name, answer)

    if verdict.kind in {VerdictKind.TRANSIENT, VerdictKind.UNKNOWN}:
        assert verdict.in_doubt
    if answer.status >= 500 and answer.status != 501:
        assert verdict.in_doubt


@given(ANSWERS, ANSWERS, st.integers(0, 2**32))
@examples(100, 4_000)
def test_write_and_read_back_lead_somewhere(written: Answer, read: Answer, seed: int) -> None:
    """Whatever a write and its read-back answer, the next step is known, and its waits are finite."""
    course = Course(Purpose.CALL, writes=True, wanted=("mail.example.net",), before=("old.example.org",))
    policy, rng = RetryPolicy(), Random(seed)  # noqa: S311 - a draw that can be made again

    after_write = decide(policy, 5, course, judged("update_ptr", written), rng)
    after_reading = decide(policy, 5, reading(course), judged("get_ptr", read), rng)

    assert is_sound(after_write)
    assert is_sound(after_reading)


def is_sound(decision: Decision) -> bool:
    """Say whether a decision about a write can be carried out."""
    match decision:
        case Settled(result):
            return result.status in ENDS_OF_A_WRITE
        case Again(course, delay_s):
            return 0 <= delay_s < float("inf") and course.next in {Purpose.CALL, Purpose.READBACK}
        case _:
            return False


WIRE = {
    "plain": 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n{"result":"OK"}',
    "chunked": 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nf\r\n{"result":"OK"}\r\n0\r\n\r\n',
    "busy": "HTTP/1.1 429 Too Many\r\nRetry-After: 1\r\nConnection: close\r\n\r\n",
}
SHARDS = [
    *["\r\n", "\n", "\r", ":", " ", "\x00", "HTTP/1.1", "HTTP/9.9", "-1", "0", "99999999999999999999"],
    *["ffffffffffffffff", "Content-Length: 3\r\n", "Transfer-Encoding: gzip\r\n"],
    *["Content-Encoding: gzip\r\n", "Location: x\r\n", "x" * 9000, "Content-Encoding: deflate\r\n"],
    *["Set-Cookie: a=b\r\n", "\x1f\x8b\x08", "1e9", "é", "200", "100", "101", "999"],
]  # fmt: skip


@pytest.mark.anyio
async def test_any_bytes_on_the_wire_are_a_reply() -> None:
    """Whatever bytes stand in the place of an HTTP answer, the call ends with a reply and in time."""
    wire: list[bytes] = []

    @given(spoiled(WIRE, SHARDS))
    @examples(30, 400)
    def collect(content: bytes) -> None:
        wire.append(content)

    collect()
    for content in wire:
        async with serving(one(content)) as server:
            reply = await ask(server.url, QUICK)
        assert reply is not None, content

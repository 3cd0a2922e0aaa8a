"""What a call means that was redirected, lost, or told to come back later."""

from datetime import UTC, datetime
from email.utils import format_datetime

import pytest

from bulkip.actions import ACTIONS
from bulkip.model import ErrorClass
from bulkip.redact import REDACTED
from bulkip.retryafter import LONGEST_WAIT_S, retry_after
from bulkip.wire import Failure, FailureKind, Verdict, VerdictKind
from tests.answers import NOW, TOKEN, E, K, answer, judge


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
def test_redirect_is_refused_and_only_its_origin_is_named(status: int) -> None:
    """A redirect fails the item; its path, user and query are not shown, and a write is looked after."""
    verdict = judge(
        "update_ptr", answer(b"", status, location=f"https://u:p@Evil.example:8443/x?token={TOKEN}")
    )

    assert (verdict.kind, verdict.error_class, verdict.in_doubt) == (K.PERMANENT, E.PROTOCOL, True)
    assert verdict.message == "redirected to https://evil.example:8443, not followed"


@pytest.mark.parametrize(
    ("location", "shown"),
    [
        pytest.param("//evil.example/x", "//evil.example", id="no-scheme"),
        pytest.param("/login", "another path", id="path"),
        pytest.param("", "nowhere", id="missing"),
        pytest.param("https://[::1", "no valid URL", id="half-an-address"),
        pytest.param("https://[2001:db8::1]:99/", "https://[2001:db8::1]:99", id="ipv6"),
        pytest.param(
            "https://e\x1b\u202evil.example/", "https://e\ufffdvil.example", id="control-characters"
        ),
        pytest.param(f"https://{TOKEN}.example/", f"https://{REDACTED}.example", id="token-in-the-host"),
    ],
)
def test_origin_of_a_redirect_is_clean(location: str, shown: str) -> None:
    """Whatever stands in Location, the message is short, clean and without secrets."""
    assert (
        judge("get_ip", answer(b"", 302, location=location)).message == f"redirected to {shown}, not followed"
    )


@pytest.mark.parametrize("name", ["get_ip", "update_ptr"])
@pytest.mark.parametrize("sent", [True, False], ids=["sent", "not-sent"])
@pytest.mark.parametrize(
    ("lost", "kind", "error_class"),
    [
        pytest.param(FailureKind.DNS, K.TRANSIENT, E.DNS, id="dns"),
        pytest.param(FailureKind.CONNECT, K.TRANSIENT, E.CONNECT, id="connect"),
        pytest.param(FailureKind.TLS, K.TRANSIENT, E.TLS, id="tls"),
        pytest.param(FailureKind.CERTIFICATE, K.MISCONFIGURED, E.TLS, id="certificate"),
        pytest.param(FailureKind.NO_TLS, K.MISCONFIGURED, E.TLS, id="no-tls"),
        pytest.param(FailureKind.TIMEOUT, K.TRANSIENT, E.TIMEOUT, id="timeout"),
        pytest.param(FailureKind.NETWORK, K.TRANSIENT, E.NETWORK, id="network"),
        pytest.param(FailureKind.PROTOCOL, K.UNKNOWN, E.PROTOCOL, id="protocol"),
    ],
)
def test_lost_call(
    name: str, lost: FailureKind, kind: VerdictKind, error_class: ErrorClass, *, sent: bool
) -> None:
    """A call without an answer leaves a write in doubt exactly when it may have left this machine."""
    verdict = judge(name, Failure(lost, sent=sent, message=f"lost {TOKEN}"))

    assert verdict == Verdict(
        kind, error_class, message=f"lost {REDACTED}", in_doubt=sent and ACTIONS[name].writes
    )


def test_every_failure_has_a_verdict() -> None:
    """No way of losing a call is left out."""
    verdicts = [judge("get_ip", Failure(kind, sent=False, message="x")) for kind in FailureKind]

    assert len(verdicts) == len(FailureKind)


LATER = format_datetime(datetime.fromtimestamp(NOW + 90, UTC), usegmt=True)
MUCH_LATER = format_datetime(datetime.fromtimestamp(NOW + 1090, UTC), usegmt=True)


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        pytest.param({"retry-after": "30"}, 30.0, id="seconds"),
        pytest.param({"retry-after": " 1.5 "}, 1.5, id="fraction"),
        pytest.param({"retry-after": "0"}, 0.0, id="zero"),
        pytest.param({"retry-after": LATER}, 90.0, id="date"),
        pytest.param({"retry-after": MUCH_LATER, "date": LATER}, 1000.0, id="date-against-the-answers-own"),
        pytest.param({"retry-after": LATER, "date": "junk"}, 90.0, id="junk-date"),
        pytest.param({"retry-after": "Mon, 21 Sep 2026 13:41:31"}, None, id="past-without-zone"),
        pytest.param({"retry-after": LATER, "date": MUCH_LATER}, None, id="past"),
        pytest.param({}, None, id="missing"),
        pytest.param({"retry-after": ""}, None, id="empty"),
        pytest.param({"retry-after": "soon"}, None, id="junk"),
        pytest.param({"retry-after": "-5"}, None, id="negative"),
        pytest.param({"retry-after": "nan"}, None, id="nan"),
        pytest.param({"retry-after": "inf"}, None, id="inf"),
        pytest.param({"retry-after": "1e3"}, None, id="exponent"),
        pytest.param({"retry-after": "٣"}, None, id="other-digits"),
        pytest.param({"retry-after": "9" * 400}, None, id="endless"),
        pytest.param({"retry-after": str(LONGEST_WAIT_S + 1)}, LONGEST_WAIT_S, id="beyond-a-month"),
        pytest.param(
            {"retry-after": "Fri, 99 Foo 99999999999999999999 99:99:99 GMT"}, None, id="impossible-date"
        ),
        pytest.param({"retry-after": "\udcff\udcfe"}, None, id="undecodable"),
    ],
)
def test_retry_after(headers: dict[str, str], wait_s: float | None) -> None:
    """Seconds and dates are understood; junk, the past and the absurd are ignored."""
    assert retry_after(headers, NOW) == wait_s


def test_verdict_carries_retry_after() -> None:
    """What the server asks for reaches the gate."""
    assert judge("get_ip", answer(b"", 503, retry_after="7")).retry_after_s == 7.0

"""Which answers stop the whole run."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkip.model import ErrorClass
from bulkip.stops import Stop, StopKind, Watch, together, watch
from bulkip.wire import Verdict, VerdictKind

READABLE = Verdict(VerdictKind.SUCCESS, http_status=200, readable=True)
REFUSAL = Verdict(VerdictKind.PERMANENT, http_status=200, message="malformed IP", readable=True)
FOREIGN = Verdict(VerdictKind.UNKNOWN, ErrorClass.UNKNOWN_ANSWER, message="HTML", http_status=200)
REDIRECT = Verdict(VerdictKind.PERMANENT, ErrorClass.PROTOCOL, message="redirected", http_status=302)
OUTAGE = Verdict(VerdictKind.TRANSIENT, ErrorClass.SERVER, message="bad gateway", http_status=502)
SILENCE = Verdict(VerdictKind.TRANSIENT, ErrorClass.TIMEOUT, message="no answer")
GARBAGE = Verdict(VerdictKind.UNKNOWN, ErrorClass.PROTOCOL, message="not HTTP")
BLOCKED = Verdict(VerdictKind.BLOCKED, ErrorClass.PERMISSION, message="403 with HTML", http_status=403)
FATAL = Verdict(VerdictKind.AUTH_FATAL, ErrorClass.AUTH, message="api key disabled", readable=True)
CERTIFICATE = Verdict(VerdictKind.MISCONFIGURED, ErrorClass.TLS, message="expired")
LENIENT = (READABLE, REFUSAL, OUTAGE, SILENCE)


def watched(*answers: tuple[int, Verdict]) -> Stop | None:
    """Return the stop that the last of these answers causes; none of the earlier ones may."""
    seen, stop = Watch(), None
    for item, verdict in answers:
        assert stop is None
        seen, stop = watch(seen, item, verdict)
    return stop


@pytest.mark.parametrize(
    ("verdict", "error_class"),
    [pytest.param(FATAL, ErrorClass.AUTH, id="account"), pytest.param(CERTIFICATE, ErrorClass.TLS, id="tls")],
)
def test_one_answer_is_enough_when_nothing_can_succeed(verdict: Verdict, error_class: ErrorClass) -> None:
    """A refused account or a bad certificate stops the run at once, with access as the reason."""
    stop = watched((1, READABLE), (2, verdict))

    assert stop is not None
    assert (stop.kind, stop.error_class) == (StopKind.ACCESS, error_class)


@pytest.mark.parametrize(
    "answers",
    [
        pytest.param((FOREIGN, FOREIGN, FOREIGN), id="foreign"),
        pytest.param((REDIRECT, REDIRECT, REDIRECT), id="redirects"),
        pytest.param((FOREIGN, REDIRECT, FOREIGN), id="mixed"),
        pytest.param((GARBAGE, GARBAGE, GARBAGE), id="no-http"),
        pytest.param((FOREIGN, SILENCE, FOREIGN, OUTAGE, FOREIGN), id="outages-between"),
    ],
)
def test_three_foreign_answers_at_the_start_mean_a_wrong_address(answers: tuple[Verdict, ...]) -> None:
    """When nothing like this API ever answered, `api.url` is wrong and the run stops."""
    stop = watched(*enumerate(answers))

    assert stop is not None
    assert (stop.kind, "check `api.url`" in stop.reason) == (StopKind.ACCESS, True)


@pytest.mark.parametrize(
    "answers",
    [
        pytest.param((FOREIGN, FOREIGN), id="two"),
        pytest.param((READABLE, *[FOREIGN] * 9), id="after-a-success"),
        pytest.param((REFUSAL, *[FOREIGN] * 9), id="after-a-readable-refusal"),
        pytest.param((FOREIGN, FOREIGN, READABLE, FOREIGN), id="readable-between"),
        pytest.param((OUTAGE,) * 9, id="outage"),
        pytest.param((SILENCE,) * 9, id="silence"),
    ],
)
def test_odd_answers_alone_stop_nothing(answers: tuple[Verdict, ...]) -> None:
    """An outage, or an API that once answered, is no wrong address."""
    assert watched(*enumerate(answers)) is None


@pytest.mark.parametrize(
    ("answers", "halted"),
    [
        pytest.param(((1, BLOCKED), (2, BLOCKED), (3, BLOCKED)), True, id="three-items"),
        pytest.param(((1, BLOCKED), (1, BLOCKED), (2, BLOCKED), (2, BLOCKED)), False, id="two-items"),
        pytest.param(
            ((1, BLOCKED), (2, BLOCKED), (9, READABLE), (3, BLOCKED), (4, BLOCKED)), False, id="not-in-a-row"
        ),
        pytest.param(((1, BLOCKED), (2, BLOCKED), (9, SILENCE), (3, BLOCKED)), True, id="silence-between"),
    ],
)
def test_edge_that_blocks_three_items_halts_the_run(
    answers: tuple[tuple[int, Verdict], ...], halted: object
) -> None:
    """403 with HTML for three different items in a row means that all of us are locked out."""
    stop = watched(*answers)

    assert (stop is not None and stop.kind is StopKind.HALT) is halted


@given(st.lists(st.tuples(st.integers(1, 3), st.sampled_from(LENIENT)), max_size=50))
def test_items_that_fail_never_stop_the_run_by_themselves(answers: list[tuple[int, Verdict]]) -> None:
    """Refusals, outages and silence are the business of items, retries and the breaker."""
    assert watched(*answers) is None


def test_gravest_of_several_stops_decides_and_the_reasons_of_all_are_told() -> None:
    """A signal outweighs a refusal, and that a halt; whoever reads the reason learns of each."""
    halt = Stop(StopKind.HALT, "a is slow", ErrorClass.BREAKER)
    access = Stop(StopKind.ACCESS, "b is refused", ErrorClass.AUTH)
    signal = Stop(StopKind.SIGNAL, "SIGINT received", ErrorClass.CANCELLED, signal=2)

    both, all_three = together([halt, access]), together([halt, access, signal])

    assert both == Stop(StopKind.ACCESS, "b is refused; a is slow", ErrorClass.AUTH)
    assert all_three is not None
    assert (all_three.signal, all_three.reason) == (2, "SIGINT received; b is refused; a is slow")
    assert together([]) is None

"""Which faults there are, which calls they fit, and what a fault file may say."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from bulkip.errors import JobError
from bulkip.simulator.faultbook import FaultBook
from bulkip.simulator.faultfile import read_faults
from bulkip.simulator.faults import Fault, FaultError
from bulkip.simulator.state import Sighting

SHIPPED = Path(__file__).parents[2] / "jobs" / "faults.yaml"
ATTEMPTS = 5  # of the default retry policy


def first_calls(book: FaultBook, calls: Iterable[tuple[str, str | None, int, int]]) -> list[bool]:
    """Return for each (action, ip, attempt, ordinal) whether it meets a fault."""
    return [book.take(action, ip, Sighting(*place)) is not None for action, ip, *place in calls]


@pytest.mark.parametrize(
    ("fault", "call"),
    [
        pytest.param(Fault(status=503), ("get_ip", "203.0.113.7", 9, 9), id="no conditions"),
        pytest.param(Fault(status=503), ("get_client_ip", None, 1, 1), id="a call without an address"),
        pytest.param(Fault(action="get_ip", status=503), ("get_ip", "203.0.113.7", 1, 1), id="action"),
        pytest.param(Fault(ip="203.0.113.7", status=503), ("get_ip", "203.0.113.7", 1, 1), id="address"),
        pytest.param(Fault(ip="203.0.113.0/29", status=503), ("get_ip", "203.0.113.7", 1, 1), id="network"),
        pytest.param(Fault(ip="203.0.113.5-203.0.113.7", status=503), ("x", "203.0.113.7", 1, 1), id="range"),
        pytest.param(Fault(ip="2001:db8::/64", status=503), ("x", "2001:db8::7", 1, 1), id="IPv6"),
        pytest.param(Fault(attempts=(2, 3), status=503), ("get_ip", "203.0.113.7", 3, 1), id="attempt"),
        pytest.param(Fault(every=25, status=503), ("get_ip", "203.0.113.7", 1, 50), id="every"),
    ],
)
def test_fault_applies_to_the_calls_it_names(fault: Fault, call: tuple[str, str | None, int, int]) -> None:
    """A fault applies when every one of its conditions holds."""
    assert first_calls(FaultBook([fault]), [call]) == [True]


@pytest.mark.parametrize(
    ("fault", "call"),
    [
        pytest.param(Fault(action="get_ip", status=503), ("get_ptr", "203.0.113.7", 1, 1), id="action"),
        pytest.param(Fault(ip="203.0.113.7", status=503), ("get_ip", "203.0.113.8", 1, 1), id="address"),
        pytest.param(Fault(ip="203.0.113.7", status=503), ("get_client_ip", None, 1, 1), id="no address"),
        pytest.param(Fault(ip="203.0.113.7", status=503), ("get_ip", "seven", 1, 1), id="junk address"),
        pytest.param(Fault(ip="0.0.0.0/0", status=503), ("get_ip", "::7", 1, 1), id="other IP version"),
        pytest.param(Fault(attempts=(1,), status=503), ("get_ip", "203.0.113.7", 2, 1), id="attempt"),
        pytest.param(Fault(every=25, status=503), ("get_ip", "203.0.113.7", 1, 26), id="every"),
    ],
)
def test_fault_leaves_other_calls_alone(fault: Fault, call: tuple[str, str | None, int, int]) -> None:
    """A fault does not apply when one of its conditions fails."""
    assert first_calls(FaultBook([fault]), [call]) == [False]


def test_fault_is_used_up_after_its_times() -> None:
    """A fault with `times` applies so often and then no more."""
    book = FaultBook([Fault(status=503, times=2)])

    met = first_calls(book, [("get_ip", "203.0.113.7", attempt, 1) for attempt in (1, 2, 3)])

    assert met == [True, True, False]


def test_first_fitting_fault_wins() -> None:
    """Of several faults that fit a call the first one is applied."""
    first, second = Fault(ip="203.0.113.7", reset="before"), Fault(status=503)

    book = FaultBook([first, second])

    assert book.take("get_ip", "203.0.113.7", Sighting(1, 1)) is first


@pytest.mark.parametrize(
    ("fault", "carried_out"),
    [
        pytest.param(Fault(reset="before"), False, id="reset before"),
        pytest.param(Fault(reset="after"), True, id="reset after"),
        pytest.param(Fault(reset="close"), False, id="reset close"),
        pytest.param(Fault(reset="close", effect=True), True, id="reset close, with the effect"),
        pytest.param(Fault(status=503), False, id="status"),
        pytest.param(Fault(status=503, effect=True), True, id="status, with the effect"),
        pytest.param(Fault(hang_s=1), False, id="hang"),
    ],
)
def test_spoiled_write_is_carried_out_only_where_said(fault: Fault, *, carried_out: bool) -> None:
    """A write whose answer is spoiled has no effect, unless the fault is `reset: after` or says so."""
    assert fault.carries_out is carried_out


@pytest.mark.parametrize(
    ("fault", "status", "content_type", "body"),
    [
        pytest.param(Fault(status=503), 503, "text/html", b"503 Service Unavailable", id="HTML of an edge"),
        pytest.param(Fault(status=429), 429, "application/json", b"too many requests", id="throttled"),
        pytest.param(Fault(json={"code": -2}), 200, "application/json", b'{"code": -2}', id="JSON"),
        pytest.param(Fault(body="<b>", status=404), 404, "text/html", b"<b>", id="body"),
        pytest.param(Fault(body="", content_type="a/b"), 200, "a/b", b"", id="content type"),
        pytest.param(Fault(status=599), 599, "text/html", b"<h1>599</h1>", id="a status without a name"),
    ],
)
def test_fault_answers_with_its_own_page(fault: Fault, status: int, content_type: str, body: bytes) -> None:
    """A fault's page has its status and body, and the content type that goes with them."""
    page = fault.page()

    assert page.status == status
    assert page.headers["Content-Type"].startswith(content_type)
    assert body in page.body


def test_retry_after_is_sent_in_whole_seconds() -> None:
    """HTTP counts Retry-After in whole seconds, so a fraction is rounded up."""
    page = Fault(status=503, retry_after_s=1.2, headers={"X-Edge": "fra"}).page()

    assert (page.headers["Retry-After"], page.headers["X-Edge"]) == ("2", "fra")


@pytest.mark.parametrize(
    ("fields", "name", "message"),
    [
        pytest.param({}, "", "says nothing to do", id="nothing to do"),
        pytest.param({"action": "get_prt", "status": 503}, "action", "did you mean `get_ptr`?", id="action"),
        pytest.param({"ip": "203.0.113.7/24", "status": 503}, "ip", "host bits set", id="host bits"),
        pytest.param({"ip": "!203.0.113.7", "status": 503}, "ip", "excludes", id="exclusion"),
        pytest.param({"attempts": (0,), "status": 503}, "attempt", "count from 1", id="attempt 0"),
        pytest.param({"every": 0, "status": 503}, "every", "every address", id="every 0"),
        pytest.param({"times": 0, "status": 503}, "times", "remove the fault", id="times 0"),
        pytest.param({"status": 100}, "status", "from 200 to 599", id="status 100"),
        pytest.param({"status": 200}, "status", "add the `body`", id="status 200 alone"),
        pytest.param({"body": "", "json": {}}, "json", "keep one", id="body and JSON"),
        pytest.param({"reset": "before", "status": 503}, "reset", "at once", id="two deeds"),
        pytest.param({"reset": "afer"}, "reset", "did you mean `after`?", id="reset"),
        pytest.param({"reset": "after", "effect": False}, "effect", "contradicts", id="after without effect"),
        pytest.param({"delay_s": 1.0, "effect": True}, "effect", "right one", id="delay with effect"),
        pytest.param({"hang_s": 1e6}, "hang", "from 0s to 24h", id="a hang of days"),
        pytest.param(
            {"reset": "close", "retry_after_s": 1}, "retry_after", "needs an answer", id="no answer"
        ),
        pytest.param(
            {"status": 503, "headers": {"X": "a\r\nb"}}, "headers", "cannot go", id="header injection"
        ),
    ],
)
def test_contradictory_fault_is_refused(fields: dict[str, Any], name: str, message: str) -> None:
    """A fault that contradicts itself names the field of the fault file and the way out."""
    with pytest.raises(FaultError) as caught:
        Fault(**fields)

    assert [problem[0] for problem in caught.value.problems] == [name]
    assert message in caught.value.problems[0][1]


@pytest.mark.parametrize(
    ("rule", "fault"),
    [
        pytest.param(
            "{action: update_ptr, ip: 203.0.113.7, attempt: 1, status: 503}",
            Fault(action="update_ptr", ip="203.0.113.7", attempts=(1,), status=503),
            id="a status",
        ),
        pytest.param(
            "{every: 25, attempt: 1-3, status: 429, retry_after: 1s}",
            Fault(every=25, attempts=(1, 2, 3), status=429, retry_after_s=1.0),
            id="a range of attempts",
        ),
        pytest.param(
            '{action: "*", attempt: [1, 3-4], hang: 1m, effect: true, times: 2}',
            Fault(attempts=(1, 3, 4), hang_s=60.0, effect=True, times=2),
            id="a list of attempts",
        ),
        pytest.param("{reset: after, delay: 300ms}", Fault(reset="after", delay_s=0.3), id="a late reset"),
        pytest.param(
            '{status: 200, body: "<p>", content_type: text/html, headers: {X-Age: 3}}',
            Fault(status=200, body="<p>", content_type="text/html", headers={"X-Age": "3"}),
            id="a foreign body",
        ),
        pytest.param(
            "{json: {code: -1, message: no, data: [1.5, true, null]}}",
            Fault(json={"code": -1, "message": "no", "data": [1.5, True, None]}),
            id="JSON",
        ),
    ],
)
def test_fault_file_says_what_a_fault_says(tmp_path: Path, rule: str, fault: Fault) -> None:
    """Every field of a fault can be written in a fault file."""
    path = tmp_path / "faults.yaml"
    path.write_text(f"version: 1\nfaults:\n  - {rule}\n")

    assert read_faults(path) == (fault,)


def test_all_mistakes_of_a_fault_file_are_shown_with_their_places(tmp_path: Path) -> None:
    """A fault file with several mistakes gives one message each, with line and column."""
    path = tmp_path / "faults.yaml"
    path.write_text(
        "version: 2\n"
        "rules: []\n"
        "faults:\n"
        "  - {acton: get_ptr, status: 503, ip: 203.0.113.7/24}\n"
        "  - {status: 503, delay: soon, every: x}\n"
        "  - get_ptr\n"
        "  - {action: get_ptr}\n"
        "  - {attempt: 3-1, json: null, effect: 1, body: 2}\n"
        "  - {headers: [a], hang: 60}\n"
    )

    with pytest.raises(JobError) as caught:
        read_faults(path)

    places = [(problem.place.line, problem.place.column) for problem in caught.value.problems]
    assert places == [
        *((1, 10), (2, 1), (4, 6), (4, 39), (5, 26), (5, 39), (6, 5), (7, 5)),
        *((8, 15), (8, 26), (8, 40), (8, 49), (9, 15)),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("- a\n", "a fault file is a mapping", id="a list"),
        pytest.param("version: 1\n", "`faults` is a list", id="no faults"),
        pytest.param("version: 1\nfaults: {}\n", "`faults` is a list", id="faults as a mapping"),
        pytest.param("version: 1\nfaults: [{status: 503, status: 503}]\n", "twice", id="a key twice"),
    ],
)
def test_other_file_is_no_fault_file(tmp_path: Path, text: str, message: str) -> None:
    """A file of another shape is refused in words."""
    path = tmp_path / "faults.yaml"
    path.write_text(text)

    with pytest.raises(JobError, match=message):
        read_faults(path)


@pytest.mark.parametrize("action", ["get_ptr", "get_ip", "get_traffic", "update_ptr"])
def test_shipped_faults_all_heal(action: str) -> None:
    """Every address of a job of 500 meets a right answer within the default number of attempts."""
    book = FaultBook(read_faults(SHIPPED))

    for ordinal in range(1, 501):
        met = [book.take(action, "203.0.113.7", Sighting(attempt, ordinal)) for attempt in range(1, ATTEMPTS)]
        assert any(fault is None or str(fault).startswith("delay") for fault in met)


def test_shipped_faults_leave_few_writes_in_doubt() -> None:
    """At most 20 of 500 writes need the settle time, so that a rehearsal stays short."""
    book = FaultBook(read_faults(SHIPPED))

    met = [book.take("update_ptr", "203.0.113.7", Sighting(1, ordinal)) for ordinal in range(1, 501)]

    doubtful = [fault for fault in met if fault and not fault.delay_s and fault.status != 429]
    assert 10 <= len(doubtful) <= 20
    assert {str(fault) for fault in doubtful} == {
        *("reset after", "reset before", "status 503", "status 500", "status 200")
    }

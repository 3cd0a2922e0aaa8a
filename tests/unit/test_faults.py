"""Which faults there are, which calls they fit, and what a fault file may say."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from bulkip.errors import JobError
from bulkip.simulator.callbacks import Finish
from bulkip.simulator.faultbook import FaultBook
from bulkip.simulator.faultfile import read_faults
from bulkip.simulator.faults import Fault, FaultError
from bulkip.simulator.sessions import TokenEnd
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
        pytest.param(Fault(lag_s=1), ("get_ip", "203.0.113.7", 1, 1), id="lag of a read"),
        pytest.param(Fault(callback=Finish(checks=1)), ("login", None, 1, 1), id="callback of a login"),
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


@pytest.mark.parametrize("percent", [5, 50, 95])
def test_probability_is_the_share_of_the_calls_that_meet_it(percent: int) -> None:
    """Over many addresses a fault applies about as often as its probability says."""
    book = FaultBook([Fault(status=503, probability=percent / 100, seed=7)])

    met = first_calls(book, [("get_ip", f"10.0.{n // 256}.{n % 256}", 1, n + 1) for n in range(4000)])

    assert abs(sum(met) / 4000 - percent / 100) < 0.03


def test_probability_does_not_ask_in_which_order_calls_come() -> None:
    """The same seed spoils the same attempts of the same addresses, in whatever order they arrive."""
    calls = [("get_ip", f"10.0.0.{n}", attempt, n + 1) for n in range(100) for attempt in (1, 2)]
    rule = Fault(status=503, probability=0.3, seed=7)

    forwards = dict(zip(calls, first_calls(FaultBook([rule]), calls), strict=True))
    backwards = dict(zip(calls[::-1], first_calls(FaultBook([rule]), calls[::-1]), strict=True))

    assert forwards == backwards
    assert {forwards[call] for call in calls} == {True, False}


@pytest.mark.parametrize(
    "books",
    [
        pytest.param([[Fault(status=503, probability=0.5, seed=seed)] for seed in (1, 2)], id="another seed"),
        pytest.param(
            [
                [Fault(status=503, probability=0.5)],
                [Fault(ip="::1", hang_s=1), Fault(status=503, probability=0.5)],
            ],
            id="another place in the file",
        ),
    ],
)
def test_other_dice_fall_otherwise(books: list[list[Fault]]) -> None:
    """Another seed or another rule spoils other calls."""
    calls = [("get_ip", f"10.0.0.{n}", 1, n + 1) for n in range(100)]

    first, second = (first_calls(FaultBook(faults), calls) for faults in books)

    assert first != second


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
        pytest.param(Fault(token=TokenEnd.EXPIRED), False, id="token"),
        pytest.param(Fault(bomb_mib=1, effect=True), True, id="bomb, with the effect"),
    ],
)
def test_spoiled_write_is_carried_out_only_where_said(fault: Fault, *, carried_out: bool) -> None:
    """A write whose answer is spoiled has no effect, unless the fault is `reset: after` or says so."""
    assert fault.carries_out is carried_out


@pytest.mark.parametrize(
    ("fault", "name"),
    [
        pytest.param(Fault(status=503, delay_s=1), "status 503", id="an answer"),
        pytest.param(Fault(delay_s=0.3), "delay 0.3s", id="a delay"),
        pytest.param(Fault(reset="after", lag_s=2), "reset after, lag 2s", id="a reset with a lag"),
        pytest.param(Fault(bomb_mib=64), "bomb 64 MiB", id="a bomb"),
        pytest.param(Fault(redirect=307), "redirect 307", id="a redirect"),
        pytest.param(Fault(token=TokenEnd.HASH), "token hash", id="a token"),
        pytest.param(Fault(callback=Finish(checks=3)), "callback 3", id="a callback"),
        pytest.param(Fault(callback=Finish(after_s=1.5)), "callback 1.5s", id="a timed callback"),
        pytest.param(
            Fault(drip=9, truncate=3, clean=True, duplicate_keys=True, keep_alive="close"),
            "drip 9/s, truncate 3 clean, duplicate keys, keep-alive close",
            id="all that changes an answer",
        ),
    ],
)
def test_fault_is_named_in_the_log(fault: Fault, name: str) -> None:
    """A fault's name says what it did."""
    assert str(fault) == name


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
        pytest.param({"delay_s": 1.0, "effect": True}, "effect", "has its effect", id="delay with effect"),
        pytest.param({"hang_s": 1e6}, "hang", "from 0s to 24h", id="a hang of days"),
        pytest.param(
            {"reset": "close", "retry_after_s": 1}, "retry_after", "needs an answer", id="no answer"
        ),
        pytest.param(
            {"status": 503, "headers": {"X": "a\r\nb"}}, "headers", "cannot go", id="header injection"
        ),
        pytest.param({"status": 503, "probability": 0.0}, "probability", "above 0%", id="probability 0"),
        pytest.param(
            {"status": 503, "probability": 1.1}, "probability", "at most 100%", id="probability 110"
        ),
        pytest.param({"redirect": 200}, "redirect", "does not redirect", id="redirect 200"),
        pytest.param({"status": 503, "to": "http://127.0.0.1/"}, "to", "add `redirect", id="to without"),
        pytest.param(
            {"redirect": 307, "to": "http://example.net/"}, "to", "not on this machine", id="to elsewhere"
        ),
        pytest.param(
            {"redirect": 307, "to": "http://127.0.0.1@example.net/"}, "to", "not on", id="to a trick"
        ),
        pytest.param({"redirect": 307, "to": "http://[::1"}, "to", "not on", id="to no URL"),
        pytest.param(
            {"redirect": 307, "to": "http://127.0.0.1/\r\nX: y"}, "to", "not on", id="to an injection"
        ),
        pytest.param({"bomb_mib": 0}, "bomb", "from 1 to 256", id="bomb 0"),
        pytest.param({"bomb_mib": 10**9}, "bomb", "from 1 to 256", id="a bomb for the simulator itself"),
        pytest.param({"lag_s": 1e6}, "lag", "from 0s to 24h", id="a lag of days"),
        pytest.param({"action": "get_ip", "lag_s": 1.0}, "lag", "writes nothing", id="lag of a read"),
        pytest.param({"status": 503, "lag_s": 1.0}, "lag", "add `effect: true`", id="lag of nothing"),
        pytest.param({"callback": Finish(checks=1), "lag_s": 1.0}, "lag", "by itself", id="lag and callback"),
        pytest.param(
            {"action": "get_ip", "callback": Finish(checks=1)}, "callback", "writes nothing", id="callback"
        ),
        pytest.param({"drip": 0}, "drip", "1 is the slowest", id="drip 0"),
        pytest.param({"truncate": -1}, "truncate", "no number of bytes", id="truncate -1"),
        pytest.param({"status": 503, "clean": True}, "clean", "add `truncate", id="clean without"),
        pytest.param({"keep_alive": "open"}, "keep_alive", "`close` ends", id="keep-alive open"),
        pytest.param({"reset": "close", "drip": 5}, "drip", "no answer that", id="drip of a reset"),
        pytest.param({"token": TokenEnd.HASH, "status": 503}, "token", "at once", id="token and status"),
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
        pytest.param("{hang: 1s, probability: 2.5%}", Fault(hang_s=1.0, probability=0.025), id="probability"),
        pytest.param(
            '{redirect: 308, to: "http://[::1]:8080/x"}',
            Fault(redirect=308, to="http://[::1]:8080/x"),
            id="redirect",
        ),
        pytest.param("{bomb: 2}", Fault(bomb_mib=2), id="bomb"),
        pytest.param(
            "{action: login, token: expired}", Fault(action="login", token=TokenEnd.EXPIRED), id="token"
        ),
        pytest.param("{callback: 3}", Fault(callback=Finish(checks=3)), id="a callback by checks"),
        pytest.param(
            "{callback: 2s, truncate: 9}", Fault(callback=Finish(after_s=2.0), truncate=9), id="by time"
        ),
        pytest.param("{reset: after, lag: 2s}", Fault(reset="after", lag_s=2.0), id="lag"),
        pytest.param(
            "{drip: 10, truncate: 5, clean: true, duplicate_keys: true, keep_alive: close}",
            Fault(drip=10, truncate=5, clean=True, duplicate_keys=True, keep_alive="close"),
            id="delivery",
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
    ("rule", "message"),
    [
        pytest.param("{status: 503, probability: 0.05}", "not a percentage", id="a share"),
        pytest.param("{token: dead}", "known are expired, invalid, hash", id="a token's end"),
        pytest.param("{token: expird}", "did you mean `expired`?", id="a misspelt end"),
        pytest.param("{callback: -1}", "from 0 to", id="fewer checks than none"),
        pytest.param("{callback: soon}", "is not a duration", id="a callback's time"),
        pytest.param("{callback: true}", "neither a number of checks", id="a callback's switch"),
        pytest.param("{drip: 1.5}", "not a whole number", id="a fraction of a byte"),
        pytest.param("{dirp: 5}", "did you mean `drip`?", id="a misspelt key"),
        pytest.param("{clean: yes, truncate: 3}", "neither true nor false", id="another word for true"),
    ],
)
def test_mistake_in_a_rule_is_told_with_the_way_out(tmp_path: Path, rule: str, message: str) -> None:
    """What cannot be read as a field's value is one message that shows it."""
    path = tmp_path / "faults.yaml"
    path.write_text(f"version: 1\nfaults: [{rule}]\n")

    with pytest.raises(JobError) as caught:
        read_faults(path)

    [text] = [problem.message for problem in caught.value.problems]
    assert message in text


def test_seed_of_a_file_holds_for_all_its_rules(tmp_path: Path) -> None:
    """`seed` stands once, at the top."""
    path = tmp_path / "faults.yaml"
    path.write_text("version: 1\nseed: 11\nfaults: [{status: 503}, {drip: 5}]\n")

    assert [fault.seed for fault in read_faults(path)] == [11, 11]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("version: 1\nseed: x\nfaults: []\n", "seed: `x` is not a whole number", id="a seed"),
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


def heals(fault: Fault) -> bool:
    """Say whether the right answer arrives, whole, whatever happens on its way."""
    return fault.answers_rightly and fault.truncate is None and not fault.duplicate_keys


@pytest.mark.parametrize("action", ["get_ptr", "get_ip", "get_traffic", "update_ptr"])
def test_shipped_faults_all_heal(action: str) -> None:
    """Every address of a job of 500 meets a right answer within the default number of attempts."""
    book = FaultBook(read_faults(SHIPPED))

    for ordinal in range(1, 501):
        met = [book.take(action, "203.0.113.7", Sighting(attempt, ordinal)) for attempt in range(1, ATTEMPTS)]
        assert any(fault is None or heals(fault) for fault in met)


def test_shipped_faults_leave_few_writes_in_doubt() -> None:
    """At most 20 of 500 writes need the settle time, so that a rehearsal stays short."""
    book = FaultBook(read_faults(SHIPPED))

    met = [book.take("update_ptr", "203.0.113.7", Sighting(1, ordinal)) for ordinal in range(1, 501)]

    doubtful = [fault for fault in met if fault and not heals(fault) and fault.status != 429]
    assert 10 <= len(doubtful) <= 20
    assert {str(fault) for fault in doubtful} == {
        *("reset after", "reset before", "status 503", "status 500", "status 200")
    }

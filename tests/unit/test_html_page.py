"""What the HTML report is made of, before any browser sees it."""

import json
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from anyio import run
from hypothesis import given
from hypothesis import strategies as st

from bulkip.frozen import replace as changed
from bulkip.model import ErrorClass, JsonValue, Result, Status
from bulkip.reports import FORMATS
from bulkip.reports.htmlpage.amounts import Amount, Traffic, digits, traffic_in
from bulkip.reports.htmlpage.blocks import MOST_CALLS, MOST_ROWS, call_lines, chosen
from bulkip.reports.htmlpage.cells import course_of
from bulkip.reports.htmlpage.embedded import embedded
from bulkip.reports.htmlpage.overview import Overview, Told, overview_of, told_items
from bulkip.reports.htmlpage.pace import latency, width_s
from bulkip.reports.htmlpage.sections import notes, share_text, tiles
from bulkip.reports.htmlpage.talkers import MOST_POINTS, Talkers, exact
from bulkip.store import CallFigures, RunReader, open_writer
from tests.storedruns import HEADER, SENT_AT, attempt, frozen, item, outcome, settled

FAILED = Result(Status.FAILED, ErrorClass.INVALID, "-1", "malformed IP", 200)
HOURLY = {"period_start": "0", "period_stop": "7200", "summary": "0", "unbilled": "0"}


class Blocks(HTMLParser):
    """Gathers the blocks of JSON of a page as a browser finds them."""

    def __init__(self) -> None:
        super().__init__()
        self.found: dict[str, str] = {}
        self._id = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note which block begins."""
        self._id = dict(attrs).get("id") or "" if tag == "script" else ""

    def handle_data(self, data: str) -> None:
        """Take in what stands in a block."""
        if self._id:
            self.found[self._id] = self.found.get(self._id, "") + data


def page(folder: Path) -> str:
    """Return the page of a run."""
    with RunReader(folder) as reader:
        return "".join(FORMATS["html"](reader))


def blocks(folder: Path) -> dict[str, Any]:
    """Return what the scripts of a page find."""
    parser = Blocks()
    parser.feed(page(folder))
    return {name: json.loads(text) for name, text in parser.found.items()}


def told(number: int, status: Status) -> Told:
    """Return an item as far as a choice among items needs it."""
    return Told(number, {"status": status, "action": "set_main", "error_class": None, "before": None,
                         "after": None, "data": None, "verified": None}, None)  # fmt: skip


def traffic_row(ip: str, **params: str) -> dict[str, JsonValue]:
    """Return a row of get_traffic as far as sums need it."""
    return {"ip": ip, "params": {**HOURLY, **params}}


def hours(*amounts: str) -> Traffic:
    """Return a course with so much in, and nothing out, each hour."""
    return Traffic(tuple((3600 * hour, Amount(Decimal(one))) for hour, one in enumerate(amounts)))


@given(st.text())
def test_embedded_text_cannot_end_its_script(text: str) -> None:
    """No text makes markup, and what is read back is the text without hidden characters."""
    told = embedded({"text": text})

    assert not set(told) & set("<>&\u2028\u2029")
    assert len(json.loads(told)["text"]) == min(len(text), 1001)


def test_long_text_is_shortened() -> None:
    """A page shows a thousand characters of a text and says that there was more."""
    assert embedded("x" * 1001) == '"' + "x" * 1000 + '…"'


@pytest.mark.parametrize(
    ("answer", "inbound"),
    [
        pytest.param('{"in": 0.1, "out": 0.2}', "0.1", id="total"),
        pytest.param('{"in": 12345678.12345678901234567, "out": 1}', "12345678.12345678901234567", id="long"),
        pytest.param(
            '{"traffic": [{"timestamp": 1, "in": 0.1, "out": 0}, {"timestamp": 2, "in": 0.2, "out": 0}]}',
            "0.3",
            id="rows",
        ),
        pytest.param('{"in": 1e-7, "out": 0}', "0.0000001", id="exponent"),
    ],
)
def test_amounts_are_exact(answer: str, inbound: str) -> None:
    """What the server wrote is added in decimals, and shown without an exponent."""
    traffic = traffic_in(answer)

    assert traffic is not None
    assert digits(traffic.total.inbound) == inbound


@pytest.mark.parametrize("answer", [None, '{"in": null, "out": null}', '{"ptr": []}', "[]", '{"traffic": 7}'])
def test_answer_without_amounts_is_no_traffic(answer: str | None) -> None:
    """No amount is something else than an amount of zero."""
    assert traffic_in(answer) is None


@pytest.mark.parametrize(
    ("stamp", "second"),
    [
        pytest.param('"1970-01-01T01:00:00Z"', 3600, id="utc"),
        pytest.param('"1970-01-01T01:00:00"', 3600, id="no-zone"),
        pytest.param('"1970-01-01T02:00:00+01:00"', 3600, id="zone"),
        pytest.param("3600", 3600, id="seconds"),
        pytest.param('"soon"', None, id="no-time"),
    ],
)
def test_time_stamps_become_seconds(stamp: str, second: int | None) -> None:
    """A time stamp is read as the server wrote it; one without a zone is in UTC."""
    traffic = traffic_in(f'{{"traffic": [{{"timestamp": {stamp}, "in": 1, "out": 1}}]}}')

    assert traffic is not None
    assert [at for at, _ in traffic.points] == [second]


def test_amounts_are_told_to_the_last_digit() -> None:
    """Thousands are apart, and nothing is rounded."""
    assert exact(Decimal("1234567.000000000000000000010")) == "1,234,567.000000000000000000010"


def test_address_asked_twice_counts_once_among_talkers() -> None:
    """A total beside the hours of the same stretch is the same traffic; another address is not."""
    talkers = Talkers()

    talkers.notice(1, traffic_row("203.0.113.1"), hours("1", "2"))
    talkers.notice(2, traffic_row("203.0.113.1", summary="1"), Traffic(((None, Amount(Decimal(3))),)))
    talkers.notice(3, traffic_row("203.0.113.2"), hours("5", "5"))

    found = [(ip, int(amount.inbound)) for ip, amount in talkers.top()]
    assert found == [("203.0.113.2", 10), ("203.0.113.1", 3)]


def test_course_of_all_adds_up_by_time_stamp() -> None:
    """Hours of several addresses are added; an hour that an address reports twice counts once."""
    talkers = Talkers()

    talkers.notice(1, traffic_row("203.0.113.1"), hours("1", "2"))
    talkers.notice(2, traffic_row("203.0.113.1", period_start="1"), hours("1", "2", "4"))
    talkers.notice(3, traffic_row("203.0.113.2"), hours("10", "10"))

    assert talkers.course_of_all() == [[0, 3600, 7200], [11.0, 12.0, 4.0], [0.0, 0.0, 0.0]]


def test_time_stamp_told_twice_is_drawn_twice() -> None:
    """Two amounts of one moment are both kept, in the provider's order; there is no order among amounts."""
    twice = Traffic(((60, Amount(Decimal(2))), (0, Amount(Decimal(5))), (60, Amount(Decimal(1)))))
    places: dict[tuple[int, ...], int] = {}

    assert course_of(twice, places) == [0, [5, 2, 1], [0, 0, 0]]
    assert list(places) == [(0, 60, 60)]


def test_courses_with_the_most_traffic_are_drawn() -> None:
    """When not all fit into the page, the smallest ones are left out."""
    talkers, long = Talkers(), MOST_POINTS // 2

    for number, amount in enumerate(("1", "3", "2"), start=1):
        talkers.notice(number, traffic_row(f"203.0.113.{number}"), hours(*[amount] * long))

    assert talkers.drawn() == {2, 3}


@pytest.mark.parametrize(
    ("seconds", "width"),
    [
        pytest.param(0, 1, id="moment"),
        pytest.param(299, 1, id="five-minutes"),
        pytest.param(301, 2, id="longer"),
        pytest.param(86400, 300, id="day"),
        pytest.param(10**9, 86400, id="decades"),
    ],
)
def test_bars_grow_with_the_run(seconds: float, width: int) -> None:
    """A chart has a few hundred bars at most, each of a length that people know."""
    assert width_s(seconds) == width


def test_durations_are_counted_between_edges() -> None:
    """Each answer falls into one bar, and half of them were not slower than the median."""
    told = latency([(5, 1), (15, 2), (10**9, 1)])

    assert (told.counts[0], told.counts[1], told.counts[-1], told.calls) == (1, 2, 1, 4)
    assert told.quantiles_ms[0] == 1.5


@pytest.mark.parametrize(
    ("count", "total", "share"),
    [
        pytest.param(9999, 10_000, "99.9 %", id="nearly-all"),
        pytest.param(1, 100_000, "0.1 %", id="hardly-any"),
        pytest.param(1, 4, "25 %", id="whole"),
        pytest.param(7, 7, "100 %", id="all"),
    ],
)
def test_share_is_whole_only_when_it_is(count: int, total: int, share: str) -> None:
    """One failed item of many never hides behind 100 %."""
    assert share_text(count, total) == share


def test_single_failure_is_seen_in_the_bar() -> None:
    """No status is too thin to be seen, and together they fill the bar."""
    overview = overview_of([*(told(n, Status.CHANGED) for n in range(5000)), told(5000, Status.FAILED)])

    changed, failed = tiles(overview)

    assert failed.width > 5
    assert changed.width + failed.width == pytest.approx(1000, abs=0.2)


def test_items_to_look_at_come_first_when_not_all_fit() -> None:
    """A bounded table leaves out fine items, never a failed one among many fine ones."""
    items = [told(n, Status.FAILED if n > 7 else Status.CHANGED) for n in range(1, 10)]

    assert [one.number for one in chosen(items, overview_of(items), most=4)] == [1, 2, 8, 9]


def test_calls_of_rough_items_are_kept_when_not_all_fit(tmp_path: Path) -> None:
    """Beyond the bound, only items of which a call did not go smoothly have their calls in the page."""

    async def call() -> None:
        async with open_writer(tmp_path) as writer:
            for number in (1, 2, 3):
                await writer.record_attempt(attempt(1, number), outcome())
            await writer.begin_attempt(attempt(2), SENT_AT)

    frozen(tmp_path, [item(1), item(2)])
    run(call)

    with CallFigures(tmp_path) as figures:
        kept = {most: json.loads("".join(call_lines(figures, 0, most))) for most in (3, 4)}

    assert [number for number, _ in kept[4]] == [1, 2]
    assert [number for number, _ in kept[3]] == [2]


def test_page_carries_no_other_source(tmp_path: Path) -> None:
    """Nothing in the page names a place to load from, whatever the policy would say."""
    frozen(tmp_path, [item(1)])
    settled(tmp_path, (item(1), FAILED))

    markup = page(tmp_path).split("<script>")[0]

    assert [word for word in ("src=", 'href="http', "@import", "url(", "style=") if word in markup] == []


def test_page_carries_the_licence_of_its_charts(tmp_path: Path) -> None:
    """A page is a copy of uPlot too, and its licence wants to go with it."""
    frozen(tmp_path, [])

    assert "Permission is hereby granted, free of charge" in page(tmp_path)


def test_empty_run_has_a_page(tmp_path: Path) -> None:
    """A plan of nothing, never started, is told as such."""
    frozen(tmp_path, [])

    told = page(tmp_path)

    assert "nothing to do" in told
    assert "planned, never started" in told


def test_run_cut_short_names_the_command_that_goes_on(tmp_path: Path) -> None:
    """Items that were not run and writes in doubt lead to resume, failed ones to retry."""
    frozen(tmp_path / "runs" / HEADER.id, [item(1), item(2)])
    settled(tmp_path / "runs" / HEADER.id, (item(1), FAILED))

    told = page(tmp_path / "runs" / HEADER.id)

    assert f"bulkip resume {HEADER.id} --run-dir {tmp_path}" in told
    assert f"bulkip retry {HEADER.id} --run-dir {tmp_path}" in told


def test_rows_are_in_the_page_with_their_calls(tmp_path: Path) -> None:
    """The scripts find each item and what was sent for it."""
    one = replace(item(1), source="</script><script>alert(1)</script>")
    frozen(tmp_path, [one, item(2)])
    settled(tmp_path, (one, FAILED))

    found = blocks(tmp_path)

    (first, second), columns = found["rows"], found["facts"]["columns"]
    assert dict(zip(columns, first, strict=False))["source"] == "</script><script>alert(1)</script>"
    assert (first[0], second[0]) == (1, 2)
    assert [item for item, _ in found["calls"]] == [1]


def test_many_messages_of_a_class_stay_few_examples(tmp_path: Path) -> None:
    """A class with a message of its own for each item shows the count of all and a few of them."""
    pairs = [(item(n), changed(FAILED, message=f"no such address {n}")) for n in range(1, 81)]
    frozen(tmp_path, [one for one, _ in pairs])
    settled(tmp_path, *pairs)

    with RunReader(tmp_path) as reader:
        ((name, trouble),) = overview_of(told_items(reader)).troubles_by_weight()

    assert (name, trouble.count, len(trouble.examples())) == ("invalid", 80, 3)


@pytest.mark.parametrize(
    ("total", "calls", "said"),
    [
        pytest.param(MOST_ROWS, MOST_CALLS, [], id="all-fit"),
        pytest.param(MOST_ROWS + 1, 0, ["csv and jsonl"], id="rows"),
        pytest.param(1, MOST_CALLS + 1, ["bulkip explain"], id="calls"),
    ],
)
def test_page_says_what_it_leaves_out(total: int, calls: int, said: list[str]) -> None:
    """A page that could not take everything names where the rest is, and says nothing otherwise."""
    overview = Overview(statuses=Counter({Status.CHANGED: total}))

    found = [*notes(overview, calls)]

    assert len(found) == len(said)
    assert all(words in note for words, note in zip(said, found, strict=True))

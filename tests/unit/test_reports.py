"""What the reports of a run say."""

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from anyio import run
from hypothesis import given
from hypothesis import strategies as st

from bulkip.frozen import replace as changed
from bulkip.model import Before, ErrorClass, Item, Result, Status
from bulkip.policy import REPORT_FORMATS
from bulkip.reports import FILES, FORMATS
from bulkip.reports.csv_rows import NUMBER, defused
from bulkip.reports.rows import Row, iso
from bulkip.store import RunReader, open_writer
from tests.storedruns import HEADER, SENT_AT, attempt, frozen, item, nothing, outcome, settle, settled

FIELDS = [
    "key", "action", "ip", "params", "source", "status", "error_class", "error_code", "message",
    "http_status", "attempts", "before", "after", "data", "empty", "note", "verified", "started_at",
    "finished_at", "duration_ms",
]  # fmt: skip
CHANGED = Result(Status.CHANGED, names=("host-1.example.net",), note="by read-back")
FAILED = Result(Status.FAILED, ErrorClass.INVALID, "-1", "malformed IP", 200)
TRAFFIC = Result(Status.OK, http_status=200, value={"traffic": [{"timestamp": 1, "in": 0.5, "out": 2}]})
STOPPED = ("stopped by SIGINT", "cancelled")


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """Return a run that was stopped: one item at every kind of end."""
    plan = [
        item(1), item(2), replace(item(3), action="get_traffic"), item(4), item(5),
        replace(item(6), skip="when: {{ row.go }}"),
        replace(item(7), ip=None, action="list_free_ip", form={}, source="job.yaml:9"),
    ]  # fmt: skip
    frozen(tmp_path, plan)
    run(half_a_run, tmp_path, plan)
    return tmp_path


async def half_a_run(folder: Path, plan: list[Item]) -> None:
    """Change one item, fail one, read one, leave one in doubt, and stop."""
    changed, failed, read, doubted, *_ = plan
    async with open_writer(folder) as writer:
        start = await writer.begin_start(SENT_AT)
        await writer.record_before(changed, Before(("a.example", "b.example"), 5.0), nothing)
        for one in (changed, failed, read):
            await writer.record_attempt(attempt(one.number), outcome())
        await settle(
            writer, changed, Result(Status.CHANGED, names=("host-1.example.net",), note="by read-back")
        )
        await settle(writer, failed, FAILED)
        await settle(writer, read, TRAFFIC)
        await writer.begin_attempt(attempt(doubted.number), SENT_AT)
        await writer.end_start(start, SENT_AT + 9, 130, STOPPED)


def report(folder: Path, form: str) -> str:
    """Render a report of a run."""
    with RunReader(folder) as reader:
        return "".join(FORMATS[form](reader))


def json_rows(folder: Path) -> list[Row]:
    """Return the rows of a run as a program reads them."""
    return [json.loads(line) for line in report(folder, "jsonl").split("\n")[:-1]]


def csv_rows(folder: Path) -> list[dict[str, str]]:
    """Return the rows of a run as a spreadsheet reads them."""
    return list(csv.DictReader(io.StringIO(report(folder, "csv"), newline="")))


def in_a_cell(value: object) -> str:
    """Return what a cell holds for a value of a row: nothing, the text, or JSON."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def test_every_row_has_every_field_in_order(run_dir: Path) -> None:
    """Programs rely on the fields: always all of them, always in this order."""
    assert [list(row) for row in json_rows(run_dir)] == [FIELDS] * 7


def test_csv_has_the_same_columns(run_dir: Path) -> None:
    """The CSV has the fields of the JSON lines as its header, and a line for every item."""
    header, *lines = report(run_dir, "csv").splitlines()

    assert (header, len(lines)) == (",".join(FIELDS), 7)


def test_csv_and_json_lines_say_the_same(run_dir: Path) -> None:
    """A cell is the text of its field; lists and objects stand as JSON, and nothing as an empty cell."""
    expected = [{name: in_a_cell(value) for name, value in row.items()} for row in json_rows(run_dir)]

    assert csv_rows(run_dir) == expected


def test_rows_stand_in_plan_order(run_dir: Path) -> None:
    """A report has one row per item, in the order of the plan, whatever became of it."""
    assert [row["status"] for row in json_rows(run_dir)] == [
        "changed", "failed", "ok", "unknown", "not_run", "skipped", "not_run",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("number", "told"),
    [
        pytest.param(1, {"before": ["a.example", "b.example"], "after": "host-1.example.net"}, id="names"),
        pytest.param(1, {"note": "by read-back", "error_class": None, "data": None}, id="changed"),
        pytest.param(
            2, {"error_class": "invalid", "error_code": "-1", "message": "malformed IP"}, id="failed"
        ),
        pytest.param(2, {"http_status": 200, "attempts": 1, "empty": False, "verified": None}, id="call"),
        pytest.param(3, {"data": TRAFFIC.value}, id="answer"),
        pytest.param(4, {"error_class": "cancelled", "attempts": 1}, id="in-doubt"),
        pytest.param(5, {"error_class": "cancelled", "message": "stopped by SIGINT"}, id="not-run"),
        pytest.param(5, {"started_at": None, "finished_at": None, "duration_ms": None}, id="never-sent"),
        pytest.param(6, {"note": "when: {{ row.go }}", "attempts": 0, "params": item(6).form}, id="skipped"),
        pytest.param(7, {"ip": None, "params": {}, "source": "job.yaml:9"}, id="without-address"),
    ],
)
def test_row_tells_what_became_of_its_item(run_dir: Path, number: int, told: Row) -> None:
    """Each field says what the store knows, and null where there is nothing."""
    row = json_rows(run_dir)[number - 1]

    assert {name: row[name] for name in told} == told


def test_times_run_from_the_first_call_to_the_result(run_dir: Path) -> None:
    """Times are UTC with milliseconds, and the duration is between them."""
    row = json_rows(run_dir)[0]

    times = [row[name] for name in ("started_at", "finished_at", "duration_ms")]
    assert times == ["2026-09-01T03:15:01.000Z", "2026-09-01T03:15:01.500Z", 500]


def test_write_in_doubt_says_so(run_dir: Path) -> None:
    """A row without result explains why: a write may have happened, and the run stopped."""
    assert json_rows(run_dir)[3]["message"] == (
        "a write was sent and its outcome is not known yet: stopped by SIGINT"
    )


def test_run_that_was_killed_says_so(tmp_path: Path) -> None:
    """After kill -9 the rows are all there, and say that the run has not ended."""
    frozen(tmp_path, [item(1)])

    assert [(row["status"], row["message"]) for row in json_rows(tmp_path)] == [
        ("not_run", "the run has not ended")
    ]


@pytest.mark.parametrize(
    ("text", "cell"),
    [
        pytest.param("=HYPERLINK(1)", "'=HYPERLINK(1)", id="equals"),
        pytest.param("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0", id="plus"),
        pytest.param("-2+3", "'-2+3", id="minus"),
        pytest.param("@SUM(1)", "'@SUM(1)", id="at"),
        pytest.param("\t=1", "'\t=1", id="tab"),
        pytest.param("-1", "-1", id="negative-number"),
        pytest.param("+49.5", "+49.5", id="positive-number"),
        pytest.param("-1e5", "'-1e5", id="exponent"),
        pytest.param("-1\n=1", "'-1\n=1", id="number-and-line"),
        pytest.param("a=1", "a=1", id="harmless"),
        pytest.param("\uff1d1+1", "'\uff1d1+1", id="full-width"),
        pytest.param("", "", id="empty"),
    ],
)
def test_formula_from_outside_is_shown_and_not_calculated(text: str, cell: str) -> None:
    """What a server says cannot run in a spreadsheet; numbers stay numbers."""
    assert defused(text) == cell


@given(st.text())
def test_defused_text_begins_with_no_formula(text: str) -> None:
    """Whatever the text, its cell begins no formula, and one quote is all that is added."""
    cell = defused(text)

    assert NUMBER.fullmatch(cell) or not cell.startswith(tuple("=+-@\t\r"))
    assert cell.removeprefix("'") == text.removeprefix("'")


@pytest.mark.parametrize(
    ("field", "result"),
    [
        pytest.param("error_code", changed(FAILED, error_code="=1+1"), id="error_code"),
        pytest.param("message", changed(FAILED, message="=1+1"), id="message"),
        pytest.param("note", changed(FAILED, note="=1+1"), id="note"),
        pytest.param("after", changed(FAILED, names=("=1+1",)), id="after"),
    ],
)
def test_fields_from_outside_are_defused(tmp_path: Path, field: str, result: Result) -> None:
    """Every column that a server can fill is defused in the CSV, and untouched in the JSON lines."""
    frozen(tmp_path, [item(1)])
    settled(tmp_path, (item(1), result))

    assert (csv_rows(tmp_path)[0][field], json_rows(tmp_path)[0][field]) == ("'=1+1", "=1+1")


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("a,b", id="comma"),
        pytest.param('a"b', id="quote"),
        pytest.param("a\nb", id="line-feed"),
        pytest.param("a\rb", id="return"),
        pytest.param("a\u2028b\u0085c", id="line-separators"),
        pytest.param("a\x1b[31mb\x07c\x00d", id="controls"),
        pytest.param("zwölf", id="umlaut"),
    ],
)
def test_awkward_text_stays_in_its_field(tmp_path: Path, text: str) -> None:
    """Commas, quotes, line ends and control characters neither break a row nor get lost."""
    frozen(tmp_path, [item(1), item(2)])
    settled(tmp_path, (item(1), changed(FAILED, message=text)))

    told = ([row["message"] for row in rows] for rows in (csv_rows(tmp_path), json_rows(tmp_path)))
    assert list(told) == [[text, "the run has not ended"]] * 2


def test_summary_adds_up(run_dir: Path) -> None:
    """The counts by status add up to the total, those by class to the items that went wrong."""
    found = json.loads(report(run_dir, "json"))

    assert (sum(found["by_status"].values()), found["total"]) == (7, 7)
    assert found["by_class"] == {"invalid": 1}


def test_summary_tells_how_the_run_ended(run_dir: Path) -> None:
    """Job, run, calls, exit code and reason are there for a dashboard."""
    found = json.loads(report(run_dir, "json"))

    told = [found[name] for name in ("run", "job", "simulated", "calls", "exit_code", "reason")]
    assert told == [HEADER.id, "ptr-migration", False, 4, 130, "stopped by SIGINT"]


NAMED = f"{HEADER.job_name} (run {HEADER.id}):"


def test_text_has_a_line_per_item_and_the_counts(run_dir: Path) -> None:
    """Eyes see the status, the action, the address and what happened, and the sum at the end."""
    *lines, last = report(run_dir, "text").splitlines()

    assert [line.split()[:2] for line in lines[:3]] == [
        ["changed", "update_ptr"], ["failed", "update_ptr"], ["ok", "get_traffic"]
    ]  # fmt: skip
    assert (len(lines), last) == (
        7, f"{NAMED} 7 items: 1 changed, 1 ok, 1 failed, 1 unknown, 1 skipped, 2 not_run"
    )  # fmt: skip


@pytest.mark.parametrize(
    ("number", "words"),
    [
        pytest.param(1, "a.example, b.example -> host-1.example.net  (by read-back)", id="change"),
        pytest.param(2, "invalid: malformed IP", id="failure"),
    ],
)
def test_text_tells_what_happened(run_dir: Path, number: int, words: str) -> None:
    """A line ends with the change, the answer or the trouble."""
    assert report(run_dir, "text").splitlines()[number - 1].endswith(words)


def test_simulated_run_is_marked(tmp_path: Path) -> None:
    """Nobody mistakes a rehearsal for the real thing."""
    frozen(tmp_path, [item(1)], replace(HEADER, simulated=True))

    assert report(tmp_path, "text").splitlines()[-1] == f"{NAMED} SIMULATED: 1 item: 1 not_run"


@pytest.mark.parametrize(
    ("form", "text"),
    [
        pytest.param("jsonl", "", id="jsonl"),
        pytest.param("csv", ",".join(FIELDS) + "\n", id="csv"),
        pytest.param("text", f"{NAMED} 0 items: nothing to do\n", id="text"),
    ],
)
def test_report_of_an_empty_plan_is_valid(tmp_path: Path, form: str, text: str) -> None:
    """A plan without items gives a report without rows."""
    frozen(tmp_path, [])

    assert report(tmp_path, form) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        pytest.param(None, None, id="never"),
        pytest.param(0.0, "1970-01-01T00:00:00.000Z", id="epoch"),
        pytest.param(1_788_232_500.1239, "2026-09-01T03:15:00.123Z", id="milliseconds"),
    ],
)
def test_time_is_utc_with_milliseconds(seconds: float | None, text: str | None) -> None:
    """Times look the same wherever a report is rendered."""
    assert iso(seconds) == text


def test_every_format_has_its_renderer() -> None:
    """What a user may ask for is what can be written."""
    assert set(REPORT_FORMATS) == FORMATS.keys() | FILES.keys()

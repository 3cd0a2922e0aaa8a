"""The lines of the largest reports are built in the cheapest way, and say what the rows say."""

import csv
import io
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkip.errors import StoreError
from bulkip.exactjson import exact_text
from bulkip.model import ErrorClass, JsonValue, Result, Status
from bulkip.reports import FORMATS
from bulkip.reports.csv_rows import csv_line, quoted
from bulkip.reports.rows import iso, report_rows, shown_names
from bulkip.store import RunReader
from bulkip.store.questions import OUTCOME
from tests.storedruns import frozen, item, settled

TEXT = 'a, "b": c\\d\n\u2028é😀 =1'
VALUE: JsonValue = {
    TEXT: [Decimal("1.50"), Decimal("1E+30"), Decimal("-0.0"), 10**30, None, True, {}, []],
    "at": "2026-09-01 00:00:00",
}
ENDS = (
    Result(Status.CHANGED, names=("a.example.net",), note=TEXT, http_status=200),
    Result(Status.FAILED, ErrorClass.INVALID, TEXT, TEXT, 503, names=(TEXT, "b.example.net")),
    Result(Status.UNCHANGED, names=(TEXT,)),
    Result(Status.UNKNOWN, names=()),
    Result(Status.OK, value=VALUE),
    Result(Status.OK, value=TEXT, empty=True),
    Result(Status.OK, value=[Decimal("0.10")], note=""),
)


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """Return a run whose items ended in every way that a line shows otherwise, the last one not at all."""
    plan = [replace(item(number), form={TEXT: TEXT, "ptr": "a b"}) for number in range(1, len(ENDS) + 1)]
    left = replace(item(len(ENDS) + 1), ip=None, action="list_free_ip", form={}, source=TEXT)
    frozen(tmp_path, [*plan, left])
    settled(tmp_path, *zip(plan, ENDS, strict=True))
    return tmp_path


def lines(run_dir: Path, form: str) -> Iterator[str]:
    """Yield the lines of a report."""
    with RunReader(run_dir) as reader:
        yield from FORMATS[form](reader)


def test_line_of_json_is_its_row(run_dir: Path) -> None:
    """A line holds what the row holds, to the last digit, as the exact writer writes it."""
    with RunReader(run_dir) as reader:
        rows = [*report_rows(reader)]

    assert len(rows) == len(ENDS) + 1
    assert [*lines(run_dir, "jsonl")] == [exact_text(row, close=True) + "\n" for row in rows]


def test_row_begins_with_the_columns_that_reports_take(run_dir: Path) -> None:
    """Reports take the columns of a row by place, so the store must give them in this order."""
    with RunReader(run_dir) as reader:
        row = next(reader.rows())

    assert tuple(row.keys())[: len(OUTCOME)] == OUTCOME


@given(st.lists(st.text(alphabet=st.characters(exclude_categories=["Cs"])), min_size=2))
def test_line_of_csv_is_that_of_the_standard_writer(cells: list[str]) -> None:
    """Cells are quoted where the csv module quotes them, and it reads them back."""
    written = io.StringIO()
    csv.writer(written, lineterminator="\r\n").writerow(cells)

    line = csv_line(map(quoted, cells))

    assert line == written.getvalue().removesuffix("\r\n") + "\n"
    assert [*csv.reader(io.StringIO(line, newline=""))] == [cells]


@given(st.floats(0, 4e9) | st.integers(0, 4 * 10**9) | st.floats(-1e6, 0))
def test_time_is_what_the_calendar_says(seconds: float) -> None:
    """The short way to a time stamp rounds as `datetime` does."""
    calendar = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")

    assert iso(seconds) == calendar.replace("+00:00", "Z")


@given(st.lists(st.text()))
def test_names_are_what_was_stored(names: list[str]) -> None:
    """One name is a text, several are a list, whatever they are made of."""
    shown = shown_names(json.dumps(names, ensure_ascii=False))

    assert shown == (names if len(names) > 1 else names[0] if names else None)


@pytest.mark.parametrize("form", ["jsonl", "csv", "text"])
@pytest.mark.parametrize(
    "damage",
    [
        pytest.param("UPDATE item SET form = '{\"ip\":' WHERE number = 3", id="form"),
        pytest.param("UPDATE result SET value = '[1' WHERE item = 5", id="value"),
        pytest.param("UPDATE result SET names = '[\"a' WHERE item = 1", id="names"),
    ],
)
def test_broken_json_in_a_store_is_damage(run_dir: Path, form: str, damage: str) -> None:
    """No report passes on what cannot be read: the store is said to be damaged, and what is."""
    with sqlite3.connect(run_dir / "run.db") as store:
        store.execute(damage)
    store.close()

    with pytest.raises(StoreError, match=r"damaged: .* is not the JSON it was"), RunReader(run_dir) as reader:
        [*FORMATS[form](reader)]

"""The report of what failed: the user's own rows, ready to be the next job's input."""

import csv
import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from anyio import run
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkip.csvtargets import csv_targets
from bulkip.frozen import replace as changed
from bulkip.model import ErrorClass, Heading, Item, Place, Problem, Result, Status, Target
from bulkip.reports import FORMATS
from bulkip.reports.failed_csv import Layout
from bulkip.store import RunReader, open_writer
from bulkip.store.keepers import KNOWN_HEADINGS
from tests.storedruns import SENT_AT, frozen, item, settled

FAILED = Result(Status.FAILED, ErrorClass.INVALID, "-1", "malformed IP", 200)
REASON = "invalid,-1,malformed IP,1"
SKIPPED_WITH = Result(Status.SKIPPED, note="get_ip (action `1`) of this address ended as failed")
PLACE = Place("rows.csv", 2)


def listed(number: int, *cells: str, heading: Heading | None = None) -> Item:
    """Return an item from a CSV row with these cells; the header is `name,ip,note` unless told otherwise."""
    one = item(number)
    heading = heading or Heading(("name", "ip", "note"), ",")
    return replace(one, target=Target(one.ip or "", {}, PLACE, heading, cells))


def with_fields(number: int, **fields: str) -> Item:
    """Return an item whose target has fields, and came from no CSV."""
    one = item(number)
    return replace(one, target=Target(one.ip or "", fields, PLACE))


def report(folder: Path) -> str:
    """Render the report of a run."""
    with RunReader(folder) as reader:
        return "".join(FORMATS["failed-csv"](reader))


def failed(folder: Path, *plan: Item) -> list[str]:
    """Return the lines of the report when every item of a plan failed."""
    frozen(folder, plan)
    settled(folder, *((one, FAILED) for one in plan))
    return report(folder).splitlines()


def test_row_comes_back_as_it_was_written(tmp_path: Path) -> None:
    """Columns keep their order and their names, the address too keeps its place and its spelling."""
    lines = failed(tmp_path, listed(1, "mail", " 203.0.0.1", "x"))

    assert lines == [
        "name,ip,note,error_class,error_code,error_message,attempts",
        f"mail, 203.0.0.1,x,{REASON}",
    ]


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        pytest.param("=SUM(A1)", "=SUM(A1)", id="formula-of-the-user"),
        pytest.param("a,b", '"a,b"', id="delimiter"),
        pytest.param('say "hi"', '"say ""hi"""', id="quotes"),
        pytest.param("zwölf 漢字 🙂", "zwölf 漢字 🙂", id="not-ascii"),
        pytest.param("  spaces\t", "  spaces\t", id="white-space"),
        pytest.param("", "", id="empty"),
    ],
)
def test_own_cells_are_not_touched(tmp_path: Path, cell: str, written: str) -> None:
    """What the user wrote stays as it is; only what the format needs is quoted."""
    assert failed(tmp_path, listed(1, "n", "203.0.0.1", cell))[1] == f"n,203.0.0.1,{written},{REASON}"


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.text(st.characters(exclude_categories=("Cs", "Cc", "Cf", "Zl", "Zp", "Cn"))),
        min_size=2,
        max_size=2,
    )
)
def test_any_cells_survive(cells: list[str]) -> None:
    """Whatever a row holds, reading the report gives the same cells again."""
    with TemporaryDirectory() as folder:
        failed(Path(folder), listed(1, cells[0], "203.0.0.1", cells[1]))
        rows = list(csv.reader(io.StringIO(report(Path(folder)), newline=""), strict=True))

    assert rows[1][:3] == [cells[0], "203.0.0.1", cells[1]]


def test_line_ends_inside_a_cell_are_quoted(tmp_path: Path) -> None:
    """A cell of several lines stays one cell."""
    frozen(tmp_path, [one := listed(1, "n", "203.0.0.1", "a\nb\r\nc")])
    settled(tmp_path, (one, FAILED))

    rows = list(csv.reader(io.StringIO(report(tmp_path), newline=""), strict=True))

    assert rows[1][2] == "a\nb\r\nc"


def test_text_from_outside_is_defused(tmp_path: Path) -> None:
    """What a server says cannot calculate, and holds nothing that loading the file would refuse."""
    hostile = changed(FAILED, error_code="=1+1", message="@SUM(1)\u202e\x1b")
    frozen(tmp_path, [one := listed(1, "n", "203.0.0.1", "x")])
    settled(tmp_path, (one, hostile))

    assert report(tmp_path).splitlines()[1].endswith(",invalid,'=1+1,'@SUM(1)??,1")


def test_columns_of_an_earlier_report_are_replaced(tmp_path: Path) -> None:
    """The report can be fed back again and again without growing."""
    heading = Heading(("ip", "error_class", "error_code", "error_message", "attempts"), ",")

    lines = failed(tmp_path, listed(1, "203.0.0.1", "old", "old", "old", "9", heading=heading))

    assert lines == ["ip,error_class,error_code,error_message,attempts", f"203.0.0.1,{REASON}"]


def test_target_without_a_csv_gives_its_fields(tmp_path: Path) -> None:
    """An address of the job itself comes back with the fields that the job gave it."""
    plain = replace(item(2), target=Target("203.0.0.2", {}, PLACE))

    assert failed(tmp_path, with_fields(1, id="4711"), plain) == [
        "ip,id,error_class,error_code,error_message,attempts",
        f"203.0.0.1,4711,{REASON}",
        f"203.0.0.2,,{REASON}",
    ]


def test_every_row_may_have_fields_of_its_own(tmp_path: Path) -> None:
    """Objects of a JSON list need not agree on their keys, however many there are."""
    plan = [with_fields(number, **{f"f{number % (KNOWN_HEADINGS + 5)}": "x"}) for number in range(1, 1100)]
    frozen(tmp_path, plan)

    rows = list(csv.DictReader(report(tmp_path).splitlines()))

    filled = [[name for name, cell in row.items() if cell == "x"] for row in rows]
    assert filled == [[f"f{number % (KNOWN_HEADINGS + 5)}"] for number in range(1, 1100)]


def test_headers_are_united_in_order_of_first_sight(tmp_path: Path) -> None:
    """Rows of lists with different headers stand in one table; a column is named as it was first."""
    other = Heading((" IP ", "owner", "name "), ",")

    assert failed(
        tmp_path, listed(1, "a", "203.0.0.1", "x"), listed(2, "203.0.0.2", "me", "b", heading=other)
    ) == [
        "name,ip,note,owner,error_class,error_code,error_message,attempts",
        f"a,203.0.0.1,x,,{REASON}",
        f"b,203.0.0.2,,me,{REASON}",
    ]


@pytest.mark.parametrize(
    ("delimiters", "used"),
    [
        pytest.param((";",), ";", id="one"),
        pytest.param((";", ";"), ";", id="agreed"),
        pytest.param((";", "\t"), ",", id="different"),
        pytest.param((";", None), ";", id="beside-fields"),
        pytest.param((None,), ",", id="fields-alone"),
        pytest.param((), ",", id="nothing"),
    ],
)
def test_delimiter_is_that_of_the_lists(delimiters: Sequence[str | None], used: str) -> None:
    """A job whose lists agree on a delimiter gets its rows back with it; else it is a comma."""
    assert Layout.of((one, ("ip",)) for one in delimiters).delimiter == used


@pytest.mark.parametrize(
    ("result", "stands"),
    [
        pytest.param(FAILED, True, id="failed"),
        pytest.param(Result(Status.CONFLICT), True, id="conflict"),
        pytest.param(Result(Status.UNKNOWN), True, id="unknown"),
        pytest.param(Result(Status.CHANGED), False, id="changed"),
        pytest.param(Result(Status.UNCHANGED), False, id="unchanged"),
        pytest.param(Result(Status.OK), False, id="ok"),
    ],
)
def test_row_stands_there_when_something_is_left(tmp_path: Path, result: Result, *, stands: bool) -> None:
    """What failed, conflicts or is unknown is given back; what succeeded is not."""
    frozen(tmp_path, [one := listed(1, "n", "203.0.0.1", "x")])
    settled(tmp_path, (one, result))

    assert len(report(tmp_path).splitlines()) == 1 + stands


def test_row_that_was_not_run_says_why(tmp_path: Path) -> None:
    """A halted run gives back what it did not come to, with the reason of the halt."""
    frozen(tmp_path, [listed(1, "n", "203.0.0.1", "x")])
    run(halted, tmp_path)

    assert report(tmp_path).splitlines()[1] == "n,203.0.0.1,x,cancelled,,SIGINT received,0"


async def halted(folder: Path) -> None:
    """Start a run and stop it at once."""
    async with open_writer(folder) as writer:
        await writer.end_start(
            await writer.begin_start(SENT_AT), SENT_AT, 130, ("SIGINT received", "cancelled")
        )


def test_target_has_one_row_whatever_its_items(tmp_path: Path) -> None:
    """An address whose later actions were skipped stands there once, with the action that failed."""
    first = listed(1, "n", "203.0.0.1", "x")
    second = replace(first, number=2, step="2", action="get_ip", key="second")
    frozen(tmp_path, [first, second])
    settled(tmp_path, (first, FAILED), (second, SKIPPED_WITH))

    assert report(tmp_path).splitlines()[1:] == [f"n,203.0.0.1,x,{REASON}"]


@pytest.mark.parametrize(
    "left_out",
    [
        pytest.param(replace(item(1), skip="when: no"), id="by-when"),
        pytest.param(replace(item(1), ip=None, action="list_free_ip", form={}), id="without-address"),
    ],
)
def test_item_that_is_no_failed_target_has_no_row(tmp_path: Path, left_out: Item) -> None:
    """What `when` left out has not failed, and an action without an address came from no row."""
    frozen(tmp_path, [left_out])

    assert report(tmp_path).splitlines()[1:] == []


def test_row_that_took_the_place_of_another_is_given_back(tmp_path: Path) -> None:
    """Of two rows for an address the one that `when` let through is the one that failed."""
    retired = replace(listed(1, "old", "203.0.0.1", ""), skip="when: no", key="other")
    active = replace(listed(1, "new", "203.0.0.1", ""), number=2, chain=2)
    frozen(tmp_path, [retired, active])
    settled(tmp_path, (replace(active, number=1, chain=1), FAILED))

    assert report(tmp_path).splitlines()[1:] == [f"new,203.0.0.1,,{REASON}"]


def test_report_can_be_loaded_again(tmp_path: Path) -> None:
    """Loading accepts the report as a list of targets, cells and all."""
    lines = failed(tmp_path, listed(1, 'a "b"', "203.0.0.1", "two\nlines"), with_fields(2, id="7"))

    content = io.BytesIO(("\n".join(lines) + "\n").encode())
    found = list(csv_targets(content, "failed.csv", ",", allow_ipv6=False))

    targets = [one for one in found if isinstance(one, Target)]
    assert [one for one in found if isinstance(one, Problem)] == []
    assert [(one.ip, one.fields["name"], one.fields["note"]) for one in targets] == [
        ("203.0.0.1", 'a "b"', "two\nlines"),
        ("203.0.0.2", "", ""),
    ]


def test_nothing_failed_leaves_the_header(tmp_path: Path) -> None:
    """A run without a failure gives a valid file without rows."""
    frozen(tmp_path, [one := listed(1, "n", "203.0.0.1", "x")])
    settled(tmp_path, (one, Result(Status.CHANGED)))

    assert report(tmp_path) == "name,ip,note,error_class,error_code,error_message,attempts\n"

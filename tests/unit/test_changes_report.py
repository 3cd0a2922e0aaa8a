"""A plan as people read it: marks, groups, and a digest of what it means."""

import json
from pathlib import Path

import pytest

from bulkip.model import Before, ErrorClass, Item, Known, Result, Status
from bulkip.reports.changes import Change, change_counts, csv_changes, diff_lines, jsonl_changes, plan_digest
from bulkip.store import RunReader
from tests.storedruns import frozen

FAILED = Result(Status.FAILED, ErrorClass.INVALID, message="no such address")


def item(number: int, ptr: str, before: tuple[str, ...] | None, result: Result | None = None) -> Item:
    """Return an update_ptr whose value before is known."""
    ip = f"203.0.113.{number}"
    known = Known(None if before is None else Before(before, 1.0), result)
    form = {"ip": ip, "id": "4711", "ptr": ptr}
    return Item(
        number, number, f"key-{number}", "1", "update_ptr", ip, form, f"rows.csv:{number}", known=known
    )


EACH = (
    item(1, "new.example.net", ()),
    item(2, "new.example.net", ("old.example.org",)),
    item(3, "", ("old.example.org",)),
    item(4, "Old.example.org", ("old.example.org.",)),
    item(5, "new.example.net", None, FAILED),
    item(6, "new.example.net", ("new.example.net",), Result(Status.UNCHANGED)),
    Item(7, 7, "key-7", "1", "get_ip", "203.0.113.7", {"ip": "203.0.113.7"}, "rows.csv:7"),
    Item(8, 8, "key-8", "1", "set_main", "203.0.113.8", {"ip": "203.0.113.8", "main": "1"}, "rows.csv:8"),
    Item(9, 9, "key-9", "1", "update_ptr", "203.0.113.9", {}, "rows.csv:9", skip="when: no"),
)


def test_each_item_counts_once_under_what_is_done(tmp_path: Path) -> None:
    """Everything that can be planned has a mark of its own, in the order of the diff."""
    frozen(tmp_path, EACH)

    with RunReader(tmp_path) as reader:
        assert change_counts(reader) == {
            Change.SET: 1,
            Change.CHANGE: 1,
            Change.CLEAR: 1,
            Change.SEND: 1,
            Change.READ: 1,
            Change.NONE: 2,
            Change.LEFT_OUT: 2,
        }


def test_diff_says_what_is_there_and_what_will_be(tmp_path: Path) -> None:
    """A line per address below a heading per kind."""
    frozen(tmp_path, EACH)

    with RunReader(tmp_path) as reader:
        told = "".join(diff_lines(reader))
    assert told == (
        "+ to set where there is none: 1\n  + 203.0.113.1     new.example.net\n"
        "~ to change: 1\n  ~ 203.0.113.2     old.example.org -> new.example.net\n"
        "- to clear: 1\n  - 203.0.113.3     old.example.org\n"
        "> to send, with no value to compare: 1\n  > 203.0.113.8     set_main main=1\n"
        "? to read: 1\n  ? 203.0.113.7     get_ip\n"
        "= as wanted already: 2\n  = 203.0.113.4     Old.example.org\n  = 203.0.113.6     new.example.net\n"
        "! not to be done: 2\n  ! 203.0.113.5     update_ptr: no such address\n"
        "  ! 203.0.113.9     update_ptr: when: no\n"
    )


def test_terminal_gets_the_first_of_each_kind(tmp_path: Path) -> None:
    """A long group is shortened, and says by how much."""
    frozen(tmp_path, [item(number, "new.example.net", ()) for number in range(1, 31)])

    with RunReader(tmp_path) as reader:
        told = [*diff_lines(reader, 3)]
    assert len(told) == 5
    assert told[-1] == "  + ... and 27 more\n"


@pytest.mark.parametrize(
    ("other", "same"),
    [
        pytest.param(item(1, "new.example.net", ("old.example.org",)), True, id="the-same"),
        pytest.param(item(1, "new.example.net", ("OLD.example.org.",)), True, id="spelled-otherwise"),
        pytest.param(item(1, "new.example.net", ("older.example.org",)), False, id="another-value-there"),
        pytest.param(item(1, "new.example.net", ()), False, id="none-there"),
        pytest.param(item(1, "new.example.net", None, FAILED), False, id="unreadable"),
    ],
)
def test_digest_is_of_values_and_wishes(tmp_path: Path, other: Item, *, same: bool) -> None:
    """What means the same has the same digest, whenever and however it was read."""
    frozen(tmp_path / "a", [item(1, "new.example.net", ("old.example.org",))])
    frozen(tmp_path / "b", [other])

    with RunReader(tmp_path / "a") as first, RunReader(tmp_path / "b") as second:
        assert (plan_digest(first) == plan_digest(second)) is same


def test_order_of_several_names_does_not_matter(tmp_path: Path) -> None:
    """A server lists several names in any order."""
    frozen(tmp_path / "a", [item(1, "new.example.net", ("a.example.org", "b.example.org"))])
    frozen(tmp_path / "b", [item(1, "new.example.net", ("b.example.org", "a.example.org"))])

    with RunReader(tmp_path / "a") as first, RunReader(tmp_path / "b") as second:
        assert plan_digest(first) == plan_digest(second)


def test_programs_get_every_item(tmp_path: Path) -> None:
    """JSON lines and CSV hold the same items, whole, in plan order."""
    frozen(tmp_path, EACH)

    with RunReader(tmp_path) as reader:
        objects = [json.loads(line) for line in jsonl_changes(reader)]
        table = [*csv_changes(reader)]
    assert [one["ip"] for one in objects] == [one.ip for one in EACH]
    assert (objects[1]["before"], objects[1]["after"]) == ("old.example.org", "new.example.net")
    assert len(table) == len(EACH) + 1


def test_spreadsheet_is_not_attacked_by_a_name(tmp_path: Path) -> None:
    """A PTR that begins like a formula comes from outside, and stays a text."""
    frozen(tmp_path, [item(1, "new.example.net", ("=cmd|calc",))])

    with RunReader(tmp_path) as reader:
        assert "'=cmd|calc" in "".join(csv_changes(reader))

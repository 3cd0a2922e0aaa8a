"""A plan file is refused unless it is what was written."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bulkip.errors import UsageError
from bulkip.model import JsonValue, Status
from bulkip.planfile import PlanFile, PlanHead, plan_lines
from bulkip.run.planitems import planned_items

HEAD = PlanHead("move", "job.yaml", "d1", "http://127.0.0.1:1/", False, 1.0, "0", "d2", {}, {})  # noqa: FBT003 -- a row
DEEP = "[" * 100_000


def item(number: int, **other: Any) -> dict[str, Any]:
    """Return an item as a plan file holds it."""
    ip, ptr = f"203.0.113.{number}", f"new-{number}.example.net"
    written: dict[str, Any] = {
        "number": number,
        "chain": number,
        "key": f"key-{number}",
        "step": "1",
        "action": "update_ptr",
        "ip": ip,
        "params": {"ip": ip, "id": "4711", "ptr": ptr},
        "source": f"rows.csv:{number + 1}",
        "skip": None,
        "change": "change",
        "before": [f"old-{number}.example.org"],
        "read_at": 5.0,
        "server_found": False,
        "message": None,
    }
    return written | other


def text_of(*items: dict[str, Any]) -> str:
    """Return a whole plan file of these items."""
    return "".join(plan_lines(HEAD, items))


WRITTEN = text_of(item(1), item(2), item(3))


def read(folder: Path, content: str | bytes) -> list[Any]:
    """Read a plan file to its end, as a run would."""
    path = folder / "p.json"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with PlanFile(path) as plan:
        return [*planned_items(path, plan)]


def signed(*lines: str) -> str:
    """Return lines with the sha256 that belongs to them, as somebody who means it would."""
    text = "".join(lines)
    return f'{text}],"sha256":"{hashlib.sha256(text.encode()).hexdigest()}"}}\n'


def test_what_was_written_is_read(tmp_path: Path) -> None:
    """Items come back as they were planned, each with the value that was seen."""
    found = read(tmp_path, WRITTEN)

    assert [one.ip for one in found] == ["203.0.113.1", "203.0.113.2", "203.0.113.3"]
    assert found[1].form == item(2)["params"]
    assert found[1].known.before.names == ("old-2.example.org",)


def test_file_is_one_json_document() -> None:
    """Any program can read a plan."""
    assert [one["number"] for one in json.loads(WRITTEN)["items"]] == [1, 2, 3]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300, deadline=None)
@given(st.integers(0, len(WRITTEN) - 1), st.integers(1, 255))
def test_any_changed_byte_is_refused(tmp_path: Path, place: int, mask: int) -> None:
    """No byte of a plan can be another one."""
    content = bytearray(WRITTEN.encode())
    content[place] ^= mask

    with pytest.raises(UsageError):
        read(tmp_path, bytes(content))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(st.integers(0, len(WRITTEN) - 1))
def test_any_cut_is_refused(tmp_path: Path, length: int) -> None:
    """A plan that was cut short anywhere is none."""
    with pytest.raises(UsageError):
        read(tmp_path, WRITTEN[:length])


LINES = WRITTEN.splitlines(keepends=True)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("", id="empty"),
        pytest.param("\n", id="line"),
        pytest.param(LINES[0] + LINES[2] + LINES[1] + LINES[3] + LINES[4], id="lines-swapped"),
        pytest.param(LINES[0] + LINES[1] + LINES[3] + LINES[4], id="line-missing"),
        pytest.param("".join([*LINES[:4], LINES[3], LINES[4]]), id="line-twice"),
        pytest.param(WRITTEN + "\n", id="line-behind"),
        pytest.param(WRITTEN + WRITTEN, id="two-plans"),
        pytest.param(WRITTEN.replace("\n", "\r\n"), id="windows-line-ends"),
        pytest.param("\ufeff" + WRITTEN, id="byte-order-mark"),
        pytest.param(json.dumps(json.loads(WRITTEN), indent=2), id="reformatted"),
        pytest.param("version: 1\nname: move\n", id="a-job"),
        pytest.param(b"SQLite format 3\0" * 100, id="binary"),
        pytest.param("x" * 2**21, id="one-long-line"),
    ],
)
def test_what_is_no_plan_is_refused(tmp_path: Path, content: str | bytes) -> None:
    """The message names the file, and the way out."""
    with pytest.raises(UsageError, match=r"p\.json: .*make") as refused:
        read(tmp_path, content)

    assert len(str(refused.value)) < 300


def test_edited_plan_is_refused_before_an_item_is_read(tmp_path: Path) -> None:
    """Whoever opens a plan knows at once that it is whole, so that nothing is done by half of one."""
    path = tmp_path / "p.json"
    path.write_text(WRITTEN.replace("new-3", "new-4"))

    with pytest.raises(UsageError, match="edited or cut short"):
        PlanFile(path)


def test_plan_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    """A file that is written to meanwhile ends the reading of its items."""
    path, written = tmp_path / "p.json", text_of(*map(item, range(1, 200)))
    path.write_text(written)
    with PlanFile(path) as plan:
        with path.open("r+") as file:
            file.write(written.replace("new-199", "new-198"))

        with pytest.raises(UsageError, match="edited or cut short"):
            list(plan.items())


def test_pipe_is_refused(tmp_path: Path) -> None:
    """A plan is read twice, so it has to be a file."""
    with pytest.raises(UsageError, match="cannot be read"):
        PlanFile(tmp_path)


@pytest.mark.parametrize(
    "head",
    [
        pytest.param('{"bulkip_plan":2,"head":{},"items":[\n', id="version"),
        pytest.param('{"bulkip_plan":1,"head":{},"items":[\n', id="no-head"),
        pytest.param('{"bulkip_plan":1,"head":7,"items":[\n', id="head-of-another-type"),
        pytest.param(f'{{"bulkip_plan":1,"head":{DEEP},"items":[\n', id="deep"),
        pytest.param('{"bulkip_plan":' + "9" * 10_000 + ',"head":{},"items":[\n', id="huge-number"),
        pytest.param(LINES[0].replace('"move"', "7"), id="field-of-another-type"),
        pytest.param(LINES[0].replace('"version"', '"versions"'), id="unknown-field"),
    ],
)
def test_head_of_another_kind_is_refused(tmp_path: Path, head: str) -> None:
    """A head with the right sha256 still has to be a head."""
    with pytest.raises(UsageError, match="make"):
        read(tmp_path, signed(head))


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("7\n", id="number"),
        pytest.param("[]\n", id="list"),
        pytest.param("{}\n", id="empty"),
        pytest.param(f"{DEEP}\n", id="deep"),
        pytest.param("\n", id="blank"),
        pytest.param('{"number":' + "9" * 10_000 + "}\n", id="huge-number"),
    ],
)
def test_line_that_is_no_item_is_refused(tmp_path: Path, line: str) -> None:
    """Whatever a line holds, it is an item or the plan is damaged."""
    with pytest.raises(UsageError, match="make it again"):
        read(tmp_path, signed(LINES[0], line))


def without(name: str) -> Callable[[], dict[str, Any]]:
    """Return what makes an item that lacks a field."""
    return lambda: {key: value for key, value in item(1).items() if key != name}


@pytest.mark.parametrize("name", sorted(item(1).keys() - {"message"}))
def test_item_that_lacks_a_field_is_refused(tmp_path: Path, name: str) -> None:
    """Nothing is assumed about what is missing."""
    with pytest.raises(UsageError, match="item 1 of the plan is damaged"):
        read(tmp_path, text_of(without(name)()))


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"number": 0}, id="number-0"),
        pytest.param({"number": 1.0}, id="number-float"),
        pytest.param({"number": True}, id="number-bool"),
        pytest.param({"number": 2**70, "chain": 2**70}, id="number-too-large"),
        pytest.param({"chain": 2}, id="chain-beyond"),
        pytest.param({"chain": -1}, id="chain-negative"),
        pytest.param({"action": "reboot"}, id="unknown-action"),
        pytest.param({"action": ["update_ptr"]}, id="action-list"),
        pytest.param({"ip": "203.0.113.9"}, id="another-address"),
        pytest.param({"ip": 3405803777}, id="address-number"),
        pytest.param({"ip": "203.0.113.001"}, id="address-spelled-otherwise"),
        pytest.param({"ip": None}, id="no-address"),
        pytest.param({"params": []}, id="params-list"),
        pytest.param({"params": {"ip": "203.0.113.1", "id": "x", "ptr": "a.example.net"}}, id="bad-id"),
        pytest.param({"params": {"ip": "203.0.113.1", "id": "1", "ptr": "a b"}}, id="bad-name"),
        pytest.param({"params": {"ip": "203.0.113.1", "id": "1", "ptr": "a.b\n c.d"}}, id="bad-names"),
        pytest.param(
            {"params": {"ip": "203.0.113.1", "id": 1, "ptr": "a.example.net"}}, id="number-in-params"
        ),
        pytest.param({"params": {**item(1)["params"], "token": "x"}}, id="parameter-too-many"),
        pytest.param({"step": 1}, id="step-number"),
        pytest.param({"source": "\ud800"}, id="half-a-character"),
        pytest.param({"before": "old.example.org"}, id="before-text"),
        pytest.param({"before": [1]}, id="before-number"),
        pytest.param({"read_at": None}, id="read-never"),
        pytest.param({"change": "delete"}, id="unknown-change"),
        pytest.param({"change": ["set"]}, id="change-list"),
        pytest.param({"skip": 1}, id="skip-number"),
        pytest.param({"server_found": "no"}, id="server-perhaps-found"),
    ],
)
def test_item_that_no_plan_could_have_made_is_refused(tmp_path: Path, other: dict[str, JsonValue]) -> None:
    """Although its sha256 is right, an item must be what its action would take from a job."""
    with pytest.raises(UsageError, match="item 1 of the plan is damaged"):
        read(tmp_path, text_of(item(1) | other))


@pytest.mark.parametrize("numbers", [(2, 1), (1, 1)], ids=["backwards", "twice"])
def test_items_stand_in_plan_order(tmp_path: Path, numbers: tuple[int, int]) -> None:
    """Two items with one number would be one item in the run store, so they are none."""
    with pytest.raises(UsageError, match="item 2 of the plan is damaged"):
        read(tmp_path, text_of(*map(item, numbers)))


@pytest.mark.parametrize(
    ("change", "status"),
    [
        pytest.param("none", Status.UNCHANGED, id="as-wanted"),
        pytest.param("left_out", Status.FAILED, id="left-out"),
        pytest.param("change", None, id="to-be-written"),
    ],
)
def test_what_is_not_to_be_written_has_its_result(tmp_path: Path, change: str, status: Status | None) -> None:
    """What the plan leaves alone is settled from the start, so that no call is made for it."""
    (found,) = read(tmp_path, text_of(item(1, change=change, message="no such address")))

    assert (found.known.result and found.known.result.status) == status

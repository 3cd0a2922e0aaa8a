"""What becomes of facts that a run store did not take: they are told, whole, to whoever opened it."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bulkip.errors import StoreError
from bulkip.events import NotStored
from bulkip.frozen import replace as changed
from bulkip.model import Before, ErrorClass, Purpose, Result, Status
from bulkip.reports.rows import FIELDS
from bulkip.reports.unsaved import unsaved_line
from bulkip.store import RunWriter, open_writer
from tests.storedruns import attempt, frozen, item, nothing, outcome, settle

pytestmark = pytest.mark.anyio

ITEM = item(1)
CHANGED = Result(Status.CHANGED, http_status=200, names=("new.example",))
WRITE = replace(attempt(1), about=ITEM)
Facts = list[dict[str, Any]]
Doing = Callable[[RunWriter], Awaitable[object]]


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """Return the folder of a frozen run."""
    frozen(tmp_path, map(item, range(1, 10)))
    return tmp_path


async def fail(writer: RunWriter) -> None:
    """Let the store grow no more, and write until it fails."""
    pages = await writer.read(lambda db: int(db.execute("PRAGMA page_count").fetchone()[0]))
    await writer.read(lambda db: db.execute(f"PRAGMA max_page_count={pages}").fetchone())
    await writer.remember("long", "x" * 100_000)
    with pytest.raises(StoreError):
        await writer.flush()


async def printed(run_dir: Path, before: Doing, after: Doing) -> Facts:
    """Do something, let the store fail, do something more, and return what is printed at the end."""
    told: list[NotStored] = []
    async with open_writer(run_dir, told.append) as writer:
        await before(writer)
        await fail(writer)
        await after(writer)
    facts: Facts = [json.loads(unsaved_line(fact)) for fact in told]
    return [fact for fact in facts if fact.get("name") != "long"]


async def nothing_yet(_writer: RunWriter) -> None:
    """Do nothing."""


async def begin(writer: RunWriter) -> None:
    """Announce a write."""
    await writer.begin_attempt(WRITE, 1.0)


async def begin_in_vain(writer: RunWriter) -> None:
    """Announce a write that may not go out, and take it back."""
    with pytest.raises(StoreError):
        await writer.begin_attempt(WRITE, 1.0)
    await writer.withdraw_attempt(WRITE)


CASES: dict[str, tuple[Doing, Doing, dict[str, Any]]] = {
    "end of a write": (
        begin,
        lambda writer: writer.finish_attempt(WRITE, outcome()),
        {"unsaved": "attempt", "number": 1, "purpose": "call", "outcome": "success", "http_status": 200},
    ),
    "read": (
        nothing_yet,
        lambda writer: writer.record_attempt(
            replace(WRITE, purpose=Purpose.READBACK), changed(outcome(), error_class=ErrorClass.SERVER)
        ),
        {"unsaved": "attempt", "purpose": "readback", "outcome": "success", "error_class": "server"},
    ),
    "write that was not sent": (
        begin,
        lambda writer: writer.withdraw_attempt(WRITE),
        {"unsaved": "attempt", "purpose": "call", "outcome": "not_sent", "finished_at": None},
    ),
    "value before": (
        nothing_yet,
        lambda writer: writer.record_before(ITEM, Before(("a.example", "b.example"), 1.0), nothing),
        {"unsaved": "before", "before": ["a.example", "b.example"], "read_at": "1970-01-01T00:00:01.000Z"},
    ),
    "result": (
        lambda writer: writer.record_before(ITEM, Before(("old.example",), 1.0), nothing),
        lambda writer: settle(writer, ITEM, CHANGED),
        {"unsaved": "result", "status": "changed", "before": "old.example", "after": "new.example"},
    ),
    "doubt that was settled": (
        nothing_yet,
        lambda writer: writer.clear_doubt(ITEM),
        {"unsaved": "settled", "item": 1},
    ),
}


@pytest.mark.parametrize("case", CASES)
async def test_fact_is_told_with_its_item(run_dir: Path, case: str) -> None:
    """Each fact says which item it is about, in the words of the reports."""
    before, after, fields = CASES[case]

    facts = await printed(run_dir, before, after)

    item_fields = {"key": ITEM.key, "action": ITEM.action, "ip": ITEM.ip}
    assert [fact | fields | item_fields for fact in facts] == facts
    assert len(facts) == 1


async def test_result_has_the_names_of_a_row(run_dir: Path) -> None:
    """A result that is printed can be read like a row of a report."""
    (fact,) = await printed(run_dir, nothing_yet, lambda writer: settle(writer, ITEM, CHANGED))

    assert fact.keys() - {"unsaved", "item"} <= set(FIELDS)


async def test_group_that_fails_is_told_whole(run_dir: Path) -> None:
    """What was handed over before the failure, and committed nowhere, is told as well."""
    told: list[NotStored] = []

    async with open_writer(run_dir, told.append) as writer:
        pages = await writer.read(lambda db: int(db.execute("PRAGMA page_count").fetchone()[0]))
        await writer.read(lambda db: db.execute(f"PRAGMA max_page_count={pages}").fetchone())
        await settle(writer, item(2), CHANGED)
        await writer.flush()
        await settle(writer, item(3), CHANGED)
        await settle(writer, item(4), changed(CHANGED, message="x" * 100_000))
        with pytest.raises(StoreError):
            await writer.flush()

    assert [fact.columns["item"] for fact in told] == [3, 4]


async def test_write_that_was_never_announced_is_not_told(run_dir: Path) -> None:
    """Nothing happened, so there is nothing to know."""
    assert await printed(run_dir, nothing_yet, begin_in_vain) == []


async def test_end_of_a_start_is_told(run_dir: Path) -> None:
    """The exit code and the reason of a run are facts, too."""

    async def end(writer: RunWriter) -> None:
        with pytest.raises(StoreError):
            await writer.end_start(1, 2.0, 6, ("the disk is full", "internal"))

    (fact,) = await printed(run_dir, lambda writer: writer.begin_start(1.0), end)

    assert fact == {
        "unsaved": "end",
        "finished_at": "1970-01-01T00:00:02.000Z",
        "exit_code": 6,
        "reason": "the disk is full",
        "error_class": "internal",
        "number": 1,
    }


async def test_fact_needs_no_store_to_name_its_item(run_dir: Path) -> None:
    """A disk that cannot even be read costs the facts nothing but the value before."""
    (fact,) = await printed(
        run_dir,
        lambda writer: writer.read(lambda db: db.execute("DROP TABLE item").fetchone()),
        lambda writer: settle(writer, ITEM, CHANGED),
    )

    assert (fact["ip"], fact["params"], fact["before"]) == (ITEM.ip, dict(ITEM.form), None)


async def test_printed_fact_obeys_no_terminal(run_dir: Path) -> None:
    """Whatever a server said, a line of JSON is ASCII without control characters."""
    rude = changed(CHANGED, message="\x1b[2J\u202eevil\udc80\n")

    told: list[NotStored] = []
    async with open_writer(run_dir, told.append) as writer:
        await fail(writer)
        await settle(writer, ITEM, rude)

    lines = [unsaved_line(fact) for fact in told]
    assert [line for line in lines if not (line.isascii() and line.isprintable())] == []


async def test_store_that_took_everything_tells_nothing(run_dir: Path) -> None:
    """On a good disk nobody hears of facts."""
    told: list[NotStored] = []

    async with open_writer(run_dir, told.append) as writer:
        await settle(writer, ITEM, CHANGED)

    assert told == []

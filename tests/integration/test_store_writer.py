"""How a run writes down what it does: durable before it counts, and in groups."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from anyio import CancelScope, create_task_group
from anyio.lowlevel import checkpoint

from bulkip.errors import StoreError
from bulkip.frozen import replace as changed
from bulkip.model import Before, ErrorClass, Result, Status
from bulkip.store import Home, RemoteRun, open_writer
from bulkip.store.filedatabase import FileDatabase
from bulkip.store.home import Database
from tests.shelves import Shelf
from tests.storedruns import SETTLED_AT, attempt, frozen, item, outcome, settle

pytestmark = pytest.mark.anyio

MANY = 300
PROMISES = ("journal_mode", "synchronous")
CHANGED = Result(Status.CHANGED, http_status=200, names=("new.example",))


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """Return the folder of a frozen run with many items."""
    frozen(tmp_path, map(item, range(1, MANY + 1)))
    return tmp_path


@pytest.fixture
def home(shelf: Shelf) -> Home:
    """Return where a frozen run with many items is, in each of the stores."""
    return shelf.freeze(map(item, range(1, MANY + 1)))


def rows(home: Home, sql: str) -> list[tuple[object, ...]]:
    """Return what somebody else sees in the store: only what is committed."""
    if isinstance(home, RemoteRun):
        with closing(home.connect()) as other:
            return [tuple(row) for row in other.execute(sql).fetchall()]
    with closing(sqlite3.connect(home / "run.db")) as file:
        return file.execute(sql).fetchall()


async def test_write_is_in_the_store_before_it_may_go_out(home: Home) -> None:
    """When `begin_attempt` returns, a crash of the machine loses nothing about the write (law L2)."""
    write = replace(attempt(7), wanted=("new.example",), seen=("old.example",))

    async with open_writer(home) as writer:
        await writer.begin_attempt(write, 12.5)
        found = rows(home, "SELECT item, number, purpose, sent_at, wanted, seen, in_doubt FROM attempt")

    assert found == [(7, 1, "call", 12.5, '["new.example"]', '["old.example"]', 1)]


async def test_store_is_synchronous(run_dir: Path) -> None:
    """Each commit reaches the disk itself, not only the system's memory."""
    async with open_writer(run_dir) as writer:
        found = await writer.read(
            lambda db: [
                db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")
            ]
        )

    assert found == ["wal", 2]


def trace(told: Callable[[str], object], database: Database) -> None:
    """Tell each statement that SQLite executes."""
    assert isinstance(database, FileDatabase)
    database.connection.set_trace_callback(told)


async def test_result_is_told_only_after_its_commit(run_dir: Path) -> None:
    """Neither a row nor a progress line says what a crash could still undo (law L3)."""
    happened: list[str] = []

    async with open_writer(run_dir) as writer:
        await writer.read(partial(trace, happened.append))
        await writer.settle(item(3), 0, CHANGED, SETTLED_AT, lambda: happened.append("told"))
        await writer.flush()

        assert happened[-2:] == ["COMMIT", "told"]


async def test_value_before_is_told_only_after_its_commit(run_dir: Path) -> None:
    """A reading counts as done when it is stored."""
    happened: list[str] = []

    async with open_writer(run_dir) as writer:
        await writer.read(partial(trace, happened.append))
        await writer.record_before(item(3), Before(("old.example",), 5.0), lambda: happened.append("told"))
        await writer.flush()

        assert happened[-2:] == ["COMMIT", "told"]


async def test_results_are_told_in_the_order_of_writing(home: Home) -> None:
    """Whoever watches sees the items in the order in which they ended."""
    told: list[int] = []

    async with open_writer(home) as writer:
        for number in range(1, 50):
            await writer.settle(item(number), 0, CHANGED, SETTLED_AT, partial(told.append, number))

    assert told == list(range(1, 50))


async def test_many_writers_share_a_commit(run_dir: Path) -> None:
    """The disk syncs once for a group of attempts, however many workers wait for it."""
    statements: list[str] = []

    async with open_writer(run_dir) as writer:
        await writer.read(partial(trace, statements.append))
        async with create_task_group() as workers:
            for number in range(1, MANY + 1):
                workers.start_soon(writer.begin_attempt, attempt(number), 1.0)

    assert statements.count("COMMIT") <= MANY / 20


async def test_each_statement_of_a_group_is_kept(home: Home) -> None:
    """Sharing a commit loses nobody's write."""
    async with open_writer(home) as writer, create_task_group() as workers:
        for number in range(1, MANY + 1):
            workers.start_soon(writer.begin_attempt, attempt(number), 1.0)

    assert rows(home, "SELECT COUNT(DISTINCT item) FROM attempt") == [(MANY,)]


async def test_what_was_written_is_committed_at_the_end(home: Home) -> None:
    """Closing the store waits for everything that was handed over."""
    async with open_writer(home) as writer:
        for number in range(1, MANY + 1):
            await settle(writer, item(number), CHANGED)

    assert rows(home, "SELECT COUNT(*) FROM result") == [(MANY,)]


async def test_cancelled_run_keeps_its_results(home: Home) -> None:
    """A second Ctrl-C cancels the calls, not the results that were handed over."""
    with CancelScope() as scope:
        async with open_writer(home) as writer:
            for number in range(1, MANY + 1):
                await settle(writer, item(number), CHANGED)
            scope.cancel()
            await checkpoint()

    assert rows(home, "SELECT COUNT(*) FROM result") == [(MANY,)]


async def test_cancelled_write_ahead_stays_in_doubt(home: Home) -> None:
    """Whoever is cancelled while waiting for the commit leaves an attempt behind, not a hole."""
    async with open_writer(home) as writer, create_task_group() as workers:
        workers.start_soon(writer.begin_attempt, attempt(7), 1.0)
        await checkpoint()
        workers.cancel_scope.cancel()

    assert rows(home, "SELECT item, in_doubt FROM attempt") == [(7, 1)]


async def test_error_of_the_run_keeps_its_results(home: Home) -> None:
    """A bug in the engine does not cost what was already known."""
    with pytest.RaisesGroup(ZeroDivisionError):
        async with open_writer(home) as writer:
            await settle(writer, item(1), CHANGED)
            raise ZeroDivisionError

    assert rows(home, "SELECT item, status FROM result") == [(1, "changed")]


async def test_begun_attempt_is_completed(home: Home) -> None:
    """How a write ended stands in the line that announced it."""
    ended = changed(outcome(), error_class=ErrorClass.INVALID, message="malformed IP", outcome="permanent")

    async with open_writer(home) as writer:
        await writer.begin_attempt(attempt(7), 1.0)
        await writer.finish_attempt(attempt(7), ended)

    sql = "SELECT sent_at, finished_at, outcome, error_class, http_status, message, in_doubt FROM attempt"
    assert rows(home, sql) == [
        (ended.sent_at, ended.finished_at, "permanent", "invalid", 200, "malformed IP", 0)
    ]


async def test_write_that_was_not_sent_leaves_no_attempt(home: Home) -> None:
    """An attempt that was announced and not made is taken back."""
    async with open_writer(home) as writer:
        await writer.begin_attempt(attempt(7), 1.0)
        await writer.withdraw_attempt(attempt(7))

    assert rows(home, "SELECT * FROM attempt") == []


async def test_reading_clears_the_doubts_of_its_item_alone(home: Home) -> None:
    """A read-back of one address says nothing about another one."""
    async with open_writer(home) as writer:
        for number in (1, 2):
            await writer.record_attempt(attempt(number), outcome(in_doubt=True))
        await writer.clear_doubt(item(1))

    assert rows(home, "SELECT item, in_doubt FROM attempt ORDER BY item") == [(1, 0), (2, 1)]


async def test_starts_are_numbered(home: Home) -> None:
    """Each execution of a run has its own line with its exit code and its reason."""
    async with open_writer(home) as writer:
        first = await writer.begin_start(1.0)
        await writer.end_start(first, 2.0, 130, ("stopped by SIGINT", "cancelled"))
        await writer.begin_start(3.0)

    assert rows(home, "SELECT * FROM start") == [
        (1, 1.0, 2.0, 130, "stopped by SIGINT", "cancelled"),
        (2, 3.0, None, None, None, None),
    ]


async def test_result_is_never_overwritten(home: Home) -> None:
    """A terminal status stays: a second result of the same generation is refused (law L5)."""
    async with open_writer(home) as writer:
        await settle(writer, item(1), CHANGED)
        await writer.flush()
        await settle(writer, item(1), Result(Status.FAILED))
        with pytest.raises(StoreError):
            await writer.flush()

    assert rows(home, "SELECT status FROM result") == [("changed",)]

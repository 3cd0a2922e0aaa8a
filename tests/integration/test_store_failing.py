"""What a run store that fails means for those who write into it."""

import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest

from bulkip.errors import StoreError
from bulkip.frozen import replace
from bulkip.model import Result, Status
from bulkip.store import RunWriter, open_writer
from tests.storedruns import SETTLED_AT, attempt, frozen, item, settle

pytestmark = pytest.mark.anyio

CHANGED = Result(Status.CHANGED, http_status=200)


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """Return the folder of a frozen run."""
    frozen(tmp_path, map(item, range(1, 10)))
    return tmp_path


def results(run_dir: Path) -> list[tuple[object, ...]]:
    """Return the results that are committed."""
    with closing(sqlite3.connect(run_dir / "run.db")) as other:
        return other.execute("SELECT * FROM result").fetchall()


async def fill_disk(writer: RunWriter) -> None:
    """Let the store grow no more, as on a full disk."""
    pages = await writer.read(lambda db: int(db.execute("PRAGMA page_count").fetchone()[0]))
    await writer.read(lambda db: db.execute(f"PRAGMA max_page_count={pages}").fetchone())


async def break_store(writer: RunWriter) -> StoreError:
    """Fill the disk, write until it fails, and return the error."""
    await fill_disk(writer)
    await writer.remember("note", "x" * 100_000)
    with pytest.raises(StoreError) as caught:
        await writer.flush()
    return caught.value


async def test_full_disk_is_told_with_the_file(run_dir: Path) -> None:
    """A store that cannot grow halts the run with a message that says why and where."""
    async with open_writer(run_dir) as writer:
        error = await break_store(writer)

    assert str(error).startswith(f"{run_dir / 'run.db'}: run store: database or disk is full; ")


PROMISES: dict[str, Callable[[RunWriter], Awaitable[object]]] = {
    "begin_attempt": lambda writer: writer.begin_attempt(attempt(1), 1.0),
    "begin_start": lambda writer: writer.begin_start(1.0),
    "end_start": lambda writer: writer.end_start(1, 2.0, 0, None),
    "read": lambda writer: writer.read(lambda db: db.execute("SELECT 1").fetchone()),
    "flush": lambda writer: writer.flush(),
}


@pytest.mark.parametrize("call", PROMISES)
async def test_store_that_failed_promises_nothing_more(run_dir: Path, call: str) -> None:
    """After the first failure whatever relies on a commit raises, so that no write goes out unrecorded."""
    async with open_writer(run_dir) as writer:
        await break_store(writer)
        with pytest.raises(StoreError):
            await PROMISES[call](writer)


async def test_first_failure_halts_the_run_once(run_dir: Path) -> None:
    """The engine hears of a failed store at once, whoever happens to write next, and only once."""
    halted: list[StoreError] = []

    async with open_writer(run_dir) as writer:
        writer.halt = halted.append
        error = await break_store(writer)
        await writer.remember("note", "more")

    assert halted == [error]


async def test_failure_that_nobody_saw_is_raised_at_the_end(run_dir: Path) -> None:
    """Leaving the store means that everything is committed; where it is not, that is an error."""

    async def leave_early() -> None:
        async with open_writer(run_dir) as writer:
            await fill_disk(writer)
            await writer.remember("note", "x" * 100_000)

    with pytest.raises(StoreError):
        await leave_early()


async def test_result_that_could_not_be_written_is_not_told(run_dir: Path) -> None:
    """Nobody hears of a result that the store does not have."""
    told: list[str] = []

    async with open_writer(run_dir) as writer:
        await fill_disk(writer)
        big = replace(CHANGED, message="x" * 100_000)
        await writer.settle(item(1), 0, big, SETTLED_AT, lambda: told.append("settled"))
        with pytest.raises(StoreError):
            await writer.flush()

    assert told == []


async def test_group_that_fails_leaves_nothing(run_dir: Path) -> None:
    """A group is committed whole or not at all."""
    async with open_writer(run_dir) as writer:
        await fill_disk(writer)
        await settle(writer, item(1), CHANGED)
        await settle(writer, item(2), replace(CHANGED, message="x" * 100_000))
        with pytest.raises(StoreError):
            await writer.flush()

    assert results(run_dir) == []


async def test_store_that_others_hold_is_told(run_dir: Path) -> None:
    """A store that somebody else is writing to is no reason to wait forever."""
    with closing(sqlite3.connect(run_dir / "run.db", isolation_level=None)) as other:
        async with open_writer(run_dir) as writer:
            await writer.read(lambda db: db.execute("PRAGMA busy_timeout=1").fetchone())
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreError, match="locked"):
                await writer.begin_attempt(attempt(1), 1.0)


async def test_text_that_no_file_can_hold_is_told(run_dir: Path) -> None:
    """A lone surrogate, which UTF-8 cannot write, fails like a disk and not like a bug."""
    async with open_writer(run_dir) as writer:
        await settle(writer, item(1), replace(CHANGED, message="\udc80"))
        with pytest.raises(StoreError):
            await writer.flush()

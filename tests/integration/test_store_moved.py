"""What a run notices of its store's files being taken away, moved or replaced while it goes on."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from anyio import to_thread

from bulkip.errors import StoreError
from bulkip.events import NotStored
from bulkip.model import Before, Result, Status
from bulkip.store import RunReader, open_writer
from tests.storedruns import attempt, frozen, item, nothing, outcome, settle

pytestmark = pytest.mark.anyio

CHANGED = Result(Status.CHANGED, http_status=200, names=("new.example",))


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """Return the folder of a frozen run."""
    folder = tmp_path / "run"
    frozen(folder, map(item, range(1, 10)))
    return folder


def names(folder: Path) -> list[str]:
    """Return what lies in a folder."""
    return sorted(path.name for path in folder.iterdir())


def removed(folder: Path) -> None:
    """Remove the store."""
    (folder / "run.db").unlink()


def folder_removed(folder: Path) -> None:
    """Remove the whole folder of the run."""
    shutil.rmtree(folder)


def folder_moved(folder: Path) -> None:
    """Move the whole folder of the run away."""
    folder.rename(folder.with_name("elsewhere"))


def folder_is_a_file(folder: Path) -> None:
    """Put a file in the place of the folder."""
    shutil.rmtree(folder)
    folder.write_text("mine")


def replaced_by_a_copy(folder: Path) -> None:
    """Put an older copy of the store in its place, as a restored backup does."""
    copy = folder / "copy.db"
    shutil.copy(folder / "run.db", copy)
    copy.replace(folder / "run.db")


def replaced_by_text(folder: Path) -> None:
    """Put something else in its place."""
    (folder / "new").write_text("no database")
    (folder / "new").replace(folder / "run.db")


def cut_short(folder: Path) -> None:
    """Truncate the store where it lies."""
    os.truncate(folder / "run.db", 4096)


LOSSES = (
    removed,
    folder_removed,
    folder_moved,
    folder_is_a_file,
    replaced_by_a_copy,
    replaced_by_text,
    cut_short,
)


def journal_removed(folder: Path) -> None:
    """Remove the journal that holds the newest commits."""
    (folder / "run.db-wal").unlink()


def journal_emptied(folder: Path) -> None:
    """Truncate the journal."""
    os.truncate(folder / "run.db-wal", 0)


def index_removed(folder: Path) -> None:
    """Remove the index of the journal, through which others find what is in it."""
    (folder / "run.db-shm").unlink()


@pytest.mark.parametrize("accident", [*LOSSES, journal_removed, journal_emptied, index_removed])
async def test_write_is_not_announced_in_a_store_that_moved(
    run_dir: Path, accident: Callable[[Path], None]
) -> None:
    """A commit into a file that nobody will find again is none, so the write may not go out (law L2)."""
    async with open_writer(run_dir) as writer:
        await writer.begin_attempt(attempt(1), 1.0)
        await to_thread.run_sync(accident, run_dir)

        with pytest.raises(StoreError, match="while the run went on; "):
            await writer.begin_attempt(attempt(2), 2.0)


@pytest.mark.parametrize("accident", LOSSES[:-1])
async def test_all_that_was_done_is_told_of_a_lost_store(
    run_dir: Path, accident: Callable[[Path], None]
) -> None:
    """What was committed to a file that is gone stands nowhere any more, so it is told as well."""
    told: list[NotStored] = []

    async with open_writer(run_dir, told.append) as writer:
        await writer.record_before(item(1), Before(("old.example",), 1.0), nothing)
        await writer.begin_attempt(attempt(1), 1.0)
        await writer.finish_attempt(attempt(1), outcome())
        await settle(writer, item(1), CHANGED)
        await writer.flush()
        await to_thread.run_sync(accident, run_dir)
        await settle(writer, item(2), CHANGED)
        with pytest.raises(StoreError):
            await writer.flush()

    kinds = [(fact.kind, fact.columns["ip"]) for fact in told]
    assert {("attempt", item(1).ip), ("before", item(1).ip), ("result", item(1).ip)} <= set(kinds)
    assert ("result", item(2).ip) in kinds


@pytest.mark.parametrize("accident", [journal_removed, index_removed])
async def test_commits_survive_their_journal(run_dir: Path, accident: Callable[[Path], None]) -> None:
    """A journal that was removed is still open: what stands in it reaches the store when the run ends."""
    async with open_writer(run_dir) as writer:
        await settle(writer, item(1), CHANGED)
        await writer.flush()
        await to_thread.run_sync(accident, run_dir)
        await settle(writer, item(2), CHANGED)
        with pytest.raises(StoreError):
            await writer.flush()

    def changed() -> int:
        with RunReader(run_dir) as reader:
            return reader.counts().of(Status.CHANGED)

    assert await to_thread.run_sync(changed) >= 1


async def test_what_lies_there_instead_is_left_alone(run_dir: Path, tmp_path: Path) -> None:
    """Somebody else's store, with a journal of its own, is not touched when ours is closed."""
    other = tmp_path / "other"
    await to_thread.run_sync(frozen, other, [item(1)])

    def swap() -> dict[str, bytes]:
        (other / "run.db").replace(run_dir / "run.db")
        (run_dir / "run.db-wal").write_bytes(b"somebody else's journal")
        return contents()

    def contents() -> dict[str, bytes]:
        return {name: (run_dir / name).read_bytes() for name in ("run.db", "run.db-wal")}

    async with open_writer(run_dir) as writer:
        await settle(writer, item(1), CHANGED)
        await writer.flush()
        theirs = await to_thread.run_sync(swap)
        await settle(writer, item(2), CHANGED)
        with pytest.raises(StoreError):
            await writer.flush()

    assert await to_thread.run_sync(contents) == theirs


async def test_store_behind_a_link_is_no_other_store(run_dir: Path, tmp_path: Path) -> None:
    """A store that its owner keeps on another disk, behind a link, is where it was."""
    store = run_dir / "run.db"
    store.rename(tmp_path / "big-disk.db")
    store.symlink_to(tmp_path / "big-disk.db")

    async with open_writer(run_dir) as writer:
        for number in (1, 2, 3):
            await writer.begin_attempt(attempt(number), 1.0)

    assert names(tmp_path) == ["big-disk.db", "run"]


async def test_readers_that_come_and_go_change_nothing(run_dir: Path) -> None:
    """Whoever looks at a run while it goes on does not stop it."""

    def look() -> None:
        with RunReader(run_dir) as reader:
            reader.counts()

    async with open_writer(run_dir) as writer:
        for number in (1, 2, 3):
            await writer.begin_attempt(attempt(number), 1.0)
            await to_thread.run_sync(look)

    assert names(run_dir) == ["run.db"]

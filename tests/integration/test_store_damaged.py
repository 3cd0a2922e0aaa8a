"""What is refused in the place of a run store, and what reading one leaves untouched."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from anyio import run

from bulkip.errors import StoreError
from bulkip.store import RunReader, open_writer
from tests.storedruns import frozen, item


def missing(folder: Path) -> None:
    """Leave no store at all."""
    (folder / "run.db").unlink()


def foreign(folder: Path) -> None:
    """Put somebody else's SQLite file in the place of the store."""
    (folder / "run.db").unlink()
    with closing(sqlite3.connect(folder / "run.db")) as other:
        other.execute("CREATE TABLE bookmarks (url)")


def newer(folder: Path) -> None:
    """Mark the store as written by a later version."""
    with closing(sqlite3.connect(folder / "run.db")) as other:
        other.execute("PRAGMA user_version=99")


def overwritten(folder: Path) -> None:
    """Put a text file in the place of the store."""
    (folder / "run.db").write_text("no database at all, but longer than the header of one " * 9)


def emptied(folder: Path) -> None:
    """Truncate the store."""
    (folder / "run.db").write_bytes(b"")


def swapped(folder: Path) -> None:
    """Put a folder in the place of the store."""
    (folder / "run.db").unlink()
    (folder / "run.db").mkdir()


def opened_to_read(folder: Path) -> None:
    """Open and close a store as reports do."""
    with RunReader(folder):
        pass


def opened_to_write(folder: Path) -> None:
    """Open and close a store as a run does."""

    async def opened() -> None:
        async with open_writer(folder):
            pass

    run(opened)


@pytest.mark.parametrize(
    "opened", [pytest.param(opened_to_read, id="reader"), pytest.param(opened_to_write, id="writer")]
)
@pytest.mark.parametrize(
    ("accident", "way_out"),
    [
        pytest.param(missing, "check the disk", id="missing"),
        pytest.param(foreign, "not a run store of bulkip", id="foreign"),
        pytest.param(newer, "upgrade bulkip", id="newer"),
        pytest.param(overwritten, "check the disk", id="overwritten"),
        pytest.param(emptied, "not a run store of bulkip", id="emptied"),
        pytest.param(swapped, "check the disk", id="folder"),
    ],
)
def test_store_that_is_none_of_ours_is_refused(
    tmp_path: Path, opened: Callable[[Path], None], accident: Callable[[Path], None], way_out: str
) -> None:
    """Whatever lies there instead of a run store is left alone, and the message says what to do."""
    frozen(tmp_path, [item(1)])
    accident(tmp_path)

    with pytest.raises(StoreError) as caught:
        opened(tmp_path)

    assert str(caught.value).startswith(f"{tmp_path / 'run.db'}: ")
    assert way_out in str(caught.value)


def test_damage_inside_a_store_is_told(tmp_path: Path) -> None:
    """A store whose pages were overwritten is an error of the store, not a bug."""
    frozen(tmp_path, [item(number) for number in range(1, 300)])
    content = bytearray((tmp_path / "run.db").read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    (tmp_path / "run.db").write_bytes(content)

    with pytest.raises(StoreError, match=r"run\.db: run store: "), RunReader(tmp_path) as reader:
        list(reader.rows())


def test_reader_changes_nothing(tmp_path: Path) -> None:
    """A report can be rendered from a store that nobody may write."""
    frozen(tmp_path, [item(1)])
    before = (tmp_path / "run.db").read_bytes()

    with RunReader(tmp_path) as reader:
        list(reader.rows())

    assert ((tmp_path / "run.db").read_bytes(), len(list(tmp_path.iterdir()))) == (before, 1)

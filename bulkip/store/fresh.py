"""How a run store comes to be: under its name only when it is whole."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bulkip.errors import StoreError
from bulkip.store.files import make_file, make_folder, remove_if_empty, sync
from bulkip.store.schema import APPLICATION_ID, INDEXES, TABLES, VERSION, storage_errors, store_path


@contextmanager
def fresh_store(run_dir: Path) -> Iterator[Path]:
    """Give an empty file that becomes the store of a new run when the block ends well, and is gone when not.

    A process that is killed meanwhile leaves no run behind.
    """
    path = store_path(run_dir)
    with storage_errors(path):
        make_folder(run_dir)
        if path.exists():
            raise StoreError(f"{path}: there is a run store already; a plan needs a folder of its own")
        partial = path.with_suffix(".partial")
        partial.unlink(missing_ok=True)
        make_file(partial)
    try:
        with storage_errors(path):
            yield partial
            sync(partial)
            partial.rename(path)
            sync(run_dir)
    except BaseException:
        partial.unlink(missing_ok=True)
        remove_if_empty(run_dir)
        raise


def unhurried(connection: sqlite3.Connection) -> None:
    """Let a store be written without care for crashes: the file has no reader until it has its name."""
    connection.execute("PRAGMA journal_mode=OFF")
    connection.execute("PRAGMA synchronous=OFF")


def make_tables(connection: sqlite3.Connection) -> None:
    """Make the tables of a run store."""
    for statement in TABLES.split(";"):
        connection.execute(statement)


def make_indexes(connection: sqlite3.Connection) -> None:
    """Make the indexes of a run store; raises sqlite3.IntegrityError when an address has a step twice.

    Nothing may be begun: what cannot be made is taken back, which takes a journal.
    """
    (usual,) = connection.execute("PRAGMA journal_mode").fetchone()
    connection.execute("PRAGMA journal_mode=MEMORY")
    try:
        for statement in INDEXES.split(";"):
            connection.execute(statement)
    finally:
        connection.execute(f"PRAGMA journal_mode={usual}")


def mark_ours(connection: sqlite3.Connection) -> None:
    """Let a file be known as a run store of this version."""
    connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version={VERSION}")

"""The tables of a run that lie in a file: SQLite."""

import sqlite3
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from bulkip.store.home import Executing, Rows
from bulkip.store.schema import check_ours


class FileDatabase:
    """Owns a connection of SQLite; nothing else may use it."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Take over the connection."""
        self.connection = connection
        self.execute: Callable[..., Rows] = connection.execute
        self.walk: Callable[..., Rows] = connection.execute

    def begin_snapshot(self) -> None:
        """Let all that is read from now on be of this moment, whatever a running engine writes."""
        self.connection.execute("BEGIN")

    def transact(self, work: Callable[[Executing], None]) -> None:
        """Do some work in one transaction."""
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            work(self)
            self.connection.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):  # a full disk rolls back by itself
                self.connection.execute("ROLLBACK")
            raise

    def close(self) -> None:
        """Close the file."""
        self.connection.close()


def open_file(path: Path, mode: str) -> FileDatabase:
    """Open the file of a run store, in SQLite's mode `ro` or `rw`; raises StoreError for none of ours."""
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    connection = sqlite3.connect(uri, uri=True, isolation_level=None, check_same_thread=False)
    try:
        check_ours(connection, path)
        connection.row_factory = sqlite3.Row
    except BaseException:
        connection.close()
        raise
    return FileDatabase(connection)

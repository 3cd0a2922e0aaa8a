"""Would a run store work in this folder? Tried with the settings of a real one."""

import sqlite3
import time
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from bulkip.errors import StoreError
from bulkip.store.schema import storage_errors, store_path

COMMITS = 5


def commit_s(folder: Path) -> float:
    """Return how long a commit takes here, in seconds, and leave nothing behind; raises StoreError."""
    with storage_errors(folder), TemporaryDirectory(prefix="doctor-", dir=folder) as trial:
        path = store_path(Path(trial))
        with closing(sqlite3.connect(path, isolation_level=None)) as connection:
            (mode,) = connection.execute("PRAGMA journal_mode=WAL").fetchone()
            if mode != "wal":
                raise StoreError(f"{folder}: run store: this file system takes no WAL; use a local one")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute("CREATE TABLE trial (number INTEGER PRIMARY KEY)")
            began = time.perf_counter()
            for number in range(COMMITS):
                connection.execute("INSERT INTO trial VALUES (?)", (number,))
            return (time.perf_counter() - began) / COMMITS


def sqlite_version() -> str:
    """Return the version of the SQLite that stores are written with."""
    return sqlite3.sqlite_version

"""What a run is written through: the file of its store, or a database that several machines share."""

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol, TypeVar

from bulkip.store.batches import execute_all
from bulkip.store.filedatabase import FileDatabase, open_file
from bulkip.store.home import Database, Executing, Home, RemoteRun
from bulkip.store.place import StorePlace
from bulkip.store.schema import storage_errors, store_path
from bulkip.store.statements import Statement

T = TypeVar("T")


class Medium(Protocol):
    """Whoever commits what a run writes; one call at a time, on any thread."""

    @property
    def database(self) -> Database:
        """What was committed so far, as long as it can be read."""
        ...

    @property
    def disturbed(self) -> bool:
        """Whether what was committed may be lost, too."""
        ...

    def commit(self, statements: Sequence[Statement]) -> None:
        """Commit statements together; raises StoreError, and then none of them is."""
        ...

    def read(self, query: Callable[[Database], T]) -> T:
        """Return what a query says of all that is committed; raises StoreError."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class FileMedium:
    """Owns the writing connection to the file of a run store."""

    disturbed = property(lambda self: self._place.disturbed, doc="Whether the file was moved or replaced.")

    def __init__(self, path: Path) -> None:
        """Open the file; raises StoreError when it is none of ours."""
        with storage_errors(path):
            self.database: FileDatabase = open_file(path, "rw")
            try:
                self.database.execute("PRAGMA journal_mode=WAL")
                self.database.execute("PRAGMA synchronous=FULL")
                self._place = StorePlace(path)
            except BaseException:
                self.database.close()
                raise

    def commit(self, statements: Sequence[Statement]) -> None:
        """Commit statements together, and see that the file is still the one that was opened."""
        self._place.check()  # before the group hides what was cut off, and again when it is committed
        with storage_errors(self._place.path):
            self.database.transact(lambda database: execute_all(database, statements))
        self._place.check()

    def read(self, query: Callable[[Database], T]) -> T:
        """Return what a query says of all that is committed; raises StoreError."""
        with storage_errors(self._place.path):
            return query(self.database)

    def close(self) -> None:
        """Leave one whole file behind, unless somebody is reading it just now or it is not ours any more."""
        if self._place.holds():
            with suppress(sqlite3.Error):
                self.database.execute("PRAGMA busy_timeout=0")
                self.database.execute("PRAGMA journal_mode=DELETE")
        self.database.close()


class SharedMedium:
    """Owns a writing connection to a run in a shared database."""

    disturbed = False

    def __init__(self, run: RemoteRun) -> None:
        """Connect; raises StoreError when that is not possible."""
        self._run = run
        with storage_errors(run):
            self.database = run.connect()

    def commit(self, statements: Sequence[Statement]) -> None:
        """Commit statements together, unless the guard of the run objects."""

        def work(database: Executing) -> None:
            self._run.guard(database)
            execute_all(database, statements)

        with storage_errors(self._run):
            self.database.transact(work)

    def read(self, query: Callable[[Database], T]) -> T:
        """Return what a query says of all that is committed; raises StoreError."""
        with storage_errors(self._run):
            return query(self.database)

    def close(self) -> None:
        """Let go of the connection."""
        self.database.close()


def open_medium(home: Home) -> Medium:
    """Open the store of a run for writing; raises StoreError."""
    return SharedMedium(home) if isinstance(home, RemoteRun) else FileMedium(store_path(home))

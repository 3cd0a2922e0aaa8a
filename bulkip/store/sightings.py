"""Was an address named before, and where? Known of any number of addresses without keeping them in memory."""

import sqlite3
from pathlib import Path
from types import TracebackType
from typing import Self

from bulkip.store.schema import storage_errors

SEEN = "CREATE TABLE seen (ip TEXT PRIMARY KEY, place TEXT NOT NULL) WITHOUT ROWID"
NAME = "INSERT OR IGNORE INTO seen VALUES (?,?)"
FIRST = "SELECT place FROM seen WHERE ip = ?"
PLACE = Path("a temporary file of SQLite")


class Sightings:
    """Owns a file that SQLite removes, with every address that was named; a context manager."""

    def __init__(self) -> None:
        """Know no address."""
        self.count = 0
        with storage_errors(PLACE):
            self._db = sqlite3.connect("", isolation_level=None)
            self._db.execute("PRAGMA journal_mode=OFF")
            self._db.execute(SEEN)
            self._db.execute("BEGIN")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Forget all of them."""
        self._db.close()

    def first(self, ip: str, place: str) -> str | None:
        """Return where an address was named first; None when that is here."""
        with storage_errors(PLACE):
            if self._db.execute(NAME, (ip, place)).rowcount:
                self.count += 1
                return None
            found: str = self._db.execute(FIRST, (ip,)).fetchone()[0]
        return found

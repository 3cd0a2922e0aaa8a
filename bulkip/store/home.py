"""Where is a run kept? In a folder of its own, or in a database that several machines share."""

import re
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias

Values: TypeAlias = Sequence[Any] | Mapping[str, Any]
NEWEST: Final = re.compile(r"last(?:~(\d{1,6}))?")
"""How a user names the newest run, or the one so many before it."""


class DatabaseError(Exception):
    """Raised when a shared database cannot be asked, or has its reason to refuse; the text says why."""


REFUSALS: Final = (sqlite3.Error, DatabaseError)
"""What a database raises, wherever it is."""


class Row(Protocol):
    """A row of a table; its values come in order, and by the name of their column."""

    def __getitem__(self, key: Any, /) -> Any:
        """Return the value of a column."""
        ...

    def __iter__(self) -> Iterator[Any]: ...

    def keys(self) -> Any:
        """Return the names of the columns."""
        ...


class Rows(Protocol):
    """What a statement came to."""

    @property
    def rowcount(self) -> int:
        """How many rows were changed."""
        ...

    @property
    def description(self) -> Sequence[Sequence[Any]] | None:
        """The columns, the name of each in front."""
        ...

    def fetchone(self) -> Any:
        """Return the next row; None when there is none left."""
        ...

    def fetchall(self) -> list[Any]:
        """Return the rows that are left."""
        ...

    def fetchmany(self, size: int, /) -> list[Any]:
        """Return the next rows, so many at most."""
        ...

    def __iter__(self) -> Iterator[Any]: ...


class Executing(Protocol):
    """Whoever executes statements."""

    def execute(self, sql: str, values: Any = (), /) -> Any:
        """Execute a statement, with `?` for each of the values, and return its rows."""
        ...


class Database(Protocol):
    """A connection to the tables of a run, wherever they are."""

    def execute(self, sql: str, values: Values = (), /) -> Rows:
        """Execute a statement, with `?` for each of the values."""
        ...

    def walk(self, sql: str, values: Values = (), /) -> Rows:
        """Execute a query whose rows are more than memory should hold."""
        ...

    def begin_snapshot(self) -> None:
        """Let all that is read from now on be of this moment."""
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...


class SharedDatabase(Database, Protocol):
    """A connection to the tables of a run in a database that several machines share."""

    def transact(self, work: Callable[[Executing], None]) -> None:
        """Do some work in one transaction that is committed when this returns, or not at all.

        A lost connection is made anew, and what was not committed done again.
        """
        ...


@dataclass(frozen=True, slots=True)
class RemoteRun:
    """A run in a shared database: its id, and where that is, as far as it may be shown.

    `connect` opens a connection that sees the tables of this run, `guard` looks
    into each transaction first and raises DatabaseError when it must not be.
    """

    name: str
    place: str
    connect: Callable[[], SharedDatabase] = field(compare=False, repr=False)
    guard: Callable[[Executing], None] = field(default=lambda _database: None, compare=False, repr=False)

    def __str__(self) -> str:
        return f"{self.place} run {self.name}"


Home: TypeAlias = Path | RemoteRun
"""The folder of a run, or its place in a shared database; the last part of its name is the run's id."""

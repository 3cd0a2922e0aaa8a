"""The tables of a run in PostgreSQL, as the run store sees them: a connection that heals."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import count
from typing import Any, Final, TypeVar

import psycopg
from psycopg import sql as words
from psycopg.rows import RowMaker

from bulkip.cluster.dialect import translated
from bulkip.cluster.server import is_wrong, reason_of, settings_of
from bulkip.store.home import DatabaseError, Executing, Rows, Values

T = TypeVar("T")
PATIENCE_S = 300.0
"""So long a server that went away is waited for, as long as nobody is in a hurry."""
HURRIED_S = 5.0
FIRST_WAIT_S, LONGEST_WAIT_S = 0.1, 2.0
"""How long to wait between two attempts to reach the server: at first, and at most."""
PAGE = 500
STILL_MS = 5000
"""So long a transaction may stand still: who is stopped in one must not keep its shards from others."""
SETTINGS: Final = (
    words.SQL("SET idle_in_transaction_session_timeout TO {}").format(words.Literal(STILL_MS)),
    words.SQL("SET synchronous_commit TO on"),  # whatever is usual there: what is committed must stay
)
UNHURRIED: Final = "SET idle_in_transaction_session_timeout TO 0"
DECIDED_S = 30.0
COMMITTED, GOING_ON = "committed", "in progress"
"""What the server says of a transaction; anything else means that nothing of it is there."""


class Row(Sequence[Any]):
    """A row whose values come in order, and by the name of their column."""

    __slots__ = ("_places", "_values")

    def __init__(self, values: Sequence[Any], places: Mapping[str, int]) -> None:
        """Hold the values of columns that stand at these places."""
        self._values = values
        self._places = places

    def __getitem__(self, key: Any) -> Any:
        return self._values[self._places[key] if isinstance(key, str) else key]

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Iterator[Any]:
        return iter(self._values)

    def keys(self) -> list[str]:
        """Return the names of the columns."""
        return [*self._places]


def row_maker(cursor: psycopg.Cursor[Any]) -> RowMaker[Row]:
    """Return what makes rows of a cursor."""
    places = {column.name: place for place, column in enumerate(cursor.description or ())}
    return lambda values: Row(values, places)


class Walk:
    """Owns rows that the server keeps until they are taken."""

    def __init__(self, cursor: psycopg.ServerCursor[Row]) -> None:
        """Take them from a cursor."""
        self._cursor = cursor
        self.rowcount = -1
        self.description = cursor.description

    def fetchone(self) -> Row | None:
        """Return the next row; None when there is none left."""
        return next(iter(self.fetchmany(1)), None)

    def fetchall(self) -> list[Row]:
        """Return the rows that are left."""
        return list(self)

    def fetchmany(self, size: int, /) -> list[Row]:
        """Return the next rows, so many at most; the server forgets them after the last."""
        try:
            page = self._cursor.fetchmany(size)
            if len(page) < size:
                self._cursor.close()
        except psycopg.InterfaceError:  # the cursor was closed, because all was taken
            return []
        except psycopg.Error as error:
            raise DatabaseError(reason_of(error)) from error
        return page

    def __iter__(self) -> Iterator[Row]:
        while page := self.fetchmany(PAGE):
            yield from page


class PostgresDatabase:
    """Owns a connection that sees the tables of one run; a lost one is made anew.

    `hurried` says that nobody waits long for a server that went away.
    """

    def __init__(self, url: str, schema: str, hurried: Callable[[], bool] = lambda: False) -> None:
        """See the tables of this schema; nothing is connected before it is needed."""
        self._url = url
        self._schema = schema
        self._hurried = hurried
        self._names = count(1)
        self._connection: psycopg.Connection[Row] | None = None
        self._held = False  # whether a transaction is open that cannot be done again
        self._waited_in_vain = False  # then nobody waits once more

    def execute(self, sql: str, values: Values = (), /) -> Rows:
        """Execute a statement; one outside of a transaction again, when the connection is lost."""
        return self._again(lambda connection: connection.execute(translated(sql), values))

    def walk(self, sql: str, values: Values = (), /) -> Rows:
        """Execute a query whose rows the server keeps until they are taken."""

        def begun(connection: psycopg.Connection[Row]) -> Rows:
            cursor = connection.cursor(f"walk_{next(self._names)}", withhold=not self._held)
            return Walk(cursor.execute(translated(sql), values))

        return self._again(begun)

    def begin_snapshot(self) -> None:
        """Let all that is read from now on be of this moment, for as long as it takes."""
        self.execute(UNHURRIED)
        self.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        self._held = True

    def transact(self, work: Callable[[Executing], None]) -> None:
        """Do some work in one transaction; whether it was committed is asked when the connection is lost.

        Raises DatabaseError, and then nothing was committed, unless nobody could be asked.
        """
        begun: list[str] = []

        def once(connection: psycopg.Connection[Row]) -> None:
            if begun and _is_committed(connection, begun[-1]):
                return
            begun.clear()
            with connection.transaction():
                work(_Translating(connection))
                row = connection.execute("SELECT pg_current_xact_id()::text").fetchone()
                begun.extend(row or ())

        self._again(once)

    def close(self) -> None:
        """Let go of the connection."""
        if self._connection is not None:
            self._connection.close()

    def _again(self, work: Callable[[psycopg.Connection[Row]], T]) -> T:
        """Do some work, and once more on a new connection whenever the old one is lost."""
        begun, wait_s = time.monotonic(), FIRST_WAIT_S
        while True:
            try:
                done = work(self._live())
            except psycopg.Error as error:
                waited_s = time.monotonic() - begun
                patience_s = HURRIED_S if self._hurried() else PATIENCE_S
                lost = self._is_lost(error)
                if self._held or self._waited_in_vain or not lost or waited_s > patience_s:
                    self._waited_in_vain = lost
                    raise DatabaseError(reason_of(error)) from error
            else:
                self._waited_in_vain = False
                return done
            time.sleep(wait_s)
            wait_s = min(wait_s * 2, LONGEST_WAIT_S)

    def _live(self) -> psycopg.Connection[Row]:
        """Return the connection, a new one when there is none."""
        if self._connection is None:
            connection = psycopg.connect(
                settings_of(self._url, bounded=False), autocommit=True, row_factory=row_maker
            )
            for setting in (search_path(self._schema), *SETTINGS):
                connection.execute(setting)
            self._connection = connection
        return self._connection

    def _is_lost(self, error: psycopg.Error) -> bool:
        """Say whether there is no connection any more, but may be one again."""
        if self._connection is not None and (self._connection.closed or self._connection.broken):
            with suppress(psycopg.Error):
                self._connection.close()
            self._connection = None
        return self._connection is None and not is_wrong(error)


class _Translating:
    """Executes what SQLite understands within a transaction."""

    def __init__(self, connection: psycopg.Connection[Row]) -> None:
        self._connection = connection

    def execute(self, sql: str, values: Values = (), /) -> Rows:
        """Execute a statement."""
        return self._connection.execute(translated(sql), values)


def search_path(schema: str) -> words.Composed:
    """Return what lets a connection see the tables of a schema, and what all share."""
    return words.SQL("SET search_path TO {}, bulkip").format(words.Identifier(schema))


def _is_committed(connection: psycopg.Connection[Row], transaction: str) -> bool:
    """Say whether a transaction whose connection was lost is there, once the server has decided."""
    begun = time.monotonic()
    while time.monotonic() - begun < DECIDED_S:
        found = connection.execute("SELECT pg_xact_status(%s::xid8)", (transaction,)).fetchone()
        if found is None or found[0] != GOING_ON:
            return found is not None and found[0] == COMMITTED
        time.sleep(FIRST_WAIT_S)
    raise DatabaseError("the server does not say whether a transaction was committed; look at its sessions")

"""How the statements of a group are executed: those of one kind together, many rows in one statement.

Every execution lets go of the interpreter and waits for it again, up to five
milliseconds each time while the loop is busy; so a group of a hundred facts
is not executed a hundred times.
"""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from types import MappingProxyType

from bulkip.store.statements import (
    BEGIN_ATTEMPT,
    FINISH_ATTEMPT,
    READING,
    RESULT,
    WHOLE_ATTEMPT,
    Statement,
)

SIZES = (64, 16, 4, 1)
"""So many rows go into one statement; few sizes, so that each stays prepared."""
FREQUENT = (BEGIN_ATTEMPT, WHOLE_ATTEMPT, FINISH_ATTEMPT, READING, RESULT)
"""What is written for nearly every item; a begun attempt goes before its end."""
_VALUES = "VALUES "


def _widened(sql: str) -> Mapping[int, str]:
    """Return a statement that inserts one row as the statements that insert several."""
    head, _, tail = sql.partition(_VALUES)
    end = tail.index(")") + 1
    row, rest = tail[:end], tail[end:]
    return MappingProxyType({size: f"{head}{_VALUES}{','.join([row] * size)}{rest}" for size in SIZES})


_WIDENED = MappingProxyType({sql: _widened(sql) for sql in FREQUENT})


def execute_all(connection: sqlite3.Connection, statements: Iterable[Statement]) -> None:
    """Execute a group; what is rare keeps its place among the others, what is frequent is put together.

    Rows of different kinds never depend on each other, except an attempt's end on its beginning.
    """
    waiting: dict[str, list[tuple[object, ...]]] = {sql: [] for sql in FREQUENT}
    for sql, values, _ in statements:
        if (rows := waiting.get(sql)) is not None:
            rows.append(values)
            continue
        _insert_all(connection, waiting)
        connection.execute(sql, values)
    _insert_all(connection, waiting)


def _insert_all(connection: sqlite3.Connection, waiting: Mapping[str, list[tuple[object, ...]]]) -> None:
    for sql, rows in waiting.items():
        if rows:
            _insert(connection, _WIDENED[sql], rows)
            rows.clear()


def _insert(
    connection: sqlite3.Connection, widened: Mapping[int, str], rows: Sequence[tuple[object, ...]]
) -> None:
    done = 0
    for size in SIZES:
        while len(rows) - done >= size:
            connection.execute(widened[size], tuple(chain.from_iterable(rows[done : done + size])))
            done += size

"""How the statements of a group are executed: those of one kind together, many rows in one statement.

Every execution lets go of the interpreter and waits for it again, up to five
milliseconds each time while the loop is busy; so a group of a hundred facts
is not executed a hundred times.
"""

from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from bulkip.store.home import Executing
from bulkip.store.manyrows import ManyRows
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
REPLACING = frozenset({READING})
"""What may be written more than once for an item; the newest counts."""
_MANY = MappingProxyType({sql: ManyRows.of(sql) for sql in FREQUENT})


def execute_all(connection: Executing, statements: Iterable[Statement]) -> None:
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


def _insert_all(connection: Executing, waiting: Mapping[str, list[tuple[object, ...]]]) -> None:
    for sql, rows in waiting.items():
        if rows:
            _insert(connection, _MANY[sql], _newest(rows) if sql in REPLACING else rows)
            rows.clear()


def _newest(rows: Sequence[tuple[object, ...]]) -> Sequence[tuple[object, ...]]:
    """Return the newest row of each item; PostgreSQL replaces no row twice in one statement."""
    by_item = {row[0]: row for row in rows}
    return rows if len(by_item) == len(rows) else [*by_item.values()]


def _insert(connection: Executing, many: ManyRows, rows: Sequence[tuple[object, ...]]) -> None:
    done = 0
    for size in SIZES:
        while len(rows) - done >= size:
            many.insert(connection, rows[done : done + size])
            done += size

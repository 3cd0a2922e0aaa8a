"""How do many rows get into a table? A hundred with one statement, since each costs as much as a row."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain, count, islice, repeat

from bulkip.store.home import Executing

VALUES = 999
"""So many values a statement binds at most; no SQLite refuses them."""


@dataclass(frozen=True, slots=True)
class ManyRows:
    """An INSERT of many rows: `row` is one of them, with `{}` for each value that is its own.

    The values that all rows share are `?1`, `?2` and so on, `shared` in number;
    `tail` says what becomes of rows that are there already.
    """

    head: str
    row: str
    shared: int = 0
    tail: str = ""

    @classmethod
    def of(cls, sql: str) -> "ManyRows":
        """Return what inserts many rows from the statement that inserts one, `?` for each of its values."""
        head, _, rest = sql.partition(" VALUES ")
        row, _, tail = rest.partition(")")
        return cls(f"{head} VALUES", row.replace("?", "{}") + ")", tail=tail)

    def insert(self, connection: Executing, rows: Sequence[tuple[object, ...]], *shared: object) -> None:
        """Insert the rows in their order."""
        most = (VALUES - self.shared) // self.row.count("{}")
        for begin in range(0, len(rows), most):
            some = rows[begin : begin + most]
            connection.execute(_statement(self, len(some)), [*shared, *chain.from_iterable(some)])


@lru_cache(maxsize=256)
def _statement(many: ManyRows, rows: int) -> str:
    numbers = map("?{}".format, count(many.shared + 1)) if many.shared else repeat("?")
    values = many.row.count("{}")
    written = (many.row.format(*islice(numbers, values)) for _ in range(rows))
    return f"{many.head} {','.join(written)}{many.tail}"

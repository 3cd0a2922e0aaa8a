"""What a plan brings along beside its items: rows as their author wrote them, and what is known already."""

import json
import sqlite3
from collections.abc import Collection
from typing import Final, TypeAlias

from bulkip.model import Heading, Item, Known
from bulkip.store.manyrows import ManyRows
from bulkip.store.schema import CELL_END
from bulkip.store.statements import READING, RESULT, UNREAD, result_columns

_Heads: TypeAlias = "Heading | tuple[str, ...]"
"""What stands above a target's cells: the heading of its list, or the names of its fields."""
_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))

KEEP_HEADING = "INSERT INTO heading VALUES (?,?,?)"
KEEP_TARGET: Final = ManyRows("INSERT INTO target VALUES", "({},{},{})")
KEEP_SERVER = "INSERT INTO sought VALUES (?,?)"
KNOWN_HEADINGS = 1_000  # a list of JSON objects may have one for each line


class Keepers:
    """Both keepers as one."""

    def __init__(self, connection: sqlite3.Connection, now: float) -> None:
        """Write through this connection; `now` is when results were known, in Unix seconds."""
        self._targets = _TargetKeeper(connection)
        self._known = _KnownKeeper(connection, now)

    def take(self, item: Item) -> None:
        """Take note of what an item brings along; of most items nothing is known."""
        self._targets.take(item)
        if item.known is not None:
            self._known.take(item.number, item.known)

    def write(self) -> None:
        """Write what was taken since the last time."""
        self._targets.write()
        self._known.write()


class _TargetKeeper:
    """Writes down each target's own cells once, below one copy of each heading."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._rows: list[tuple[int, int, str]] = []
        self._numbers: dict[_Heads, int] = {}
        self._count = 0
        self._chain = 0
        self._latest: tuple[_Heads | None, int] = (None, 0)

    def take(self, item: Item) -> None:
        """Take note of an item's target; one that is an address and nothing else needs no row."""
        target = item.target
        if target is None or item.chain == self._chain:
            return
        self._chain = item.chain
        if cells := target.cells or target.fields.values():
            heads = target.heading or tuple(target.fields)
            latest, number = self._latest
            if heads != latest:
                number = self._number(heads)
            self._rows.append((item.chain, number, _joined(cells)))

    def write(self) -> None:
        """Write what was taken since the last time."""
        KEEP_TARGET.insert(self._connection, self._rows)
        self._rows.clear()

    def _number(self, heads: _Heads) -> int:
        number = self._numbers.get(heads)
        if number is None:
            if len(self._numbers) >= KNOWN_HEADINGS:
                self._numbers.clear()
            self._count = number = self._count + 1
            self._numbers[heads] = number
            delimiter, names = (heads.delimiter, heads.names) if isinstance(heads, Heading) else (None, heads)
            self._connection.execute(KEEP_HEADING, (number, delimiter, _JSON.encode(names)))
        self._latest = (heads, number)
        return number


class _KnownKeeper:
    """Writes down what is known of items before anything is sent: a value seen before, or how it ended."""

    def __init__(self, connection: sqlite3.Connection, now: float) -> None:
        self._connection = connection
        self._now = now
        self._readings: list[tuple[int, str, float]] = []
        self._results: list[tuple[object, ...]] = []
        self._servers: list[tuple[int, str]] = []
        self._unread: list[tuple[int, str]] = []

    def take(self, number: int, known: Known) -> None:
        """Take note of what is known of an item."""
        before, result = known.before, known.result
        if known.server is not None:
            self._servers.append((number, known.server))
        if known.unread is not None:
            self._unread.append((number, known.unread))
        if before is not None:
            self._readings.append((number, _JSON.encode(before.names), before.read_at))
        if result is not None:
            self._results.append(result_columns(number, 0, result, self._now))

    def write(self) -> None:
        """Write what was taken since the last time."""
        self._connection.executemany(READING, self._readings)
        self._connection.executemany(RESULT, self._results)
        self._connection.executemany(KEEP_SERVER, self._servers)
        self._connection.executemany(UNREAD, self._unread)
        self._servers.clear()
        self._unread.clear()
        self._readings.clear()
        self._results.clear()


def _joined(cells: Collection[str]) -> str:
    """Return the cells of a target as one text; what separates them stands in no input, or is taken out."""
    joined = CELL_END.join(cells)
    if joined.count(CELL_END) < len(cells):
        return joined
    return CELL_END.join([cell.replace(CELL_END, "") for cell in cells])

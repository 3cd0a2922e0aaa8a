"""What of a run is still to do, a page at a time: all of it, or the part that somebody is at."""

from collections.abc import Iterator
from dataclasses import replace
from math import inf
from typing import Final

from bulkip.store.home import Home
from bulkip.store.part import WHOLE_RUN, Part
from bulkip.store.planneditem import PlannedItem, planned_item
from bulkip.store.questions import ITEMS, PLANNED_COLUMNS, PROVABLE, UNREAD, WHOLE_CHAINS
from bulkip.store.reader import RunReader
from bulkip.store.schema import storage_errors
from bulkip.wire import ANSWERED

_OF_ACCOUNT: Final = "(item = 0 OR item IN (SELECT number FROM item WHERE account = ?))"


LAST_CALL: Final = """
SELECT outcome, error_class, message, http_status FROM attempt
WHERE item = ? AND purpose = 'call' ORDER BY number DESC LIMIT 1
"""


class WorkLeft(RunReader):
    """Owns a reading connection that is asked for work; what it counts and gives is of its part alone."""

    def __init__(self, home: Home, part: Part = WHOLE_RUN) -> None:
        """Open the store of a run for a part of its items."""
        super().__init__(home)
        self.part = part
        self._within = part.condition

    def _limited(self, condition: str) -> str:
        """Return a condition that only items of the part meet."""
        return condition if self._within is None else f"{condition} AND {self._within}"

    def _count_undone(self, condition: str) -> int:
        """Count items of the part and of a condition that those with a result do not meet."""
        return super()._count_undone(self._limited(condition))

    def items_left(self) -> int:
        """Count the items of the part that have no result yet."""
        return super().items_left() if self._within is None else self._count_undone("result.status IS NULL")

    def sent_since(self, time: float) -> list[float]:
        """Return when calls of the part's account were sent after this time; those of no item are of each."""
        if self.part.account is None:
            return super().sent_since(time)
        sql = f"SELECT sent_at FROM attempt WHERE sent_at > ? AND finished_at IS NOT NULL AND {_OF_ACCOUNT}"
        with storage_errors(self.path):
            return [sent_at for (sent_at,) in self._db.execute(sql, (time, self.part.account))]

    def in_flight(self) -> int:
        """Count the calls of the part's account that have no end in the store."""
        if self.part.account is None:
            return super().in_flight()
        sql = f"SELECT COUNT(*) FROM attempt WHERE finished_at IS NULL AND {_OF_ACCOUNT}"
        with storage_errors(self.path):
            return int(self._db.execute(sql, (self.part.account,)).fetchone()[0])

    def reads_left(self) -> int:
        """Count the PTR writes whose value before is not known yet."""
        return self._count_undone(UNREAD)

    def to_read(self, after: int, most: int) -> list[PlannedItem]:
        """Return the next writes whose value before is not known yet, in plan order."""
        return self._next_undone(UNREAD, after, most)

    def to_verify(self, after: int, most: int, since: float) -> list[PlannedItem]:
        """Return the next items to prove, in plan order: those without a proof that holds since that time."""
        where = f"WHERE item.number > ? AND {self._limited(PROVABLE)} ORDER BY item.number LIMIT ?"
        return self._fetched(f"{PLANNED_COLUMNS} {ITEMS} {where}", (after, since, most))

    def to_check(self, after: int, most: int) -> list[PlannedItem]:
        """Return the next items that have no result yet, in plan order."""
        return self._next_undone("result.status IS NULL", after, most)

    def proofs_left(self, since: float) -> int:
        """Count the items that are to be proved; `since` is in Unix seconds."""
        with storage_errors(self.path):
            sql = f"SELECT COUNT(*) {ITEMS} WHERE {self._limited(PROVABLE)}"
            return int(self._db.execute(sql, (since,)).fetchone()[0])

    def to_apply(self, after: int, most: int) -> list[tuple[PlannedItem, ...]]:
        """Return the next chains with an item to do, each whole; `after` is a chain, `most` bounds them."""
        items, number = self.undone()
        open_ = self._limited("result.status IS NULL")
        sql = f"SELECT item.chain {items} WHERE {number} > ? AND item.chain > ? AND {open_}"
        with storage_errors(self.path):
            found = self._db.execute(f"{sql} ORDER BY {number} LIMIT ?", (after, after, most)).fetchall()
        wanted = sorted({chain for (chain,) in found})
        if not wanted:
            return []
        # a chain bears the number of its first item, and ends where the next one begins
        where = f"WHERE {WHOLE_CHAINS.format(marks=','.join('?' * len(wanted)))} ORDER BY item.number"
        chains: dict[int, list[PlannedItem]] = {chain: [] for chain in wanted}
        values = (wanted[0], wanted[-1], wanted[-1], *wanted)
        for planned in self._fetched(f"{PLANNED_COLUMNS} {ITEMS} {where}", values):
            chains[planned.item.chain].append(planned)
        return [tuple(chain) for chain in chains.values()]

    def shards_to_apply(self, size: int, most: float = inf) -> Iterator[Part]:
        """Yield parts of about so many items with all that is left to do; `most` bounds the addresses."""
        return self._shards("result.status IS NULL", size, most)

    def shards_to_read(self, size: int) -> Iterator[Part]:
        """Yield parts of about so many items with all values before that are not known yet."""
        return self._shards(UNREAD, size, inf)

    def calls_made(self, start: int) -> dict[int, dict[str, int]]:
        """Return how many calls of each purpose were sent for the items of the part in a start."""
        where = self._within or "TRUE"
        sql = (
            "SELECT item.number, attempt.purpose, COUNT(*) "
            "FROM item JOIN attempt ON attempt.item = item.number "
            f"WHERE attempt.start = ? AND {where} GROUP BY 1, 2"
        )
        made: dict[int, dict[str, int]] = {}
        for number, purpose, count in self._pages(sql, (start,)):
            made.setdefault(number, {})[purpose] = count
        return made

    def last_failure(self, item: int) -> tuple[str | None, str | None, int | None] | None:
        """Return class, message and HTTP status of an item's newest call; None when it succeeded."""
        with storage_errors(self.path):
            row = self._db.execute(LAST_CALL, (item,)).fetchone()
        return None if row is None or row[0] in ANSWERED else (row[1], row[2], row[3])

    def _shards(self, condition: str, size: int, most: float) -> Iterator[Part]:
        items, number = self.undone()
        ends = f"COUNT(*), MIN({number}), MAX({number})"
        sql = f"SELECT item.chain, {ends} {items} WHERE {self._limited(condition)} GROUP BY item.chain"
        first = last = held = 0
        for chains, (_, count, begin, end) in enumerate(self._pages(f"{sql} ORDER BY item.chain", ())):
            if held and held + count > size:
                yield replace(self.part, first=first, last=last)
                held = 0
            if chains >= most:
                break
            first, last, held = first if held else begin, end, held + count
        if held:
            yield replace(self.part, first=first, last=last)

    def _next_undone(self, condition: str, after: int, most: int) -> list[PlannedItem]:
        """Return the next items of a condition that those with a result do not meet."""
        items, number = self.undone()
        where = f"WHERE {number} > ? AND {self._limited(condition)} ORDER BY {number} LIMIT ?"
        return self._fetched(f"{PLANNED_COLUMNS} {items} {where}", (after, most))

    def _fetched(self, sql: str, values: tuple[int | float | str, ...]) -> list[PlannedItem]:
        """Return a page of items at once; they are few, so that memory holds them."""
        accounts = self.accounts
        with storage_errors(self.path):
            return [planned_item(row, accounts) for row in self._db.execute(sql, values).fetchall()]

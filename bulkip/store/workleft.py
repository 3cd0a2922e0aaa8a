"""What of a run is still to do, a page at a time: all of it, or the part that somebody is at."""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from bulkip.store.part import WHOLE_RUN, Part
from bulkip.store.planneditem import PlannedItem, planned_item
from bulkip.store.questions import ITEMS, PLANNED_COLUMNS, PROVABLE, UNREAD, WHOLE_CHAINS
from bulkip.store.reader import RunReader
from bulkip.store.schema import storage_errors

_OF_ACCOUNT: Final = "(item = 0 OR item IN (SELECT number FROM item WHERE account = ?))"


class WorkLeft(RunReader):
    """Owns a reading connection that is asked for work; what it counts and gives is of its part alone."""

    def __init__(self, run_dir: Path, part: Part = WHOLE_RUN) -> None:
        """Open the store below `run_dir` for a part of its items."""
        super().__init__(run_dir)
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
        return list(self._next_undone(UNREAD, after, most))

    def to_verify(self, after: int, most: int, since: float) -> list[PlannedItem]:
        """Return the next items to prove, in plan order: those without a proof that holds since that time."""
        where = f"WHERE item.number > ? AND {self._limited(PROVABLE)} ORDER BY item.number LIMIT ?"
        return list(self._planned(where, (after, since, most)))

    def to_check(self, after: int, most: int) -> list[PlannedItem]:
        """Return the next items that have no result yet, in plan order."""
        return list(self._next_undone("result.status IS NULL", after, most))

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
        for planned in self._planned(where, (wanted[0], wanted[-1], wanted[-1], *wanted)):
            chains[planned.item.chain].append(planned)
        return [tuple(chain) for chain in chains.values()]

    def _next_undone(self, condition: str, after: int, most: int) -> Iterator[PlannedItem]:
        """Yield the next items of a condition that those with a result do not meet."""
        items, number = self.undone()
        where = f"WHERE {number} > ? AND {self._limited(condition)} ORDER BY {number} LIMIT ?"
        accounts = self.accounts
        for row in self._pages(f"{PLANNED_COLUMNS} {items} {where}", (after, most)):
            yield planned_item(row, accounts)

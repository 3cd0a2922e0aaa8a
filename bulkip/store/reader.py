"""What a run store says: its header, its items still to do, its counts and its report rows."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from types import TracebackType
from typing import Self, TypeAlias

from bulkip.errors import StoreError
from bulkip.model import Counts, Item, JsonValue, Status
from bulkip.safety import PlannedChanges
from bulkip.store.choice import Choice
from bulkip.store.damage import damage_of, is_stumble
from bulkip.store.filedatabase import FileDatabase
from bulkip.store.home import Home, Row
from bulkip.store.opening import open_home, place_of
from bulkip.store.planneditem import Change, PlannedItem, planned_item
from bulkip.store.questions import (
    ADDRESSES_LEFT,
    ADDRESSES_TO_WRITE,
    CHANGES,
    CURRENT,
    DOUBTED,
    ENDED,
    ITEMS,
    LAST_OPEN,
    NARROWED,
    PLANNED_COLUMNS,
    PROOF_REQUIRED,
    ROW_COLUMNS,
    TODO,
    TRAFFIC_READ,
    TROUBLES,
    UNFINISHED,
    UNPROVED,
    among,
)
from bulkip.store.schema import RunHeader, storage_errors

PAGE = 500
StoredRow: TypeAlias = Row
"""An item with its outcome as the store has it; columns by name."""


class RunReader:
    """Owns a reading connection to a run store; a context manager."""

    def __init__(self, home: Home) -> None:
        """Open the store of a run; raises StoreError when it is none of ours."""
        self.home = home
        self.path = place_of(home)
        self._accounts: tuple[str, ...] | None = None
        self._db = open_home(home, "ro")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the store; a stumble over its content is told as damage, one over our own feet as a bug."""
        try:
            if error is not None and (damage := self.damage_behind(error)):
                raise damage from error
        finally:
            self._db.close()

    def damage_behind(self, error: BaseException) -> StoreError | None:
        """Return the damage of the store that an error may come from; None when it is none of the store's."""
        database = self._db
        if not isinstance(database, FileDatabase) or not is_stumble(error):
            return None
        if not (damage := damage_of(database.connection)):
            return None
        text = f"damaged: {damage}; restore it from a backup, or run the job again"
        return StoreError(f"{self.path}: run store: {text}")

    def header(self) -> RunHeader:
        """Return what was known of the run from its first moment."""
        with storage_errors(self.path):
            return RunHeader.of(dict(self._db.execute("SELECT name, value FROM run").fetchall()))

    @property
    def accounts(self) -> tuple[str, ...]:
        """The accounts of the run by the numbers that items have; 0 is that of a job without several."""
        if self._accounts is None:
            self._accounts = ("", *self.header().accounts)
        return self._accounts

    def remembered(self, name: str) -> JsonValue:
        """Return a fact the run kept about itself; None when it never did."""
        with storage_errors(self.path):
            row = self._db.execute("SELECT value FROM run WHERE name=?", (name,)).fetchone()
        value: JsonValue = json.loads(row[0]) if row else None
        return value

    def last_start(self) -> Mapping[str, float | int | str | None]:
        """Return number, times, exit code and reason of the newest start; empty before the first."""
        with storage_errors(self.path):
            row = self._db.execute("SELECT * FROM start ORDER BY number DESC LIMIT 1").fetchone()
        return dict(row) if row else {}

    def counts(self) -> Counts:
        """Count the items by status, those without a result included."""
        with storage_errors(self.path):
            rows = self._db.execute(ENDED).fetchall()
            (doubted,) = self._db.execute(DOUBTED).fetchone()
        ended = Counter({Status(status): count for status, count in rows})
        if self.remembered(PROOF_REQUIRED) is True:
            with storage_errors(self.path):
                (unproved,) = self._db.execute(UNPROVED).fetchone()
            ended += Counter({Status.UNVERIFIED: unproved})
            ended -= Counter({Status.CHANGED: unproved})
        ended += Counter({Status.UNKNOWN: doubted})
        return Counts(dict(ended + Counter({Status.NOT_RUN: self.items() - ended.total()})))

    def class_counts(self) -> dict[str, int]:
        """Count the items by error class, those that have one."""
        sql = f"SELECT error_class, COUNT(*) {ITEMS} WHERE error_class IS NOT NULL"
        with storage_errors(self.path):
            return dict(self._db.execute(f"{sql} GROUP BY 1 ORDER BY 2 DESC, 1").fetchall())

    def changes_ahead(self, most: int) -> list[Change]:
        """Return the first PTR writes that are still to do, with the value read before."""
        items, number = self.undone()
        where = f"WHERE result.status IS NULL AND reading.names IS NOT NULL ORDER BY {number} LIMIT ?"
        sql = f"SELECT item.ip, reading.names, json_extract(item.form, '$.ptr') {items} {where}"
        with storage_errors(self.path):
            rows = self._db.execute(sql, (most,)).fetchall()
        return [
            Change(ip, tuple(json.loads(names)), tuple(ptr.split("\n")) if ptr else ())
            for ip, names, ptr in rows
        ]

    def troubles(self) -> list[tuple[str, int, str | None, str | None]]:
        """Return each error class with its count and its first example: class, times, address, message."""
        with storage_errors(self.path):
            return [tuple(row) for row in self._db.execute(TROUBLES).fetchall()]

    def pace(self) -> tuple[int, float]:
        """Return how many calls were sent, and over how many seconds."""
        sql = "SELECT COUNT(*), COALESCE(MAX(sent_at) - MIN(sent_at), 0) FROM attempt"
        with storage_errors(self.path):
            calls, seconds = self._db.execute(sql).fetchone()
        return int(calls), float(seconds)

    def sent_since(self, time: float) -> list[float]:
        """Return when calls were sent after this time, in Unix seconds."""
        with storage_errors(self.path):
            ended = "SELECT sent_at FROM attempt WHERE sent_at > ? AND finished_at IS NOT NULL"
            return [sent_at for (sent_at,) in self._db.execute(ended, (time,))]

    def in_flight(self) -> int:
        """Count the calls that have no end in the store."""
        with storage_errors(self.path):
            (count,) = self._db.execute("SELECT COUNT(*) FROM attempt WHERE finished_at IS NULL").fetchone()
        return int(count)

    def last_number(self, item: int) -> int:
        """Return the number of the newest attempt of an item; 0 when there is none."""
        sql = "SELECT COALESCE(MAX(number), 0) FROM attempt WHERE item = ?"
        with storage_errors(self.path):
            return int(self._db.execute(sql, (item,)).fetchone()[0])

    def items(self) -> int:
        """Count the items of the plan."""
        with storage_errors(self.path):
            return int(self._db.execute("SELECT COUNT(*) FROM item").fetchone()[0])

    def undone(self) -> tuple[str, str]:
        """Return from where the items without a result come, in SQL, and what their number is there."""
        narrowed = self.remembered(NARROWED) is True
        return (TODO, "todo.item") if narrowed else (ITEMS, "item.number")

    def items_left(self) -> int:
        """Count the items that have no result yet."""
        if self.undone()[0] == TODO:
            return self._count_undone("result.status IS NULL")
        with storage_errors(self.path):
            return self.items() - int(self._db.execute(CURRENT).fetchone()[0])

    def is_open(self) -> bool:
        """Say whether any item has no result yet; what was begun last is looked at first."""
        with storage_errors(self.path):
            return self._db.execute(LAST_OPEN).fetchone() is not None

    def chosen(self, choice: Choice) -> int:
        """Count the items that a choice means."""
        where, values = choice.where()
        with storage_errors(self.path):
            return int(self._db.execute(f"SELECT COUNT(*) {ITEMS} {where}", values).fetchone()[0])

    def writes_left(self) -> int:
        """Count the writes that have no result yet."""
        return self._count_undone("item.writes AND result.status IS NULL")

    def unfinished(self) -> int:
        """Count the readings of periods that were not over when they were planned."""
        with storage_errors(self.path):
            sql = f"SELECT COUNT(*) {ITEMS} WHERE {TRAFFIC_READ} AND {UNFINISHED}"
            return int(self._db.execute(sql).fetchone()[0])

    def addresses_to_write(self) -> tuple[int, int]:
        """Return how many addresses this run writes to or has written to, and for how many all is done."""
        with storage_errors(self.path):
            row = self._db.execute(ADDRESSES_TO_WRITE).fetchone()
        return int(row[0]), int(row[1])

    def addresses_left(self) -> int:
        """Count the addresses that this run still writes to."""
        with storage_errors(self.path):
            return int(self._db.execute(ADDRESSES_LEFT.format(items=self.undone()[0])).fetchone()[0])

    def _count_undone(self, condition: str) -> int:
        """Count items of a condition that those with a result do not meet."""
        with storage_errors(self.path):
            sql = f"SELECT COUNT(*) {self.undone()[0]} WHERE {condition}"
            return int(self._db.execute(sql).fetchone()[0])

    def planned_changes(self) -> PlannedChanges:
        """Count what the PTR writes without a result would do to the values that were read."""
        with storage_errors(self.path):
            sets, changes, clears, blind, *led = self._db.execute(
                CHANGES.format(items=self.undone()[0])
            ).fetchone()
            (existing,) = self._db.execute("SELECT COUNT(*) FROM reading WHERE names <> '[]'").fetchone()
        return PlannedChanges(sets, changes, clears, existing, blind, *led)

    def rows(self, *statuses: Status) -> Iterator[StoredRow]:
        """Yield every item with its outcome, in plan order; with statuses only those that ended so."""
        tail = f"WHERE {among(statuses)} ORDER BY item.number"
        yield from self._pages(f"{ROW_COLUMNS} {ITEMS} {tail}", statuses)

    def items_known(self) -> Iterator[tuple[Item, tuple[str, ...] | None]]:
        """Yield the items of the plan, in order, with the PTR names last known to be there."""
        columns, accounts = f"{PLANNED_COLUMNS}, COALESCE(result.names, reading.names)", self.accounts
        for row in self._pages(f"{columns} {ITEMS} ORDER BY item.number", ()):
            *planned, names = row
            yield planned_item(planned, accounts).item, None if names is None else tuple(json.loads(names))

    def items_planned(self) -> Iterator[PlannedItem]:
        """Yield the items of the plan, in order, with what is known of each."""
        return self._planned("ORDER BY item.number", ())

    def _planned(self, tail: str, values: tuple[int | float | str, ...]) -> Iterator[PlannedItem]:
        accounts = self.accounts
        for row in self._pages(f"{PLANNED_COLUMNS} {ITEMS} {tail}", values):
            yield planned_item(row, accounts)

    def _pages(self, sql: str, values: tuple[int | float | str, ...]) -> Iterator[StoredRow]:
        """Yield rows a page at a time; only the store's own errors are translated, not those of the taker."""
        with storage_errors(self.path):
            cursor = self._db.walk(sql, values)
            page = cursor.fetchmany(PAGE)
        while page:
            yield from page
            with storage_errors(self.path):
                page = cursor.fetchmany(PAGE)

"""Does a run store keep the laws of a run? Recounted from its rows alone, whoever wrote them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from bulkip.errors import StoreError
from bulkip.hostnames import ptr_names, same_names
from bulkip.keys import key_of
from bulkip.model import Status
from bulkip.store.filedatabase import FileDatabase
from bulkip.store.freeze import ITEMS_FROZEN
from bulkip.store.history import RunHistory
from bulkip.store.laws import CHECKS, Check, Law
from bulkip.store.questions import ITEMS, STATUS
from bulkip.store.schema import storage_errors

SHOWN_PLACES = 3
SHOWN_FAULTS = 3
UNBOUNDED = 2**31
ALLOWED_IN = "attempts in start"
"""The fact that a run keeps about each start, its number behind: the `retry.attempts` that held in it."""

_KINDS: Mapping[str, type] = {"object": dict, "array": list}
_ALLOWED = f"""
SELECT start.number, kept.value, start.started_at >= CAST(planned.value AS REAL) FROM start
LEFT JOIN run AS kept ON kept.name = '{ALLOWED_IN} ' || start.number
LEFT JOIN run AS planned ON planned.name = 'created_at'
"""
_PLACES = """
SELECT found.item, found.attempt, item.number, item.ip, item.action, item.key
FROM found LEFT JOIN item ON item.number = found.item ORDER BY 1, 2 LIMIT :most
"""


@dataclass(frozen=True, slots=True)
class Spot:
    """Where in a store something is wrong: an item or a call of it; `planned` says that there is the item."""

    item: int | None
    attempt: int | None
    planned: bool
    ip: str | None
    action: str | None
    key: str | None

    def __str__(self) -> str:
        if self.planned:
            what = " ".join(str(text) for text in (self.ip, self.action) if text)  # may be anything
            parts = [f"{what} (item {self.item}, key {self.key}"]
        else:
            parts = [f"(item {self.item}, not in the plan"]
        parts += [] if self.attempt is None else [f"attempt {self.attempt}"]
        return ", ".join(parts) + ")"


@dataclass(frozen=True, slots=True)
class Breach:
    """A law that a store does not keep: how often, the first places, and the way out."""

    law: Law
    wrong: str
    way_out: str
    count: int
    spots: tuple[Spot, ...]


@dataclass(frozen=True, slots=True)
class Sums:
    """What a store holds; `unended` are calls without an end, which were in flight when a run was killed."""

    by_status: Mapping[str, int]
    items: int
    calls: int
    unended: int


class Recount(RunHistory):
    """Owns a reading connection that goes through the whole store."""

    def __init__(self, run_dir: Path, writing: frozenset[str], known: frozenset[str]) -> None:
        """Open the store below `run_dir`; `known` are the actions there are, `writing` those that write."""
        super().__init__(run_dir)
        database = self._db
        if not isinstance(database, FileDatabase):
            raise StoreError(f"{run_dir}: only a run in a folder of its own is recounted")
        self._file = database.connection
        for name, function in _functions(writing, known).items():
            self._file.create_function(name, -1, function, deterministic=True)
        self._allowed = {start: (_parsed(kept), own) for start, kept, own in self._select(_ALLOWED)}
        self._file.create_function("allowed", 2, self._most)

    def undone(self) -> tuple[str, str]:
        """Look for items without a result among all: what a run wrote down about them proves nothing."""
        return ITEMS, "item.number"

    def damage(self) -> list[str]:
        """Return what SQLite itself finds wrong with the file; nothing when it is whole."""
        try:
            found = [str(line) for (line,) in self._select(f"PRAGMA integrity_check({SHOWN_FAULTS})")]
        except StoreError as error:
            return [str(error)]
        return [] if found == ["ok"] else found

    def breaches(self, law: Law, attempts: int) -> Iterator[Breach]:
        """Yield every way in which the store breaks a law; `attempts` is the `retry.attempts` of the run.

        Raises StoreError when the rows cannot be read that far.
        """
        self._file.create_function("keyed", -1, partial(_keyed, self.accounts), deterministic=True)
        for check in CHECKS:
            if check.law is law and (found := self._breach(check, attempts)):
                yield found

    def sums(self) -> Sums:
        """Return how many rows there are of each kind, the items also by status."""
        sql = f"SELECT {STATUS} AS status, COUNT(*) {ITEMS} GROUP BY 1"
        by_status = {str(status): int(count) for status, count in self._select(sql)}
        tables = "item", "attempt", "attempt WHERE finished_at IS NULL"
        counts = (int(next(self._select(f"SELECT COUNT(*) FROM {table}"))[0]) for table in tables)
        return Sums(by_status, *counts)

    def planned_items(self) -> int | None:
        """Return how many items the plan froze; None when the store is of a bulkip that did not keep it."""
        value = self.remembered(ITEMS_FROZEN)
        return value if isinstance(value, int) else None

    def _most(self, start: int, otherwise: int) -> int:
        """Return how many calls of a purpose an item may have in a start; a rebase forgets how many."""
        kept, own = self._allowed.get(start, (None, True))
        return kept if isinstance(kept, int) else otherwise if own else UNBOUNDED

    def _breach(self, check: Check, attempts: int) -> Breach | None:
        values = {"attempts": attempts, "most": SHOWN_PLACES}
        columns = f"WITH found(item, attempt) AS ({check.sql})"
        with storage_errors(self.path):
            (count,) = self._db.execute(f"{columns} SELECT COUNT(*) FROM found", values).fetchone()
            if not count:
                return None
            rows = self._db.execute(f"{columns} {_PLACES}", values).fetchall()
        spots = tuple(
            Spot(item, attempt, number is not None, *known) for item, attempt, number, *known in rows
        )
        return Breach(check.law, check.wrong, check.way_out, int(count), spots)


def counts_of(by_status: Mapping[str, int]) -> dict[Status, int]:
    """Return the counts of the statuses that there are."""
    return {status: by_status[status] for status in Status if status in by_status}


def _functions(writing: frozenset[str], known: frozenset[str]) -> dict[str, Any]:
    """Return what SQL cannot say by itself; a text that cannot be read is nobody's fault but the store's."""
    return {
        "readable": _readable,
        "wants": _wants,
        "known": lambda action, writes: action in known and bool(writes) == (action in writing),
    }


def _readable(text: object, kind: str) -> bool:
    """Say whether a text is a JSON object or array of texts."""
    value = _parsed(text)
    inner = value.values() if isinstance(value, dict) else value
    return isinstance(value, _KINDS[kind]) and all(isinstance(one, str) for one in inner)


def _keyed(accounts: Sequence[str], *columns: object) -> bool | None:
    """Say whether a key is the digest of its item's content; None when that cannot be read."""
    key, step, action, ip, form, skip, place = columns
    if not (isinstance(place, int) and 0 <= place < len(accounts)):
        return False
    content = _parsed(form) if skip is None else {"when": skip}
    if not isinstance(content, dict) or not _readable(json.dumps(content), "object"):
        return None
    address = None if ip is None else str(ip)
    return bool(key == key_of(str(step), str(action), address, content, accounts[place]))


def _wants(form: object, names: object) -> bool | None:
    """Say whether these are the names that a form asks for; None when either cannot be read."""
    asked, found = _parsed(form), _parsed(names)
    if not isinstance(asked, dict) or not isinstance(found, list):
        return None
    return same_names(ptr_names(str(asked.get("ptr", ""))), map(str, found))


def _parsed(text: object) -> Any:
    try:
        return json.loads(text) if isinstance(text, str) else None
    except (ValueError, RecursionError):
        return None

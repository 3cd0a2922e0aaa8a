"""What happened in a run, call by call, and which rows of the user's own lists its items came from."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from bulkip.csvfile import column_names
from bulkip.model import Status
from bulkip.store.home import Home
from bulkip.store.questions import ITEMS, PROOF_COLUMNS, ROW_COLUMNS, STATUS, among
from bulkip.store.reader import PAGE, RunReader, StoredRow
from bulkip.store.schema import CELL_END, storage_errors

TARGET = "COALESCE(moved.target, item.chain)"
OWN_COLUMNS = (
    f"{ROW_COLUMNS}, {PROOF_COLUMNS}, item.step, {TARGET} AS target, "
    "heading.delimiter, heading.names AS heading, target.cells"
)
OWN_ITEMS = f"""
{ITEMS}
LEFT JOIN moved ON moved.item = item.number
LEFT JOIN target ON target.number = {TARGET}
LEFT JOIN heading ON heading.number = target.heading
"""
ATTEMPTS = """
SELECT item.key, item.action, item.ip, attempt.number, purpose, sent_at, finished_at, outcome, error_class,
  http_status, message, attempt.item, start, wanted, seen, in_doubt
FROM attempt LEFT JOIN item ON item.number = attempt.item
"""
FAILED: Final = (
    Status.UNKNOWN, Status.FAILED, Status.CONFLICT, Status.NOT_RUN, Status.MISMATCH, Status.UNVERIFIED,
)  # fmt: skip
"""What counts as failed where the next job's input is made, the gravest first."""
NEIGHBOURS = 3


@dataclass(frozen=True, slots=True)
class Narrowing:
    """Which items a history is about: a condition of SQL, its values, and the order."""

    condition: str = "TRUE"
    values: tuple[str, ...] = ()
    order: str = "item.number"


WHOLE: Final = Narrowing()
TO_DO_AGAIN: Final = Narrowing(
    f"item.ip IS NOT NULL AND ({among(FAILED)} OR (result.status = ? AND item.skip IS NULL))",
    (*FAILED, Status.SKIPPED),
    "target, item.number",
)
"""The items that failed, and those skipped because of them, by the rows that they came from."""


def of_address(ip: str) -> Narrowing:
    """Return the narrowing to the items of one address in canonical form."""
    return Narrowing("item.ip = ?", (ip,))


class RunHistory(RunReader):
    """Owns a reading connection that sees one moment of a run, with every call and the targets' own cells."""

    def __init__(self, home: Home, narrowing: Narrowing = WHOLE) -> None:
        """Open the store of a run; `rows` gives only the items of the narrowing."""
        super().__init__(home)
        self._narrowing = narrowing
        with storage_errors(self.path):
            self._db.begin_snapshot()

    def rows(self, *statuses: Status) -> Iterator[StoredRow]:
        """Yield the items with their outcome, step, and the cells of the target that gave them."""
        only = self._narrowing
        tail = f"WHERE {only.condition} AND {among(statuses)} ORDER BY {only.order}"
        yield from self._select(f"{OWN_COLUMNS} {OWN_ITEMS} {tail}", *only.values, *statuses)

    def headings(self) -> Iterator[tuple[str | None, tuple[str, ...]]]:
        """Yield delimiter and names of every heading; only that of a CSV list has a delimiter."""
        for delimiter, names in self._select("SELECT delimiter, names FROM heading ORDER BY number"):
            yield delimiter, tuple(json.loads(names))

    def attempts(self) -> Iterator[StoredRow]:
        """Yield every call of the run in order of sending; those of the run itself have no key."""
        yield from self._select(f"{ATTEMPTS} ORDER BY attempt.sent_at, attempt.item, attempt.number")

    def attempts_of(self, item: int) -> list[StoredRow]:
        """Return the calls of one item, in order."""
        return list(self._select(f"{ATTEMPTS} WHERE attempt.item = ? ORDER BY attempt.number", item))

    def starts(self) -> list[StoredRow]:
        """Return the starts of the run, the oldest first."""
        return list(self._select("SELECT * FROM start ORDER BY number"))

    def first_address(self, status: Status) -> str | None:
        """Return the first address with an item at a status; None when there is none."""
        sql = (
            f"SELECT item.ip {ITEMS} WHERE item.ip IS NOT NULL AND {STATUS} = ? ORDER BY item.number LIMIT 1"
        )
        return next((ip for (ip,) in self._select(sql, status)), None)

    def neighbours(self, ip: str) -> list[str]:
        """Return a few addresses of the plan that begin like this one."""
        head = ip[: max(ip.rfind("."), ip.rfind(":")) + 1]
        sql = "SELECT DISTINCT ip FROM item WHERE ip >= ? AND ip < ? ORDER BY ip LIMIT ?"
        return [near for (near,) in self._select(sql, head, f"{head}g", NEIGHBOURS)]

    def _select(self, sql: str, *values: str | float) -> Iterator[StoredRow]:
        """Yield rows a page at a time; what goes wrong where they are taken is none of the store's errors."""
        with storage_errors(self.path):
            cursor = self._db.walk(sql, values)
            page = cursor.fetchmany(PAGE)
        while page:
            yield from page
            with storage_errors(self.path):
                page = cursor.fetchmany(PAGE)


def own_cells(row: StoredRow) -> dict[str, str]:
    """Return what the user wrote in the row of an item's target, by column; at least `ip`."""
    if row["heading"] is None:
        return {"ip": row["ip"]}
    cells = dict(zip(column_names(json.loads(row["heading"])), row["cells"].split(CELL_END), strict=True))
    return cells if row["delimiter"] is not None else {**cells, "ip": row["ip"]}

"""What is still to be found out before the first write: on which servers addresses are, where names lead."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from bulkip.actions.checks import LOOKUP
from bulkip.model import Status
from bulkip.store.planneditem import PlannedItem
from bulkip.store.questions import ITEMS, PLANNED_COLUMNS, SOUGHT, UNTRACED
from bulkip.store.schema import storage_errors
from bulkip.store.workleft import WorkLeft

RIVALS = f"""
WITH main AS (
  SELECT item.number, item.account, item.ip, sought.item IS NOT NULL AS was_sought,
    COALESCE(sought.server, json_extract(item.form, '$.id')) AS server {ITEMS}
  WHERE item.action = 'set_main' AND item.skip IS NULL AND json_extract(item.form, '$.main') <> '0'
    AND (result.status IS NULL OR result.status IN ('{Status.CHANGED}', '{Status.UNCHANGED}'))
)
SELECT number, server FROM main WHERE was_sought AND server <> '{LOOKUP}'
AND server IN (SELECT server FROM main WHERE account = ? GROUP BY server HAVING COUNT(DISTINCT ip) > 1)
AND account = ? ORDER BY number
"""


@dataclass(frozen=True, slots=True)
class Sought:
    """The items of an address from the first whose server is sought; these servers are known to have it."""

    chain: tuple[PlannedItem, ...]
    servers: tuple[str, ...]


class Beforehand(WorkLeft):
    """Owns a reading connection that knows what is to be found out, and what was found out so far."""

    @property
    def place(self) -> int:
        """The number that the part's items have for their account, 0 in a job without several."""
        return self.part.account or 0

    def lookups_left(self) -> int:
        """Count the addresses whose server is still to be found."""
        return self._number(
            f"SELECT COUNT(DISTINCT item.ip) {self.undone()[0]} WHERE {self._limited(SOUGHT)}"
        )

    def account(self) -> tuple[int, tuple[str, ...]]:
        """Return how many servers the account is known to have, and which were not looked into yet."""
        unseen = "SELECT id FROM server WHERE account = ? AND NOT shown ORDER BY id"
        with storage_errors(self.path):
            sql = "SELECT COUNT(*) FROM server WHERE account = ?"
            (count,) = self._db.execute(sql, (self.place,)).fetchone()
            rows = self._db.execute(unseen, (self.place,)).fetchall()
        return int(count), tuple(server for (server,) in rows)

    def to_look_up(self, after: int, most: int) -> list[Sought]:
        """Return the next addresses whose server is to be found, behind the item `after`."""
        with storage_errors(self.path):
            items, number = self.undone()
            sought = self._limited(SOUGHT)
            sql = f"SELECT item.ip {items} WHERE {sought} AND {number} > ? ORDER BY {number} LIMIT ?"
            found = tuple(dict.fromkeys(ip for (ip,) in self._db.execute(sql, (after, most))))
        if not found:
            return []
        where = f"WHERE item.ip IN ({','.join('?' * len(found))}) ORDER BY item.number"
        planned = self._fetched(f"{PLANNED_COLUMNS} {ITEMS} {where}", found)
        holders = self._holders(found)
        chains = (tuple(group) for _, group in groupby(planned, lambda one: one.item.chain))
        return [Sought(_open(chain), holders.get(chain[0].item.ip or "", ())) for chain in chains]

    def _holders(self, addresses: Sequence[str]) -> dict[str, tuple[str, ...]]:
        """Return the servers that are known to have each address."""
        marks = ",".join("?" * len(addresses))
        sql = f"SELECT ip, server FROM holding WHERE account = ? AND ip IN ({marks}) ORDER BY ip, server"
        with storage_errors(self.path):
            rows = self._db.execute(sql, (self.place, *addresses)).fetchall()
        return {ip: tuple(server for _, server in group) for ip, group in groupby(rows, lambda row: row[0])}

    def rival_mains(self) -> list[tuple[PlannedItem, str]]:
        """Return the writes that would give a server a second main address, each with the server found."""
        with storage_errors(self.path):
            found = dict(self._db.execute(RIVALS, (self.place, self.place)).fetchall())
        return [(one, found[one.item.number]) for one in self.numbered(found)]

    def numbered(self, numbers: Iterable[int]) -> list[PlannedItem]:
        """Return the items with these numbers, in plan order."""
        values = tuple(numbers)
        if not values:
            return []
        where = f"WHERE item.number IN ({','.join('?' * len(values))}) ORDER BY item.number"
        return self._fetched(f"{PLANNED_COLUMNS} {ITEMS} {where}", values)

    def leads_left(self) -> int:
        """Count the writes of which nobody has asked yet where their names lead."""
        return self._count_undone(UNTRACED)

    def to_trace(self, after: int, most: int) -> list[PlannedItem]:
        """Return the next writes whose names are to be resolved, in plan order."""
        return self._next_undone(UNTRACED, after, most)

    def _number(self, sql: str) -> int:
        with storage_errors(self.path):
            return int(self._db.execute(sql).fetchone()[0])


def _open(chain: tuple[PlannedItem, ...]) -> tuple[PlannedItem, ...]:
    """Return a chain from its first item whose server is sought."""
    places = (
        place for place, one in enumerate(chain) if one.status is None and one.item.form.get("id") == LOOKUP
    )
    return chain[next(places) :]

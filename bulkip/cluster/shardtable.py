"""Who is at which shard of a run, and how far it has come: the table that queue and workers go by."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bulkip.cluster.runs import LEASE_S
from bulkip.store.home import DatabaseError, Executing, SharedDatabase
from bulkip.store.manyrows import ManyRows
from bulkip.store.part import Part
from bulkip.store.statements import REMEMBER

SILENT: Final = f"(holder IS NULL OR seen_at < clock_timestamp() - interval '{LEASE_S} seconds')"
NUMBERED: Final = "SELECT COALESCE(MAX(number), 0) FROM shard"
ADD: Final = ManyRows(
    "INSERT INTO shard (number, round, account, queue, first, last) VALUES", "({},{},{},{},{},{})"
)
TAKE: Final = f"""
UPDATE shard SET token = token + 1, holder = ?, seen_at = clock_timestamp()
WHERE number = ? AND ended_at IS NULL AND {SILENT}
RETURNING token, round, account, first, last, tally
"""
ENDED: Final = "SELECT ended_at IS NOT NULL FROM shard WHERE number = ?"
SEEN: Final = """
UPDATE shard SET seen_at = clock_timestamp(), tally = ? WHERE number = ? AND token = ? AND ended_at IS NULL
RETURNING (SELECT value FROM run WHERE name = ?)
"""
END: Final = """
UPDATE shard SET ended_at = clock_timestamp(), holder = NULL, tally = ?, stop = ?
WHERE number = ? AND token = ? AND ended_at IS NULL RETURNING number
"""
GIVE_BACK: Final = "UPDATE shard SET holder = NULL, tally = ? WHERE number = ? AND token = ?"
HELD: Final = "SELECT token FROM shard WHERE number = ? AND ended_at IS NULL FOR SHARE"
"""With a lock that whoever takes the shard over waits for: what is committed under it is seen by them."""
SUMS: Final = "SELECT tally FROM shard WHERE round = ? AND number <> ? AND tally <> '{}'"
MOVING: Final = f"""
SELECT number, ended_at IS NOT NULL, {SILENT}, tally, stop, holder FROM shard
WHERE round = ? AND (holder IS NOT NULL OR ended_at >= clock_timestamp() - ? * interval '1 second')
ORDER BY number
"""
OPEN: Final = f"SELECT number FROM shard WHERE round = ? AND ended_at IS NULL AND {SILENT} ORDER BY number"
LEFT: Final = """
SELECT COUNT(*) FILTER (WHERE round = ? AND ended_at IS NULL), COALESCE(MAX(round), 0) FROM shard
"""
UNDER_WAY: Final = "UPDATE bulkip.runs SET under_way = TRUE, accounts = ? WHERE id = ?"

KEPT: Final = "SELECT value FROM run WHERE name = ?"
LAST_ROUND: Final = "SELECT COALESCE(MAX(round), 0) FROM shard"


class Fenced(DatabaseError):
    """Raised when a shard belongs to another worker by now."""


@dataclass(frozen=True, slots=True)
class HeldShard:
    """A shard that this worker has taken; `token` proves it, `tally` is what it came to before."""

    number: int
    token: int
    round: int
    part: Part
    tally: Any


@dataclass(frozen=True, slots=True)
class ShardState:
    """How a shard stands: whether it has ended, whether its worker is silent, and what it came to."""

    number: int
    ended: bool
    silent: bool
    tally: Any
    stop: Any
    holder: str | None


class ShardTable:
    """Asks and tells the table of one run; each call takes a trip to the server."""

    def __init__(self, database: SharedDatabase) -> None:
        """Go through this connection."""
        self._database = database

    def last_round(self) -> int:
        """Return the number of the newest round; 0 before the first."""
        return int(self._database.execute(LAST_ROUND).fetchone()[0])

    def add(self, round_: int, queue: str, parts: Sequence[Part]) -> list[int]:
        """Add the shards of a round, and return their numbers."""
        numbers: list[int] = []

        def work(database: Executing) -> None:
            first = int(database.execute(NUMBERED).fetchone()[0]) + 1
            rows = [(first + place, round_, 0, queue, one.first, one.last) for place, one in enumerate(parts)]
            ADD.insert(database, rows)
            numbers[:] = [row[0] for row in rows]

        self._database.transact(work)
        return numbers

    def take(self, number: int, holder: str) -> HeldShard | None:
        """Take a shard that nobody is at; None when somebody is, or it has ended."""
        taken = self._database.execute(TAKE, (holder, number)).fetchone()
        if taken is None:
            return None
        token, round_, _account, first, last, tally = taken
        return HeldShard(number, token, round_, Part(first=first, last=last), json.loads(tally))

    def has_ended(self, number: int) -> bool:
        """Say whether a shard needs nobody any more; one that is not there needs nobody either."""
        row = self._database.execute(ENDED, (number,)).fetchone()
        return row is None or bool(row[0])

    def seen(self, shard: HeldShard, tally: Mapping[str, Any], fact: str) -> Any:
        """Tell that the worker is still at a shard, and return a fact that the run keeps; raises Fenced."""
        row = self._database.execute(SEEN, (json.dumps(tally), shard.number, shard.token, fact)).fetchone()
        if row is None:
            raise Fenced(f"shard {shard.number} is another worker's by now")
        return None if row[0] is None else json.loads(row[0])

    def end(self, shard: HeldShard, tally: Mapping[str, Any], stop: Mapping[str, Any] | None) -> None:
        """Tell that a shard has ended, once every row of it is committed; raises Fenced."""
        values = (json.dumps(tally), None if stop is None else json.dumps(stop))
        if self._database.execute(END, (*values, shard.number, shard.token)).fetchone() is None:
            raise Fenced(f"shard {shard.number} is another worker's by now")

    def give_back(self, shard: HeldShard, tally: Mapping[str, Any]) -> None:
        """Let others take a shard that is not done."""
        self._database.execute(GIVE_BACK, (json.dumps(tally), shard.number, shard.token))

    def others(self, shard: HeldShard) -> list[Any]:
        """Return what the other shards of the same round came to."""
        rows = self._database.execute(SUMS, (shard.round, shard.number)).fetchall()
        return [json.loads(tally) for (tally,) in rows]

    def moving(self, round_: int, within_s: float) -> list[ShardState]:
        """Return the shards of a round that somebody is at, and those that ended within so many seconds."""
        rows = self._database.execute(MOVING, (round_, within_s)).fetchall()
        return [
            ShardState(number, ended, silent, json.loads(tally), json.loads(stop or "null"), holder)
            for number, ended, silent, tally, stop, holder in rows
        ]

    def left(self, round_: int) -> tuple[int, int]:
        """Return how many shards of a round have not ended, and which round is the newest."""
        left, newest = self._database.execute(LEFT, (round_,)).fetchone()
        return int(left), int(newest)

    def idle(self, round_: int) -> list[int]:
        """Return the shards of a round that have not ended, and that nobody is at."""
        return [number for (number,) in self._database.execute(OPEN, (round_,)).fetchall()]

    def keep(self, fact: str, value: Any) -> None:
        """Keep a fact about the run, which its workers hear of."""
        self._database.execute(REMEMBER, (fact, json.dumps(value)))

    def kept(self, fact: str) -> Any:
        """Return a fact about the run; None when it keeps none."""
        row = self._database.execute(KEPT, (fact,)).fetchone()
        return None if row is None else json.loads(row[0])

    def note_under_way(self, run: str, accounts: str) -> None:
        """Let workers know that they should look at the accounts of a run."""
        self._database.execute(UNDER_WAY, (accounts, run))


@dataclass(frozen=True, slots=True)
class Guard:
    """Refuses what a worker would commit for a shard that is another's by now."""

    shard: HeldShard

    def __call__(self, database: Executing) -> None:
        """Hold the shard until the transaction ends; raises Fenced."""
        row = database.execute(HELD, (self.shard.number,)).fetchone()
        if row is None or row[0] != self.shard.token:
            raise Fenced(f"shard {self.shard.number} is another worker's by now")

"""Who is at which shard of a run, and how far it has come: the table that queue and workers go by."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from bulkip.cluster.runs import FENCE, LEASE_S
from bulkip.orders import HALTED, Tally, halted_fact, stop_of
from bulkip.stops import Stop
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
_COUNTED: Final = "tally = ?, ended = ?, failed = ?, spent = ?"
SEEN: Final = f"""
UPDATE shard SET seen_at = clock_timestamp(), {_COUNTED}
WHERE number = ? AND token = ? AND ended_at IS NULL
RETURNING (SELECT value FROM run WHERE name IN (?, ?) AND value <> 'null' ORDER BY name LIMIT 1)
"""
END: Final = f"""
UPDATE shard SET ended_at = clock_timestamp(), holder = NULL, {_COUNTED}
WHERE number = ? AND token = ? RETURNING number
"""
GIVE_BACK: Final = f"UPDATE shard SET holder = NULL, {_COUNTED} WHERE number = ? AND token = ?"
HELD: Final = "SELECT token FROM shard WHERE number = ? AND ended_at IS NULL FOR SHARE"
"""With a lock that whoever takes the shard over waits for: what is committed under it is seen by them."""
OTHERS: Final = """
SELECT COALESCE(SUM(ended), 0), COALESCE(SUM(failed), 0), COALESCE(SUM(spent) FILTER (WHERE account = ?), 0)
FROM shard WHERE round = ? AND number <> ?
"""
MOVING: Final = f"""
SELECT number, account, ended_at IS NOT NULL, {SILENT}, tally, holder FROM shard
WHERE round = ? AND (holder IS NOT NULL OR ended_at >= clock_timestamp() - ? * interval '1 second')
ORDER BY number
"""
ALONE: Final = "LOCK TABLE shard IN SHARE ROW EXCLUSIVE MODE"
CLOSE: Final = FENCE + " AND round = ?"
WHOLE_ROUND: Final = "SELECT number, account, TRUE, FALSE, tally, NULL FROM shard WHERE round = ?"
RESULTS: Final = """
SELECT result.status, COUNT(*) FROM shard
JOIN item ON item.number BETWEEN shard.first AND shard.last
  AND (shard.account = 0 OR item.account = shard.account)
JOIN result ON result.item = item.number AND result.generation = item.generation
WHERE shard.round = ? GROUP BY 1
"""
IDLE: Final = f"""
SELECT number, queue FROM shard WHERE round = ? AND ended_at IS NULL AND {SILENT} ORDER BY number
"""
LEFT: Final = """
SELECT COUNT(*) FILTER (WHERE round = ? AND ended_at IS NULL), COALESCE(MAX(round), 0) FROM shard
"""
LEAVE: Final = f"""
UPDATE shard SET ended_at = clock_timestamp(), token = token + 1, holder = NULL
WHERE round = ? AND account = ? AND ended_at IS NULL AND {SILENT}
"""
FACTS: Final = (
    f"SELECT name, value FROM run WHERE (name = '{HALTED}' OR name LIKE '{HALTED} %') AND value <> 'null'"
)
FORGET: Final = f"DELETE FROM run WHERE name = '{HALTED}' OR name LIKE '{HALTED} %'"
UNDER_WAY: Final = "UPDATE bulkip.runs SET under_way = TRUE, accounts = ? WHERE id = ?"


class Fenced(DatabaseError):
    """Raised when a shard belongs to another worker by now."""


class TakenOver(DatabaseError):
    """Raised when another coordinator has made a round meanwhile."""


@dataclass(frozen=True, slots=True)
class HeldShard:
    """A shard that this worker has taken; `token` proves it, `tally` is what it came to before."""

    number: int
    token: int
    round: int
    part: Part
    tally: Tally


@dataclass(frozen=True, slots=True)
class ShardState:
    """How a shard stands: whether it has ended, whether its worker is silent, and what it came to."""

    number: int
    account: int
    ended: bool
    silent: bool
    tally: Tally
    holder: str | None


class ShardTable:
    """Asks and tells the table of one run; each call takes a trip to the server."""

    def __init__(self, database: SharedDatabase) -> None:
        """Go through this connection."""
        self._database = database

    def last_round(self) -> int:
        """Return the number of the newest round; 0 before the first."""
        return self.left(0)[1]

    def add(self, after: int, dealt: Sequence[tuple[str, Part]]) -> list[int]:
        """Add the round after another one: shards, each with its queue. Return their numbers.

        Who is still at a shard of an older round has lost it. Raises TakenOver
        when the newest round is not the one that the caller knows.
        """
        numbers: list[int] = []

        def work(database: Executing) -> None:
            numbers.clear()
            database.execute(ALONE)
            newest = int(database.execute(LEFT, (0,)).fetchone()[1])
            if newest != after:
                raise TakenOver("another coordinator has taken this run over; look at that one")
            database.execute(FENCE)
            round_ = after + 1
            first = int(database.execute(NUMBERED).fetchone()[0]) + 1
            rows = [
                (first + place, round_, part.account or 0, queue, part.first, part.last)
                for place, (queue, part) in enumerate(dealt)
            ]
            ADD.insert(database, rows)
            numbers[:] = [row[0] for row in rows]

        self._database.transact(work)
        return numbers

    def take(self, number: int, holder: str) -> HeldShard | None:
        """Take a shard that nobody is at; None when somebody is, or it has ended."""
        taken = self._database.execute(TAKE, (holder, number)).fetchone()
        if taken is None:
            return None
        token, round_, account, first, last, tally = taken
        return HeldShard(number, token, round_, Part(first, last, account or None), _tally(tally))

    def has_ended(self, number: int) -> bool:
        """Say whether a shard needs nobody any more; one that is not there needs nobody either."""
        row = self._database.execute(ENDED, (number,)).fetchone()
        return row is None or bool(row[0])

    def seen(self, shard: HeldShard, tally: Tally, account: str) -> Stop | None:
        """Tell that the worker is still at a shard, and return why it should stop; raises Fenced."""
        facts = (HALTED, halted_fact(account))
        row = self._database.execute(SEEN, (*_counted(tally), shard.number, shard.token, *facts)).fetchone()
        if row is None:
            raise _lost(shard)
        return None if row[0] is None else stop_of(json.loads(row[0]))

    def end(self, shard: HeldShard, tally: Tally) -> None:
        """Tell that a shard has ended, once every row of it is committed; raises Fenced."""
        if self._database.execute(END, (*_counted(tally), shard.number, shard.token)).fetchone() is None:
            raise _lost(shard)

    def give_back(self, shard: HeldShard, tally: Tally) -> None:
        """Let others take a shard that is not done."""
        self._database.execute(GIVE_BACK, (*_counted(tally), shard.number, shard.token))

    def others(self, shard: HeldShard) -> tuple[int, int, int]:
        """Return what the other shards came to: ended, failed, and the cost of this account's retries."""
        values = (shard.part.account or 0, shard.round, shard.number)
        ended, failed, spent = self._database.execute(OTHERS, values).fetchone()
        return int(ended), int(failed), int(spent)

    def moving(self, round_: int, within_s: float) -> list[ShardState]:
        """Return the shards of a round that somebody is at, and those that ended within so many seconds."""
        return self._states(MOVING, round_, within_s)

    def whole_round(self, round_: int) -> list[ShardState]:
        """Return all shards of a round that is over."""
        return self._states(WHOLE_ROUND, round_)

    def _states(self, question: str, *values: float) -> list[ShardState]:
        rows = self._database.execute(question, values).fetchall()
        return [
            ShardState(number, account, ended, silent, _tally(tally), holder)
            for number, account, ended, silent, tally, holder in rows
        ]

    def results(self, round_: int) -> dict[str, int]:
        """Count by status the results that the items of a round have, whoever came to them."""
        return {status: int(count) for status, count in self._database.execute(RESULTS, (round_,)).fetchall()}

    def close(self, round_: int) -> None:
        """End what is left of a round that is to stop: nobody goes on with it."""
        self._database.execute(CLOSE, (round_,))

    def left(self, round_: int) -> tuple[int, int]:
        """Return how many shards of a round have not ended, and which round is the newest."""
        left, newest = self._database.execute(LEFT, (round_,)).fetchone()
        return int(left), int(newest)

    def idle(self, round_: int) -> list[tuple[int, str]]:
        """Return the shards of a round that have not ended and that nobody is at, with their queues."""
        return [(number, queue) for number, queue in self._database.execute(IDLE, (round_,)).fetchall()]

    def leave(self, round_: int, account: int) -> None:
        """End the shards of an account that nobody is at; what they have not done stays undone."""
        self._database.execute(LEAVE, (round_, account))

    def halted(self) -> Mapping[str, Stop]:
        """Return why accounts are to stop, by their facts; that of the whole run is for all of them."""
        found = {name: stop_of(json.loads(value)) for name, value in self._database.execute(FACTS).fetchall()}
        return {name: stop for name, stop in found.items() if stop is not None}

    def forget_halts(self) -> None:
        """Let a run go on that was to stop."""
        self._database.execute(FORGET)

    def keep(self, fact: str, value: Any) -> None:
        """Keep a fact about the run, which its workers hear of."""
        self._database.execute(REMEMBER, (fact, json.dumps(value)))

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
            raise _lost(self.shard)


def _lost(shard: HeldShard) -> Fenced:
    return Fenced(f"shard {shard.number} is another worker's by now")


def _counted(tally: Tally) -> tuple[str, int, int, int]:
    return json.dumps(tally.told()), tally.ended, tally.failed, tally.spent


def _tally(text: str) -> Tally:
    return Tally.of(json.loads(text))

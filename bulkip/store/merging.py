"""How the stores of shards become the store of one run, without passing through memory."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bulkip.errors import UsageError
from bulkip.model import Counts, JsonValue, Status
from bulkip.shards import Shard
from bulkip.store.division import may_own
from bulkip.store.freeze import ITEMS_FROZEN
from bulkip.store.fresh import fresh_store, make_indexes, make_tables, mark_ours, unhurried
from bulkip.store.questions import ITEMS, STATUS
from bulkip.store.recount import ALLOWED_IN
from bulkip.store.schema import RunHeader, store_path

STRANGERS = "SELECT COUNT(*) FROM part.item WHERE NOT owned(ip)"
OVERLAP = """
SELECT theirs.number, theirs.ip FROM part.item AS theirs WHERE EXISTS (
  SELECT 1 FROM main.item AS ours WHERE ours.number = theirs.number
  OR (ours.ip = theirs.ip AND ours.step = theirs.step)) LIMIT 1
"""
# Items, chains and targets bear the numbers of the whole plan in every shard.
# Starts, and calls that belong to no item, are counted in each by itself.
JOIN = """
INSERT INTO item SELECT * FROM part.item;
INSERT INTO heading SELECT NULL, theirs.delimiter, theirs.names FROM part.heading AS theirs
  WHERE NOT EXISTS (SELECT 1 FROM main.heading AS ours
    WHERE ours.names = theirs.names AND ours.delimiter IS theirs.delimiter) ORDER BY theirs.number;
INSERT INTO target SELECT theirs.number, (SELECT MIN(ours.number) FROM main.heading AS ours
    WHERE ours.names = heads.names AND ours.delimiter IS heads.delimiter), theirs.cells
  FROM part.target AS theirs JOIN part.heading AS heads ON heads.number = theirs.heading;
INSERT INTO moved SELECT * FROM part.moved;
INSERT INTO sought SELECT * FROM part.sought;
INSERT INTO server SELECT * FROM part.server WHERE true
  ON CONFLICT DO UPDATE SET shown = max(shown, excluded.shown);
INSERT OR IGNORE INTO holding SELECT * FROM part.holding;
INSERT INTO lead SELECT * FROM part.lead;
INSERT INTO reading SELECT * FROM part.reading;
INSERT INTO unread SELECT * FROM part.unread;
INSERT INTO proof SELECT * FROM part.proof;
INSERT INTO result SELECT * FROM part.result;
INSERT INTO start SELECT number + :starts, started_at, finished_at, exit_code, reason, error_class
  FROM part.start;
INSERT INTO attempt SELECT item, CASE item WHEN 0 THEN number + :probes ELSE number END, start + :starts,
  purpose, sent_at, finished_at, outcome, error_class, http_status, message, wanted, seen, in_doubt
  FROM part.attempt
"""
ALLOWANCES = f"""
INSERT INTO run SELECT '{ALLOWED_IN} ' || (start.number + ?), kept.value
FROM part.start JOIN part.run AS kept ON kept.name = '{ALLOWED_IN} ' || start.number
"""
LAST_START = """
INSERT INTO start SELECT COALESCE(MAX(number), 0) + 1, COALESCE(MIN(started_at), :planned),
  COALESCE(MAX(COALESCE(finished_at, started_at)), :planned), NULL, NULL, NULL FROM start
"""
END = "UPDATE start SET exit_code = ?, reason = ? WHERE number = (SELECT MAX(number) FROM start)"


@dataclass(frozen=True, slots=True)
class Part:
    """A run that is one shard of the new one."""

    folder: Path
    shard: Shard


class Merger:
    """Owns the store of a merged run while it is made; `merged_store` opens one."""

    def __init__(self, connection: sqlite3.Connection, header: RunHeader) -> None:
        """Write a run with this header through this connection."""
        self._db = connection
        self._header = header

    def join(self, part: Part) -> None:
        """Take a shard in; raises UsageError when it holds what is not its own, or what another one holds."""
        uri = f"{store_path(part.folder).absolute().as_uri()}?mode=ro"
        self._db.execute("ATTACH DATABASE ? AS part", (uri,))
        self._db.execute("BEGIN")  # so that all of a store is seen at one moment
        self._check(part)
        offsets = {"starts": self._highest("start"), "probes": self._highest("attempt WHERE item = 0")}
        for statement in JOIN.split(";"):
            self._db.execute(statement, offsets if ":" in statement else {})
        self._keep_allowances(offsets["starts"])
        self._db.execute("COMMIT")
        self._db.execute("DETACH DATABASE part")

    def counts(self) -> Counts:
        """Count the items by status."""
        rows = self._db.execute(f"SELECT {STATUS} AS status, COUNT(*) {ITEMS} GROUP BY 1").fetchall()
        return Counts({Status(status): count for status, count in rows})

    def remember(self, facts: Mapping[str, JsonValue]) -> None:
        """Keep facts about the run."""
        self.keep((name, json.dumps(value)) for name, value in facts.items())

    def close_books(self, exit_code: int, reason: str | None) -> None:
        """Write how all starts together ended."""
        self._db.execute(LAST_START, {"planned": self._header.created_at})
        self._db.execute(END, (exit_code, reason))

    def _check(self, part: Part) -> None:
        may_own(self._db, part.shard)
        (strangers,) = self._db.execute(STRANGERS).fetchone()
        if strangers:
            raise UsageError(
                f"{part.folder}: {strangers:,} of its items are not of shard {part.shard}; "
                "something else changed this store: run the shard again"
            )
        if found := self._db.execute(OVERLAP).fetchone():
            number, ip = found
            raise UsageError(
                f"{part.folder}: item {number} ({ip or 'without an address'}) of shard {part.shard} overlaps "
                "with another shard; they are of different plans: run the shards again"
            )

    def _highest(self, table: str) -> int:
        return int(self._db.execute(f"SELECT COALESCE(MAX(number), 0) FROM main.{table}").fetchone()[0])

    def _keep_allowances(self, starts: int) -> None:
        """Keep how many attempts each start allowed, under the new number of that start."""
        self._db.execute(ALLOWANCES, (starts,))

    def keep(self, rows: Iterable[tuple[str, str]]) -> None:
        """Keep rows of the table `run`."""
        self._db.executemany("INSERT OR REPLACE INTO run VALUES (?,?)", rows)


@contextmanager
def merged_store(run_dir: Path, header: RunHeader, parts: Sequence[Part]) -> Iterator[Merger]:
    """Join the stores of shards into a new one, which has its name once the block ends well.

    Raises StoreError, UsageError; nothing is left then.
    """
    with fresh_store(run_dir) as path:
        connection = sqlite3.connect(path.absolute().as_uri(), uri=True, isolation_level=None)
        try:
            unhurried(connection)
            make_tables(connection)
            make_indexes(connection)
            connection.execute("CREATE INDEX heads ON heading (names)")
            merger = Merger(connection, header)
            for part in parts:
                merger.join(part)
            connection.execute("DROP INDEX heads")
            merger.keep(header.rows())
            yield merger
            merger.remember({ITEMS_FROZEN: merger.counts().total})
            mark_ours(connection)
        finally:
            connection.close()

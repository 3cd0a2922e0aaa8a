"""What was collected, apart from the runs that collected it: one SQLite file that outlives them.

A reading is remembered by the API's URL and the job's name, not by the
secret: tokens change from night to night, and what a night brought home does not.
"""

import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from bulkip.characters import FORBIDDEN
from bulkip.errors import StoreError
from bulkip.lockname import same_url
from bulkip.model import Status
from bulkip.store.files import PRIVATE_FILE, make_folder
from bulkip.store.harvest import Reading
from bulkip.store.questions import COLLECTED_BY
from bulkip.store.schema import RunHeader, store_path

FILE_NAME = "collected.db"
APPLICATION_ID = 0x62756C63  # "bulc"
VERSION = 1
PATIENCE_S = 30.0
"""How long to wait for another process that writes just now; none of its transactions is long."""
SHOWN_RUNS = 3
WAY_OUT = "move it away, and what it remembers is asked again"
TABLES = """
CREATE TABLE account (id INTEGER PRIMARY KEY, url TEXT NOT NULL, job TEXT NOT NULL, UNIQUE (url, job));
CREATE TABLE reading (
  account INTEGER NOT NULL, period_start INTEGER NOT NULL, period_stop INTEGER NOT NULL,
  summary TEXT NOT NULL, unbilled TEXT NOT NULL, ip TEXT NOT NULL,
  value TEXT, empty INTEGER NOT NULL, message TEXT, run TEXT NOT NULL, collected_at REAL NOT NULL,
  PRIMARY KEY (account, period_start, period_stop, summary, unbilled, ip)
) WITHOUT ROWID;
CREATE TABLE taken (run TEXT PRIMARY KEY, state TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE file (path TEXT PRIMARY KEY, plan TEXT NOT NULL, state TEXT NOT NULL) WITHOUT ROWID
"""
KEEP = """
INSERT INTO reading VALUES (?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT DO UPDATE SET value = excluded.value,
  empty = excluded.empty, message = excluded.message, run = excluded.run, collected_at = excluded.collected_at
WHERE excluded.collected_at >= reading.collected_at
"""
"""The newest reading counts, in whatever order runs are taken over."""
SETTLE = f"""
INSERT INTO result (item, generation, status, message, value, empty, note, settled_at)
SELECT item.number, 0, '{Status.OK}', kept.message, kept.value, kept.empty,
  '{COLLECTED_BY}' || kept.run, ?
FROM item CROSS JOIN ledger.reading AS kept ON kept.account = ?
  AND kept.period_start = CAST(json_extract(item.form, '$.period_start') AS INTEGER)
  AND kept.period_stop = CAST(json_extract(item.form, '$.period_stop') AS INTEGER)
  AND kept.summary = json_extract(item.form, '$.summary')
  AND kept.unbilled = json_extract(item.form, '$.unbilled') AND kept.ip = item.ip
WHERE item.action = 'get_traffic' AND item.skip IS NULL
  AND (kept.value IS NULL OR json_valid(kept.value)) AND typeof(kept.empty) = 'integer'
  AND NOT EXISTS (SELECT 1 FROM result WHERE result.item = item.number)
"""
LEFT = "SELECT COUNT(*) FROM item WHERE number NOT IN (SELECT item FROM result)"
BY_RUN = f"""
SELECT substr(note, {len(COLLECTED_BY) + 1}), COUNT(*) FROM result WHERE note LIKE '{COLLECTED_BY}%'
GROUP BY 1 ORDER BY 2 DESC, 1 DESC
"""


@dataclass(frozen=True, slots=True)
class Collected:
    """What of a plan was collected before: how many items, by which runs, and how many items are left."""

    items: int = 0
    runs: tuple[str, ...] = ()
    left: int | None = None

    @property
    def everything(self) -> bool:
        """Whether nothing of the plan is left to ask."""
        return self.items > 0 and self.left == 0

    def __str__(self) -> str:
        shown = ", ".join(self.runs[:SHOWN_RUNS])
        more = len(self.runs) - SHOWN_RUNS
        which = "run" if len(self.runs) == 1 else "runs"
        return f"collected by {which} {shown}" + (f" and {more} more" if more > 0 else "")


NOTHING = Collected()


class Ledger:
    """Owns a connection to what was collected; a context manager. Several processes may have one each."""

    def __init__(self, run_dir: Path) -> None:
        """Open what was collected below a run folder, or begin it; raises StoreError when it is not ours."""
        self.path = run_dir / FILE_NAME
        with self._errors():
            make_folder(run_dir)
            os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, PRIVATE_FILE))
            self._db = sqlite3.connect(self.path, timeout=PATIENCE_S, isolation_level=None)
        try:
            with self._errors():
                self._begin_file()
        except BaseException:
            self._db.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._db.close()

    def keep(self, header: RunHeader, readings: Iterable[Reading]) -> None:
        """Remember what a run read; a newer reading of the same is kept."""
        with self._errors():
            account = self._account(header)
        rows = [
            (account, *one.asked, one.value, one.empty, one.message, header.id, one.at) for one in readings
        ]
        with self._errors(), self._transaction():
            self._db.executemany(KEEP, rows)

    def settle(self, run_dir: Path, header: RunHeader) -> Collected:
        """Give the items of a fresh plan that were collected before the result that they had then."""
        with self._errors():
            account = self._account(header)
            uri = f"{store_path(run_dir).absolute().as_uri()}?mode=rw"
            run = sqlite3.connect(uri, uri=True, isolation_level=None)
            try:
                run.execute("ATTACH DATABASE ? AS ledger", (f"{self.path.absolute().as_uri()}?mode=ro",))
                run.execute(SETTLE, (header.created_at, account))
                by_run = run.execute(BY_RUN).fetchall()
                (left,) = run.execute(LEFT).fetchone()
            finally:
                run.close()
        return Collected(sum(count for _, count in by_run), tuple(name for name, _ in by_run), left)

    def has_taken(self, run: str, state: str) -> bool:
        """Say whether a run was taken over when its store was in this state."""
        with self._errors():
            found = self._db.execute("SELECT state FROM taken WHERE run=?", (run,)).fetchone()
        return bool(found == (state,))

    def note_taken(self, run: str, state: str) -> None:
        """Note that a run was taken over in this state."""
        with self._errors(), self._transaction():
            self._db.execute("INSERT OR REPLACE INTO taken VALUES (?,?)", (run, state))

    def has_written(self, path: str, plan: str, state: str) -> bool:
        """Say whether a file is as it was written for a plan of which all was collected."""
        with self._errors():
            found = self._db.execute("SELECT plan, state FROM file WHERE path=?", (path,)).fetchone()
        return bool(found == (plan, state))

    def note_written(self, path: str, plan: str, state: str) -> None:
        """Note that a file holds all of a plan."""
        with self._errors(), self._transaction():
            self._db.execute("INSERT OR REPLACE INTO file VALUES (?,?,?)", (path, plan, state))

    def _account(self, header: RunHeader) -> int:
        names = (same_url(header.url), header.job_name)
        sql = "SELECT id FROM account WHERE url=? AND job=?"
        found = self._db.execute(sql, names).fetchone()
        if found is None:
            with self._transaction():
                self._db.execute("INSERT OR IGNORE INTO account (url, job) VALUES (?,?)", names)
            found = self._db.execute(sql, names).fetchone()
        return int(found[0])

    def _begin_file(self) -> None:
        """Make the tables of a new file, and refuse one that is not ours."""
        if self._is_empty():
            with self._transaction():  # of two that begin at once, the second finds the tables
                if self._is_empty():
                    for statement in TABLES.split(";"):
                        self._db.execute(statement)
                    self._db.execute(f"PRAGMA application_id={APPLICATION_ID}")
                    self._db.execute(f"PRAGMA user_version={VERSION}")
        self._check_ours()
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")

    def _is_empty(self) -> bool:
        return self._db.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is None

    def _check_ours(self) -> None:
        (application,) = self._db.execute("PRAGMA application_id").fetchone()
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if application != APPLICATION_ID:
            raise StoreError(f"{self.path}: this is not what bulkip collected; {WAY_OUT}")
        if version != VERSION:
            way_out = "upgrade bulkip" if version > VERSION else WAY_OUT
            raise StoreError(
                f"{self.path}: version {version} is not the one that this bulkip keeps; {way_out}"
            )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            with suppress(sqlite3.Error):
                self._db.execute("ROLLBACK")
            raise

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Translate what SQLite and the file system refuse into a StoreError that names the file."""
        try:
            yield
        except (sqlite3.Error, OSError, UnicodeError) as error:
            reason = FORBIDDEN.sub("?", str(getattr(error, "strerror", None) or error))
            text = f"what was collected before cannot be used: {reason}; check its permissions, or {WAY_OUT}"
            raise StoreError(f"{self.path}: {text}") from error

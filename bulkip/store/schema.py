"""How a run lies on disk: the tables, their version, and how a file is known to be ours."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bulkip.characters import FORBIDDEN
from bulkip.errors import StoreError
from bulkip.model import JsonValue
from bulkip.policy import ACCOUNTS, CHECK
from bulkip.shards import MERGED
from bulkip.store.home import DatabaseError, Home

APPLICATION_ID = 0x62756C6B  # "bulk", so that `file` and we can tell a run store from any other SQLite file
VERSION = 7
FILE_NAME = "run.db"

CELL_END = "\x1f"
"""What separates the cells of a target in the store; no input may hold it."""

# An item's result is the one of its own generation; a retry, and a resume of
# what is unknown, begin another one and leave the old result where it is.
#
# The account of an item is the place, from 1, of its name among those of the
# settings; 0 in a run that has no several accounts.
#
# A target bears the number of the chain that it gave, and has a row only when
# it has more than an address. `moved` names the target of an item that took
# the place of one from another row.
#
# `todo` holds the items that had no result when the newest start but the
# first began, so that nobody looks for a few of them among a million; before
# that the run does not know the fact NARROWED, and all items may be to do.
#
# A form stays as it was planned: where it says `lookup`, the id of the server
# stands in `sought` once it is found. `server` and `holding` are what the API
# says of the account, `lead` where the names of a write lead, `unread` that a
# write goes without its value before.
TABLES = """
CREATE TABLE run (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE item (
  number INTEGER PRIMARY KEY, chain INTEGER NOT NULL, key TEXT NOT NULL, step TEXT NOT NULL,
  action TEXT NOT NULL, writes INTEGER NOT NULL, shown INTEGER NOT NULL, ip TEXT,
  form TEXT NOT NULL, source TEXT NOT NULL, skip TEXT, generation INTEGER NOT NULL DEFAULT 0,
  account INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE heading (number INTEGER PRIMARY KEY, delimiter TEXT, names TEXT NOT NULL);
CREATE TABLE target (number INTEGER PRIMARY KEY, heading INTEGER NOT NULL, cells TEXT NOT NULL);
CREATE TABLE moved (item INTEGER PRIMARY KEY, target INTEGER NOT NULL);
CREATE TABLE todo (item INTEGER PRIMARY KEY);
CREATE TABLE sought (item INTEGER PRIMARY KEY, server TEXT);
CREATE TABLE server (
  account INTEGER NOT NULL, id TEXT NOT NULL, shown INTEGER NOT NULL, PRIMARY KEY (account, id)
) WITHOUT ROWID;
CREATE TABLE holding (
  account INTEGER NOT NULL, ip TEXT NOT NULL, server TEXT NOT NULL, PRIMARY KEY (account, ip, server)
) WITHOUT ROWID;
CREATE TABLE lead (item INTEGER PRIMARY KEY, leading TEXT NOT NULL, reason TEXT NOT NULL);
CREATE TABLE reading (item INTEGER PRIMARY KEY, names TEXT NOT NULL, read_at REAL NOT NULL);
CREATE TABLE unread (item INTEGER PRIMARY KEY, reason TEXT NOT NULL);
CREATE TABLE proof (
  item INTEGER NOT NULL, generation INTEGER NOT NULL, mode TEXT NOT NULL, holds INTEGER NOT NULL,
  decided INTEGER NOT NULL, reason TEXT NOT NULL, findings TEXT NOT NULL, proved_at REAL NOT NULL,
  PRIMARY KEY (item, generation)
) WITHOUT ROWID;
CREATE TABLE start (
  number INTEGER PRIMARY KEY, started_at REAL NOT NULL, finished_at REAL, exit_code INTEGER, reason TEXT,
  error_class TEXT
);
CREATE TABLE attempt (
  item INTEGER NOT NULL, number INTEGER NOT NULL, start INTEGER NOT NULL, purpose TEXT NOT NULL,
  sent_at REAL NOT NULL, finished_at REAL, outcome TEXT, error_class TEXT, http_status INTEGER, message TEXT,
  wanted TEXT, seen TEXT, in_doubt INTEGER NOT NULL,
  PRIMARY KEY (item, number)
) WITHOUT ROWID;
CREATE TABLE result (
  item INTEGER NOT NULL, generation INTEGER NOT NULL, status TEXT NOT NULL, error_class TEXT, error_code TEXT,
  message TEXT, http_status INTEGER, value TEXT, empty INTEGER NOT NULL, note TEXT, names TEXT,
  settled_at REAL NOT NULL,
  PRIMARY KEY (item, generation)
) WITHOUT ROWID;
"""
INDEXES = "CREATE UNIQUE INDEX item_once ON item (ip, step)"
"""What is made once the items are there, because that is much quicker."""


@dataclass(frozen=True, slots=True)
class RunHeader:
    """What is known of a run from its first moment; `settings` is what a later start needs.

    `created_at` is in Unix seconds. No secret is in here, only where to find one.
    """

    id: str
    job_name: str
    job_path: str
    job_digest: str
    url: str
    simulated: bool
    created_at: float
    version: str
    settings: dict[str, JsonValue] = field(default_factory=dict)

    @property
    def is_check(self) -> bool:
        """Whether the run only asserts what its job would write."""
        return self.settings.get(CHECK) is not None

    @property
    def accounts(self) -> tuple[str, ...]:
        """The names of the run's accounts, if it has several; an item has the place of one, from 1."""
        kept = self.settings.get(ACCOUNTS)
        entries = kept if isinstance(kept, list) else []
        return tuple(str(one.get("name")) if isinstance(one, dict) else "" for one in entries)

    @property
    def is_merged(self) -> bool:
        """Whether the run was joined from shards, which alone can go on."""
        return MERGED in self.settings

    def rows(self) -> list[tuple[str, str]]:
        """Return the header as rows of the table `run`."""
        return [(name, json.dumps(value)) for name, value in asdict(self).items()]

    @classmethod
    def of(cls, rows: dict[str, str]) -> "RunHeader":
        """Build the header from the rows of the table `run`; raises sqlite3.DatabaseError when damaged."""
        try:
            header = cls(**{name: json.loads(rows[name]) for name in cls.__dataclass_fields__})
            dict[str, object](header.settings)  # what is no mapping is damage
        except (KeyError, TypeError, ValueError) as error:
            raise sqlite3.DatabaseError(f"the header of the run is damaged: {error}") from error
        return header


def store_path(run_dir: Path) -> Path:
    """Return where the store of a run lies within the run's own folder."""
    return run_dir / FILE_NAME


@contextmanager
def storage_errors(home: Home) -> Iterator[None]:
    """Translate what a database and the file system refuse into a StoreError that names the place."""
    try:
        yield
    except DatabaseError as error:
        raise StoreError(f"{home}: run store: {FORBIDDEN.sub('?', str(error))}") from error
    except (sqlite3.Error, OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error  # an OSError would name its file once more
        reason = FORBIDDEN.sub("?", str(reason))  # of a damaged store, SQLite quotes what it finds
        raise StoreError(f"{home}: run store: {reason}; check the disk and its permissions") from error


def check_ours(connection: sqlite3.Connection, path: Path) -> None:
    """Raise StoreError unless the file is a run store that this version reads."""
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if application != APPLICATION_ID:
        raise StoreError(f"{path}: this is not a run store of bulkip; name a run of `--run-dir`")
    if version > VERSION:
        raise StoreError(f"{path}: run store version {version} is newer than this bulkip; upgrade bulkip")
    if version < VERSION:
        raise StoreError(
            f"{path}: run store version {version} is of an older bulkip, "
            "which alone can read it; run the job again"
        )

"""How the state of a simulation lies in SQLite."""

import os
import sqlite3
from pathlib import Path

from bulkip.errors import UsageError

APPLICATION_ID = 0x62696D31  # "bim1": tells a simulator's state from every other SQLite file
_TABLES = """
CREATE TABLE IF NOT EXISTS addresses (
    ip TEXT PRIMARY KEY, server_id INTEGER, location TEXT, network TEXT NOT NULL,
    status TEXT NOT NULL, subnet_id INTEGER, ptr TEXT NOT NULL, traffic_given INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS free_addresses ON addresses (subnet_id) WHERE status = 'free';
CREATE INDEX IF NOT EXISTS addresses_by_server ON addresses (server_id) WHERE server_id IS NOT NULL;
CREATE TABLE IF NOT EXISTS servers (id INTEGER PRIMARY KEY, main_ip TEXT, ipmi_ip TEXT);
CREATE TABLE IF NOT EXISTS subnets (id INTEGER PRIMARY KEY, cidr TEXT NOT NULL, location TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS traffic (
    ip TEXT, at INTEGER, inbound INTEGER NOT NULL, outbound INTEGER NOT NULL, PRIMARY KEY (ip, at)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS effects (
    number INTEGER PRIMARY KEY, at REAL NOT NULL, action TEXT NOT NULL, ip TEXT NOT NULL,
    server_id INTEGER NOT NULL, before TEXT NOT NULL, after TEXT NOT NULL
);
DROP TABLE IF EXISTS calls;
CREATE TABLE calls (
    action TEXT, ip TEXT, ordinal INTEGER NOT NULL, seen INTEGER NOT NULL, admitted INTEGER NOT NULL,
    PRIMARY KEY (action, ip)
) WITHOUT ROWID;
CREATE INDEX calls_by_ordinal ON calls (action, ordinal);
"""


def open_state(path: Path | None) -> sqlite3.Connection:
    """Open a state file, or without a path a temporary database that SQLite keeps on disk and removes.

    Calls are counted from zero after every opening. Raises `UsageError` when
    the file cannot be opened or holds something else.
    """
    shown = str(path) if path else "the temporary state"
    try:
        if path:
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        # Locked by its owner: tests ask from their own thread while the server's thread answers.
        db = sqlite3.connect(path or "", isolation_level=None, check_same_thread=False)
        try:
            _prepare(db, shown, durable=path is not None)
        except BaseException:
            db.close()
            raise
    except (OSError, sqlite3.Error) as error:
        raise UsageError(f"{shown}: cannot be used as simulator state: {error}; name another file") from error
    return db


def _prepare(db: sqlite3.Connection, shown: str, *, durable: bool) -> None:
    """Make the tables, unless the file belongs to someone else."""
    tables = db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if tables and db.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise UsageError(f"{shown}: is a database, but not a simulator's state; name another file")
    db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    db.execute("PRAGMA journal_mode = WAL" if durable else "PRAGMA journal_mode = MEMORY")
    db.execute("PRAGMA synchronous = NORMAL" if durable else "PRAGMA synchronous = OFF")
    db.executescript(_TABLES)

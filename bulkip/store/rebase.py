"""How what a run has done is carried over to a changed plan: item by item, matched by key."""

import sqlite3
from pathlib import Path

from bulkip.errors import UsageError
from bulkip.store.files import sync
from bulkip.store.schema import RunHeader, storage_errors, store_path

MATCHES = """
CREATE TEMP TABLE match AS SELECT fresh.number AS fresh, old.number AS old, old.generation
FROM item AS fresh JOIN before.item AS old ON old.key = fresh.key
"""
LOST_DOUBTS = """
SELECT COUNT(*) FROM before.item AS old
LEFT JOIN before.result AS ended ON ended.item = old.number AND ended.generation = old.generation
WHERE old.number NOT IN (SELECT old FROM match) AND (ended.status = 'unknown' OR EXISTS
  (SELECT 1 FROM before.attempt WHERE attempt.item = old.number AND attempt.in_doubt))
"""
CARRY_OVER = """
UPDATE item SET generation = (SELECT generation FROM match WHERE fresh = item.number)
  WHERE number IN (SELECT fresh FROM match);
DELETE FROM result WHERE item IN (SELECT fresh FROM match);
INSERT INTO result SELECT match.fresh, kept.generation, kept.status, kept.error_class, kept.error_code,
  kept.message, kept.http_status, kept.value, kept.empty, kept.note, kept.names, kept.settled_at
  FROM before.result AS kept JOIN match ON match.old = kept.item;
INSERT INTO reading SELECT match.fresh, kept.names, kept.read_at
  FROM before.reading AS kept JOIN match ON match.old = kept.item;
UPDATE sought SET server = (SELECT old.server FROM before.sought AS old JOIN match ON match.old = old.item
  WHERE match.fresh = sought.item);
INSERT INTO server SELECT * FROM before.server;
INSERT INTO holding SELECT * FROM before.holding;
INSERT INTO lead SELECT match.fresh, kept.leading, kept.reason
  FROM before.lead AS kept JOIN match ON match.old = kept.item;
INSERT INTO attempt SELECT match.fresh, kept.number, kept.start, kept.purpose, kept.sent_at, kept.finished_at,
  kept.outcome, kept.error_class, kept.http_status, kept.message, kept.wanted, kept.seen, kept.in_doubt
  FROM before.attempt AS kept JOIN match ON match.old = kept.item;
INSERT INTO attempt SELECT * FROM before.attempt WHERE item = 0;
INSERT INTO start SELECT * FROM before.start
"""


def carry_over(fresh_dir: Path, run_dir: Path) -> int:
    """Carry results, readings and calls over from a run's store into that of a changed plan.

    Returns how many items were matched. Raises UsageError when an item that
    the changed plan no longer has may have been written: its outcome would be
    forgotten.
    """
    path = store_path(fresh_dir)
    with storage_errors(path):
        connection = sqlite3.connect(path, isolation_level=None)
        try:
            connection.execute("ATTACH DATABASE ? AS before", (str(store_path(run_dir)),))
            return _carry(connection, run_dir)
        finally:
            connection.close()


def replace_store(fresh_dir: Path, run_dir: Path) -> None:
    """Put the store of a changed plan in the place of a run's own, which is kept under the next free name.

    At any moment the run has a whole store: a kill leaves the old one or the new one.
    """
    old = store_path(run_dir)
    number = 1
    while (kept := old.with_suffix(f".{number}.db")).exists():
        number += 1
    with storage_errors(old):
        kept.hardlink_to(old)
        store_path(fresh_dir).replace(old)
        sync(run_dir)


def _accounts(connection: sqlite3.Connection, run: str) -> tuple[str, ...]:
    return RunHeader.of(dict(connection.execute(f"SELECT name, value FROM {run}.run").fetchall())).accounts


def _carry(connection: sqlite3.Connection, run_dir: Path) -> int:
    connection.execute("BEGIN")
    connection.execute(MATCHES)
    (doubts,) = connection.execute(LOST_DOUBTS).fetchone()
    if doubts:
        raise UsageError(
            f"{run_dir.name}: {doubts} writes whose outcome is unknown are not in the changed job; "
            "resume with the old job first, so that they are settled"
        )
    for statement in CARRY_OVER.split(";"):
        connection.execute(statement)
    if _accounts(connection, "main") != _accounts(connection, "before"):
        connection.execute("DELETE FROM server")  # their accounts had other numbers: it is found out again
        connection.execute("DELETE FROM holding")
    (matched,) = connection.execute("SELECT COUNT(*) FROM match").fetchone()
    connection.execute("COMMIT")
    # a write-ahead log that is left beside the old store would be read as that of the new one
    connection.execute("PRAGMA before.journal_mode=DELETE")
    return int(matched)

"""How items that have ended are opened again: by a retry that was asked for, or to settle what is unknown."""

import sqlite3
from pathlib import Path

from bulkip.model import ErrorClass, Status
from bulkip.store.choice import Choice
from bulkip.store.questions import ITEMS, NARROW
from bulkip.store.schema import check_ours, storage_errors, store_path

SKIPPED_WITH = f"""
INSERT INTO chosen SELECT item.number, item.chain, item.shown {ITEMS}
WHERE result.status = '{Status.SKIPPED}' AND item.skip IS NULL AND item.chain IN (SELECT chain FROM chosen)
"""
OPEN = "UPDATE item SET generation = generation + 1 WHERE number IN (SELECT number FROM chosen)"
FORGET = """
DELETE FROM reading WHERE item IN (SELECT number FROM chosen)
AND NOT EXISTS (SELECT 1 FROM attempt WHERE attempt.item = reading.item AND attempt.in_doubt)
"""
LOOK_AGAIN = f"""
DELETE FROM unread WHERE item IN (SELECT number FROM chosen)
AND NOT EXISTS (SELECT 1 FROM attempt WHERE attempt.item = unread.item AND attempt.in_doubt);
DELETE FROM lead WHERE item IN (SELECT number FROM chosen);
DELETE FROM holding;
DELETE FROM server;
UPDATE sought SET server = NULL WHERE item IN (
  SELECT item.number {ITEMS} WHERE item.number IN (SELECT number FROM chosen)
  AND result.error_class IN ('{ErrorClass.INVALID}', '{ErrorClass.NOT_FOUND}')
  AND NOT EXISTS (SELECT 1 FROM attempt WHERE attempt.item = item.number AND attempt.in_doubt))
"""
"""What was found out may not be so any more; a server is sought again where the API refused the one found."""
ACCEPT = "UPDATE attempt SET in_doubt = FALSE WHERE item IN (SELECT number FROM chosen WHERE NOT shown)"


def reopen(run_dir: Path, choice: Choice) -> int:
    """Open the chosen items again, with what was skipped because of them, and return how many there are.

    Whatever has no result then is written down, so that the start which
    follows need not look for it.

    Old results stay in the store. Values read before are forgotten, so that
    they are read again, except where a doubt is to be settled against them.
    """
    path = store_path(run_dir)
    with storage_errors(path):
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None)
    try:
        with storage_errors(path):
            check_ours(connection, path)
            connection.execute("BEGIN IMMEDIATE")
            count = _reopen(connection, choice)
            connection.execute("COMMIT")
    finally:
        connection.close()
    return count


def _reopen(connection: sqlite3.Connection, choice: Choice) -> int:
    where, values = choice.where()
    connection.execute(
        f"CREATE TEMP TABLE chosen AS SELECT item.number, item.chain, item.shown {ITEMS} {where}", values
    )
    if not choice.actions:
        connection.execute(SKIPPED_WITH)
        connection.execute(FORGET)
        connection.execute(ACCEPT)
        for statement in LOOK_AGAIN.split(";"):
            connection.execute(statement)
    opened = connection.execute(OPEN).rowcount
    for statement in NARROW:
        connection.execute(statement)
    return opened

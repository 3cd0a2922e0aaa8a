"""How items that have ended are opened again: by a retry that was asked for, or to settle what is unknown."""

from contextlib import closing

from bulkip.model import ErrorClass, Status
from bulkip.store.choice import Choice
from bulkip.store.home import Executing, Home
from bulkip.store.opening import open_home, place_of
from bulkip.store.questions import ITEMS, NARROW
from bulkip.store.schema import storage_errors

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


def reopen(home: Home, choice: Choice) -> int:
    """Open the chosen items again, with what was skipped because of them, and return how many there are.

    Whatever has no result then is written down, so that the start which
    follows need not look for it.

    Old results stay in the store. Values read before are forgotten, so that
    they are read again, except where a doubt is to be settled against them.
    """
    counts: list[int] = []
    with closing(open_home(home, "rw")) as database, storage_errors(place_of(home)):
        database.transact(lambda store: counts.append(_reopen(store, choice)))
    return counts[-1]


def _reopen(store: Executing, choice: Choice) -> int:
    where, values = choice.where()
    store.execute(
        f"CREATE TEMP TABLE chosen AS SELECT item.number, item.chain, item.shown {ITEMS} {where}", values
    )
    if not choice.actions:
        store.execute(SKIPPED_WITH)
        store.execute(FORGET)
        store.execute(ACCEPT)
        for statement in LOOK_AGAIN.split(";"):
            store.execute(statement)
    opened = int(store.execute(OPEN).rowcount)
    for statement in (*NARROW, "DROP TABLE chosen"):
        store.execute(statement)
    return opened

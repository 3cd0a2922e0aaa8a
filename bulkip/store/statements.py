"""What a run writes into its store, as SQL: every fact about a run is one of these statements."""

import json
from typing import TypeAlias

from bulkip.exactjson import exact_text
from bulkip.model import Item, Result
from bulkip.store.attempt import Attempt, Outcome

_JSON = json.JSONEncoder(ensure_ascii=False)  # made once: `json.dumps` would make one for every text
Statement: TypeAlias = tuple[str, tuple[object, ...], Item | None]
"""One of the texts below, the values that it binds, and the item that it is about, if it is known."""

BEGIN_ATTEMPT = "INSERT INTO attempt VALUES (?,?,?,?,?,NULL,NULL,NULL,NULL,NULL,?,?,1)"
FINISH_ATTEMPT = """
INSERT INTO attempt VALUES (?,?,?,?,?,?,?,?,?,?,NULL,NULL,?)
ON CONFLICT (item, number) DO UPDATE SET sent_at=excluded.sent_at, finished_at=excluded.finished_at,
  outcome=excluded.outcome, error_class=excluded.error_class, http_status=excluded.http_status,
  message=excluded.message, in_doubt=excluded.in_doubt
"""
WITHDRAW_ATTEMPT = "DELETE FROM attempt WHERE item=? AND number=?"
WHOLE_ATTEMPT = "INSERT INTO attempt VALUES (?,?,?,?,?,?,?,?,?,?,NULL,NULL,?)"
CLEAR_DOUBT = "UPDATE attempt SET in_doubt=0 WHERE item=? AND in_doubt"
READING = "INSERT OR REPLACE INTO reading VALUES (?,?,?)"
RESULT = "INSERT INTO result VALUES (?,?,?,?,?,?,?,?,?,?,?,?)"
PROOF = "INSERT OR REPLACE INTO proof VALUES (?,?,?,?,?,?,?,?)"
SERVER = "UPDATE sought SET server=? WHERE server IS NULL AND item IN (SELECT number FROM item WHERE ip=?)"
SERVERS = "INSERT INTO server VALUES (?,?,0) ON CONFLICT DO NOTHING"
HOLDING = "INSERT INTO holding VALUES (?,?,?) ON CONFLICT DO NOTHING"
SHOWN = "UPDATE server SET shown=1 WHERE account=? AND id=?"
UNREAD = "INSERT OR REPLACE INTO unread VALUES (?,?)"
LEAD = "INSERT OR REPLACE INTO lead VALUES (?,?,?)"
START = "INSERT INTO start (number, started_at) SELECT COALESCE(MAX(number), 0) + 1, ? FROM start"
END = "UPDATE start SET finished_at=?, exit_code=?, reason=?, error_class=? WHERE number=?"
REMEMBER = "INSERT OR REPLACE INTO run VALUES (?,?)"


def begun_columns(attempt: Attempt, now: float) -> tuple[object, ...]:
    """Return the values that BEGIN_ATTEMPT binds; `now` is in Unix seconds."""
    a = attempt
    return (a.item, a.number, a.start, a.purpose, now, names_text(a.wanted), names_text(a.seen))


def ended_columns(attempt: Attempt, outcome: Outcome) -> tuple[object, ...]:
    """Return the values that WHOLE_ATTEMPT and FINISH_ATTEMPT bind."""
    a, o = attempt, outcome
    begun = (a.item, a.number, a.start, a.purpose, o.sent_at, o.finished_at)
    return (*begun, o.outcome, o.error_class, o.http_status, o.message, o.in_doubt)


def names_text(names: tuple[str, ...] | None) -> str | None:
    """Return PTR names as the store keeps them: a JSON list; None where nobody knows them."""
    return None if names is None else _JSON.encode(names)


def result_columns(item: int, generation: int, result: Result, now: float) -> tuple[object, ...]:
    """Return the values that RESULT binds; `now` is in Unix seconds."""
    r = result
    value = None if r.value is None else exact_text(r.value)
    why = (r.error_class, r.error_code, r.message, r.http_status)
    return (item, generation, r.status, *why, value, r.empty, r.note, names_text(r.names), now)

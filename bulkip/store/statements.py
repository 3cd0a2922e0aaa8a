"""What a run writes into its store, as SQL: every fact about a run is one of these statements."""

import json
from typing import TypeAlias

from bulkip.exactjson import exact_text
from bulkip.model import Item, Result
from bulkip.store.attempt import Attempt, Outcome

_JSON = json.JSONEncoder(ensure_ascii=False)  # made once: `json.dumps` would make one for every text
Statement: TypeAlias = tuple[str, tuple[object, ...], Item | None]
"""One of the texts below, the values that it binds, and the item that it is about, if it is known."""

BEGIN_ATTEMPT = "INSERT INTO attempt VALUES (?,?,?,?,?,NULL,NULL,NULL,NULL,NULL,?,?,TRUE)"
FINISH_ATTEMPT = """
INSERT INTO attempt VALUES (?,?,?,?,?,?,?,?,?,?,NULL,NULL,?)
ON CONFLICT (item, number) DO UPDATE SET sent_at=excluded.sent_at, finished_at=excluded.finished_at,
  outcome=excluded.outcome, error_class=excluded.error_class, http_status=excluded.http_status,
  message=excluded.message, in_doubt=excluded.in_doubt
"""
WITHDRAW_ATTEMPT = "DELETE FROM attempt WHERE item=? AND number=?"
WHOLE_ATTEMPT = "INSERT INTO attempt VALUES (?,?,?,?,?,?,?,?,?,?,NULL,NULL,?)"
CLEAR_DOUBT = "UPDATE attempt SET in_doubt=FALSE WHERE item=? AND in_doubt"
READING = """
INSERT INTO reading VALUES (?,?,?)
ON CONFLICT (item) DO UPDATE SET names=excluded.names, read_at=excluded.read_at
"""
RESULT = "INSERT INTO result VALUES (?,?,?,?,?,?,?,?,?,?,?,?)"
PROOF = """
INSERT INTO proof VALUES (?,?,?,?,?,?,?,?)
ON CONFLICT (item, generation) DO UPDATE SET mode=excluded.mode, holds=excluded.holds,
  decided=excluded.decided, reason=excluded.reason, findings=excluded.findings, proved_at=excluded.proved_at
"""
SERVER = "UPDATE sought SET server=? WHERE server IS NULL AND item IN (SELECT number FROM item WHERE ip=?)"
SERVERS = "INSERT INTO server VALUES (?,?,FALSE) ON CONFLICT DO NOTHING"
HOLDING = "INSERT INTO holding VALUES (?,?,?) ON CONFLICT DO NOTHING"
SHOWN = "UPDATE server SET shown=TRUE WHERE account=? AND id=?"
UNREAD = "INSERT INTO unread VALUES (?,?) ON CONFLICT (item) DO UPDATE SET reason=excluded.reason"
LEAD = """
INSERT INTO lead VALUES (?,?,?)
ON CONFLICT (item) DO UPDATE SET "leading"=excluded.leading, reason=excluded.reason
"""
START = "INSERT INTO start (number, started_at) SELECT COALESCE(MAX(number), 0) + 1, ? FROM start"
END = "UPDATE start SET finished_at=?, exit_code=?, reason=?, error_class=? WHERE number=?"
REMEMBER = "INSERT INTO run VALUES (?,?) ON CONFLICT (name) DO UPDATE SET value=excluded.value"


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
    value = None if r.value is None else exact_text(r.value, close=True)
    why = (r.error_class, r.error_code, r.message, r.http_status)
    return (item, generation, r.status, *why, value, r.empty, r.note, names_text(r.names), now)

"""What a run writes into its store, as SQL: every fact about a run is one of these statements."""

import json
from typing import TypeAlias

from bulkip.exactjson import exact_text
from bulkip.model import Item, Result

Statement: TypeAlias = tuple[str, tuple[object, ...], Item | None]
"""One of the texts below, the values that it binds, and the item that it is about, if it is known."""

BEGIN_ATTEMPT = "INSERT INTO attempt VALUES (?,?,?,?,?,NULL,NULL,NULL,NULL,NULL,?,?,1)"
FINISH_ATTEMPT = """
UPDATE attempt SET sent_at=?, finished_at=?, outcome=?, error_class=?, http_status=?, message=?, in_doubt=?
WHERE item=? AND number=?
"""
WITHDRAW_ATTEMPT = "DELETE FROM attempt WHERE item=? AND number=?"
WHOLE_ATTEMPT = "INSERT INTO attempt VALUES (?,?,?,?,?,?,?,?,?,?,NULL,NULL,?)"
CLEAR_DOUBT = "UPDATE attempt SET in_doubt=0 WHERE item=? AND in_doubt"
READING = "INSERT OR REPLACE INTO reading VALUES (?,?,?)"
RESULT = "INSERT INTO result VALUES (?,?,?,?,?,?,?,?,?,?,?,?)"
PROOF = "INSERT OR REPLACE INTO proof VALUES (?,?,?,?,?,?,?,?)"
SERVER = "UPDATE sought SET server=? WHERE server IS NULL AND item IN (SELECT number FROM item WHERE ip=?)"
SERVERS = "INSERT OR IGNORE INTO server SELECT value, 0 FROM json_each(?)"
HOLDING = "INSERT OR IGNORE INTO holding SELECT value, ? FROM json_each(?)"
SHOWN = "UPDATE server SET shown=1 WHERE id=?"
UNREAD = "INSERT OR REPLACE INTO unread VALUES (?,?)"
LEAD = "INSERT OR REPLACE INTO lead VALUES (?,?,?)"
START = "INSERT INTO start (number, started_at) SELECT COALESCE(MAX(number), 0) + 1, ? FROM start"
END = "UPDATE start SET finished_at=?, exit_code=?, reason=?, error_class=? WHERE number=?"
REMEMBER = "INSERT OR REPLACE INTO run VALUES (?,?)"


def result_columns(item: int, generation: int, result: Result, now: float) -> tuple[object, ...]:
    """Return the values that RESULT binds; `now` is in Unix seconds."""
    r = result
    value = None if r.value is None else exact_text(r.value)
    names = None if r.names is None else json.dumps(r.names, ensure_ascii=False)
    why = (r.error_class, r.error_code, r.message, r.http_status)
    return (item, generation, r.status, *why, value, r.empty, r.note, names, now)

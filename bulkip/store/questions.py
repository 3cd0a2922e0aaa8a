"""How a run store is asked: the parts of SQL that several questions share."""

from collections.abc import Collection
from typing import Final

from bulkip.model import Status
from bulkip.proof import Leading

PROOF_REQUIRED = "proof_required"
"""The fact that a run keeps when a write counts as done only once it is proved."""
COLLECTED_BY = "collected by run "
"""How the note of an item begins that was not asked, because an earlier run had its reading."""
OVER = "periods_until_s"
"""The setting that a run keeps about its plan: until when a period was over, in Unix seconds."""
STOP = "CAST(json_extract(item.form, '$.period_stop') AS BIGINT)"
TRAFFIC_READ = f"item.action = 'get_traffic' AND result.status = '{Status.OK}'"
UNFINISHED = f"""
CASE WHEN {TRAFFIC_READ} THEN {STOP} > result.settled_at OR {STOP} > COALESCE(
  (SELECT CAST(json_extract(value, '$.{OVER}') AS DOUBLE PRECISION) FROM run WHERE name = 'settings'),
  result.settled_at)
ELSE FALSE END
"""
"""Whether a reading is of a period that was not over when the run was planned, or when it was made."""
STATUS = f"""
CASE
  WHEN result.status = '{Status.CHANGED}' AND proof.holds IS NOT TRUE
    AND (SELECT value FROM run WHERE name = '{PROOF_REQUIRED}') = 'true' THEN '{Status.UNVERIFIED}'
  WHEN result.status IS NOT NULL THEN result.status
  WHEN item.writes AND EXISTS (SELECT 1 FROM attempt WHERE attempt.item = item.number
    AND attempt.purpose = 'call' AND attempt.in_doubt) THEN '{Status.UNKNOWN}'
  ELSE '{Status.NOT_RUN}'
END
"""


def among(statuses: Collection[Status]) -> str:
    """Return the condition that an item ended as one of these, which are bound; none is no condition."""
    return f"({STATUS}) IN ({','.join('?' * len(statuses))})" if statuses else "TRUE"


FORM = """
CASE WHEN sought.server IS NULL THEN item.form ELSE json_set(item.form, '$.id', sought.server) END
"""
"""What is sent: the form as it was planned, with the server that was found."""
NARROWED = "narrowed"
"""The fact that a run keeps once its table `todo` says which items had no result when a start began."""
OUTCOMES = """
LEFT JOIN result ON result.item = item.number AND result.generation = item.generation
LEFT JOIN proof ON proof.item = item.number AND proof.generation = item.generation
LEFT JOIN reading ON reading.item = item.number
LEFT JOIN sought ON sought.item = item.number
LEFT JOIN lead ON lead.item = item.number
"""
ITEMS = f"FROM item {OUTCOMES}"
TODO = f"FROM todo CROSS JOIN item ON item.number = todo.item {OUTCOMES}"
"""The items that may be without a result, once a run is narrowed; their numbers are `todo.item`, too."""
NARROW = (
    "DELETE FROM todo",
    (
        "INSERT INTO todo SELECT item.number FROM item LEFT JOIN result ON result.item = item.number "
        "AND result.generation = item.generation WHERE result.item IS NULL"
    ),
    f"INSERT INTO run VALUES ('{NARROWED}', 'true') ON CONFLICT (name) DO UPDATE SET value = excluded.value",
)
"""Writes down which items have no result; what is to be done must be among them until this is done again."""
_ENDS = "FROM result CROSS JOIN item ON item.number = result.item AND item.generation = result.generation"
CURRENT = f"SELECT COUNT(*) {_ENDS}"
"""How many items have a result."""
LAST_OPEN = """
SELECT item.number FROM item
LEFT JOIN result ON result.item = item.number AND result.generation = item.generation
WHERE result.item IS NULL ORDER BY item.number DESC LIMIT 1
"""
ENDED = f"SELECT result.status, COUNT(*) {_ENDS} GROUP BY 1"
UNPROVED = f"""
SELECT COUNT(*) {_ENDS} LEFT JOIN proof ON proof.item = item.number AND proof.generation = item.generation
WHERE result.status = '{Status.CHANGED}' AND proof.holds IS NOT TRUE
"""
DOUBTED = """
SELECT COUNT(DISTINCT attempt.item) FROM attempt CROSS JOIN item ON item.number = attempt.item
LEFT JOIN result ON result.item = item.number AND result.generation = item.generation
WHERE attempt.in_doubt AND attempt.purpose = 'call' AND item.writes AND result.status IS NULL
"""
"""How many writes have no result, and may have happened."""
WHOLE_CHAINS = """
item.number >= ? AND item.number < COALESCE(
  (SELECT number FROM item WHERE number > ? AND chain > ? ORDER BY number LIMIT 1), 9223372036854775807)
AND item.chain IN ({marks})
"""
OUTCOME: Final = (
    "number", "key", "action", "ip", "form", "source", "status", "error_class", "error_code", "message",
    "http_status", "attempts", "before_names", "names", "value", "empty", "note", "verified", "proof_reason",
    "leading", "lead_reason", "unread_reason", "partial", "started_at", "answered_at", "settled_at",
)  # fmt: skip
"""The columns with which every row begins: what there is to tell of an item, in the order of telling it."""
# A report reads a million rows so: CASE evaluates no more than it must; JSON comes checked, without spaces,
# which json_remove does when there is nothing to remove (`json` is a word of PostgreSQL's own)
ROW_COLUMNS = f"""
SELECT item.number, item.key, item.action, item.ip, json_remove({FORM}) AS form, item.source,
  {STATUS} AS status, result.error_class, result.error_code, result.message, result.http_status,
  (SELECT COUNT(*) FROM attempt WHERE attempt.item = item.number AND purpose = 'call') AS attempts,
  reading.names AS before_names, result.names, json_remove(result.value) AS value, result.empty, result.note,
  proof.holds AS verified, proof.reason AS proof_reason, lead.leading, lead.reason AS lead_reason,
  (SELECT reason FROM unread WHERE unread.item = item.number) AS unread_reason, {UNFINISHED} AS partial,
  COALESCE((SELECT MIN(sent_at) FROM attempt WHERE attempt.item = item.number AND purpose = 'call'),
    (SELECT MIN(sent_at) FROM attempt WHERE attempt.item = item.number)) AS started_at,
  CASE WHEN result.settled_at IS NULL
    THEN (SELECT MAX(finished_at) FROM attempt WHERE attempt.item = item.number) END AS answered_at,
  result.settled_at, item.writes, item.account
"""
PROOF_COLUMNS = "proof.findings, proof.mode AS proof_mode, proof.decided AS proof_decided, proof.proved_at"
PLANNED_COLUMNS = f"""
SELECT item.number, item.chain, item.key, item.step, item.action, item.ip, {FORM}, item.source, item.skip,
  item.generation, reading.names, reading.read_at, result.status,
  (SELECT MAX(attempt.number) * 4 + MAX(CASE WHEN NOT attempt.in_doubt THEN 0
    WHEN attempt.outcome = 'refused' THEN 3 ELSE 2 END) FROM attempt WHERE attempt.item = item.number),
  sought.server IS NOT NULL,
  (SELECT reason FROM unread WHERE unread.item = item.number), item.account
"""
TROUBLES = f"""
SELECT first.error_class, first.times, item.ip, result.message FROM (
  SELECT result.error_class, COUNT(*) AS times, MIN(item.number) AS number {ITEMS}
  WHERE result.error_class IS NOT NULL GROUP BY 1
) AS first
JOIN item ON item.number = first.number
JOIN result ON result.item = item.number AND result.generation = item.generation ORDER BY 2 DESC, item.number
"""
BLIND = "EXISTS (SELECT 1 FROM unread WHERE unread.item = item.number)"
SOUGHT = "sought.item IS NOT NULL AND sought.server IS NULL AND result.status IS NULL"
UNTRACED = (
    f"result.status IS NULL AND (reading.names IS NOT NULL OR item.shown AND {BLIND}) AND lead.item IS NULL "
    "AND json_extract(item.form, '$.ptr') <> ''"
)
UNREAD = f"item.shown AND result.status IS NULL AND reading.names IS NULL AND NOT {BLIND}"
ADDRESSES_TO_WRITE = f"""
SELECT COUNT(*), COUNT(*) FILTER (WHERE done) FROM (
  SELECT COUNT(*) = COUNT(result.status) AS done {ITEMS}
  WHERE item.writes AND (result.status IS NULL OR EXISTS (SELECT 1 FROM attempt
    WHERE attempt.item = item.number AND attempt.purpose = 'call')) GROUP BY item.chain
) AS chains
"""
ADDRESSES_LEFT = "SELECT COUNT(DISTINCT item.chain) {items} WHERE item.writes AND result.status IS NULL"
PROVABLE = (
    f"item.shown AND result.status IN ('{Status.CHANGED}', '{Status.UNCHANGED}') "
    "AND (proof.holds IS NOT TRUE OR proof.proved_at < ?)"
)
ASTRAY = f"('{Leading.ELSEWHERE}', '{Leading.NOWHERE}')"
CHANGES = f"""
SELECT COUNT(*) FILTER (WHERE ptr <> '' AND names = '[]'),
  COUNT(*) FILTER (WHERE ptr <> '' AND names <> '[]'), COUNT(*) FILTER (WHERE ptr = ''),
  COUNT(*) FILTER (WHERE ptr <> '' AND names IS NULL), COUNT(*) FILTER (WHERE leads IN {ASTRAY}),
  COUNT(*) FILTER (WHERE leads = 'unknown')
FROM (
  SELECT json_extract(item.form, '$.ptr') AS ptr, reading.names, lead.leading AS leads {{items}}
  WHERE result.status IS NULL AND (reading.names IS NOT NULL OR item.shown AND {BLIND})
) AS ahead
"""

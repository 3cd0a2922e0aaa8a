"""What a report says about one item: the row fields of design.md §4."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from bulkip.exactjson import exact_value
from bulkip.model import ErrorClass, JsonValue, Status
from bulkip.proof import Leading
from bulkip.store import RunReader, StoredRow

FIELDS = (
    "key", "action", "ip", "params", "source", "status", "error_class", "error_code", "message",
    "http_status", "attempts", "before", "after", "data", "empty", "note", "verified", "started_at",
    "finished_at", "duration_ms",
)  # fmt: skip

PARTIAL = "partial: the period was not over when it was asked for"
Row = dict[str, JsonValue]
LEFT = frozenset({Status.NOT_RUN, Status.UNKNOWN})


def report_rows(reader: RunReader) -> Iterator[Row]:
    """Yield one row per item of the run, in plan order, with every field."""
    start = reader.last_start()
    for row in reader.rows():
        yield report_row(row, start)


def iso(seconds: float | None) -> str | None:
    """Return Unix seconds as UTC ISO 8601 with milliseconds."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def report_row(row: StoredRow, start: Mapping[str, float | int | str | None]) -> Row:
    """Return the fields of one item; `start` is the last one of its run, which tells why an item was left."""
    settled = row["settled_at"] is not None
    started_at = row["started_at"] or row["settled_at"]
    finished_at = row["settled_at"] or row["answered_at"]
    timed = started_at is not None and finished_at is not None
    return {
        "key": row["key"],
        "action": row["action"],
        "ip": row["ip"],
        "params": json.loads(row["form"]),
        "source": row["source"],
        "status": row["status"],
        **_reason(row, start, settled=settled),
        "http_status": row["http_status"],
        "attempts": row["attempts"],
        "before": shown_names(row["before_names"]),
        "after": shown_names(row["names"]),
        "data": None if row["value"] is None else exact_value(row["value"]),
        "empty": bool(row["empty"]),
        "note": _note(row),
        "verified": None if row["verified"] is None else bool(row["verified"]),
        "started_at": iso(started_at),
        "finished_at": iso(finished_at),
        "duration_ms": round((finished_at - started_at) * 1000) if timed else None,
    }


def _note(row: StoredRow) -> str | None:
    """Return what there is to say about an item: its note, where its name leads, what its proof lacks."""
    refused = row["error_class"] == ErrorClass.DNS and row["message"] == row["lead_reason"]
    blind = f"written without a look before ({row['unread_reason']})" if _went_blind(row) else None
    led = f"when planned, {row['lead_reason']}" if leads_astray(row) and not refused else None
    told = row["status"] == Status.MISMATCH or row["message"] == row["proof_reason"]
    missing = f"not verified: {row['proof_reason']}" if row["verified"] == 0 and not told else None
    partial = PARTIAL if row["partial"] else None
    return "; ".join(filter(None, (row["note"], partial, blind, led, missing))) or None


def _went_blind(row: StoredRow) -> bool:
    return row["unread_reason"] is not None and row["attempts"] > 0


def leads_astray(row: StoredRow) -> bool:
    """Say whether a name of a write is known not to lead back to its address."""
    return row["leading"] in {Leading.ELSEWHERE, Leading.NOWHERE}


def _reason(row: StoredRow, start: Mapping[str, float | int | str | None], *, settled: bool) -> Row:
    """Return why an item ended as it did; one that has no result was left behind by its run."""
    if settled:
        return {name: row[name] for name in ("error_class", "error_code", "message")}
    reason = start.get("reason") or "the run has not ended"
    if row["status"] == Status.UNKNOWN:
        reason = f"a write was sent and its outcome is not known yet: {reason}"
    return {"error_class": start.get("error_class"), "error_code": None, "message": reason}


def shown_names(text: str | None) -> JsonValue:
    """Return PTR names as a report shows them: null, one name, or a list."""
    names: list[JsonValue] = json.loads(text) if text else []
    if len(names) > 1:
        return names
    return names[0] if names else None

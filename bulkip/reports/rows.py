"""What a report says about one item: the row fields of design.md §4."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, TypeAlias

from bulkip.exactjson import exact_value
from bulkip.model import ErrorClass, JsonValue, Status
from bulkip.proof import Leading
from bulkip.store import RunReader, StoredRow
from bulkip.store.questions import OUTCOME

FIELDS = (
    "key", "action", "ip", "params", "source", "status", "error_class", "error_code", "message",
    "http_status", "attempts", "before", "after", "data", "empty", "note", "verified", "started_at",
    "finished_at", "duration_ms",
)  # fmt: skip
PARTIAL = "partial: the period was not over when it was asked for"
ASTRAY = frozenset({Leading.ELSEWHERE, Leading.NOWHERE})
STORED = ("params", "data")
"""The fields that are JSON in the store."""
Row = dict[str, JsonValue]
Start: TypeAlias = Mapping[str, float | int | str | None]
Cells: TypeAlias = tuple[
    str, str, str | None, str, str, str, str | None, str | None, str | None,
    int | None, int, JsonValue, JsonValue, str | None, bool, str | None, bool | None, str | None,
    str | None, int | None,
]  # fmt: skip
"""The fields of an item in the order of FIELDS; `params` and `data` are JSON texts without spaces."""
_WIDTH: Final = len(OUTCOME)
_QUOTES_OF_ONE: Final = 2
_MILLION: Final = 1_000_000


def report_rows(reader: RunReader, *statuses: Status) -> Iterator[Row]:
    """Yield one row per item of the run, in plan order, with every field; or only those that ended so."""
    start = reader.last_start()
    for row in reader.rows(*statuses):
        yield report_row(row, start)


def cell_rows(reader: RunReader) -> Iterator[Cells]:
    """Yield the same in the form that costs least; a run may have a million of them."""
    start = reader.last_start()
    for row in reader.rows():
        yield cells_of(row, start)


def iso(seconds: float | None) -> str | None:
    """Return Unix seconds as UTC ISO 8601 with milliseconds; time stamps of one second share most of it."""
    if seconds is None:
        return None
    whole = int(seconds)
    millis = round((seconds - whole) * _MILLION) // 1000  # as datetime does: rounded to µs, then cut
    if 0 <= millis < 1000:  # noqa: PLR2004 -- so many there are in a second
        return f"{_second(whole)}{millis:03}Z"
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


@lru_cache(maxsize=4096)
def _second(whole: int) -> str:
    return datetime.fromtimestamp(whole, UTC).isoformat().replace("+00:00", ".")


def report_row(row: StoredRow, start: Start) -> Row:
    """Return the fields of one item; `start` is the last one of its run, which tells why an item was left."""
    told: Row = dict(zip(FIELDS, cells_of(row, start), strict=True))
    return told | {name: exact_value(text) for name in STORED if isinstance(text := told[name], str)}


def cells_of(row: StoredRow, start: Start) -> Cells:
    """Return the same as a tuple, with JSON texts unread."""
    (_, key, action, ip, form, source, status, error_class, error_code, message, http_status, attempts,
     before, names, value, empty, note, verified, _, leading, _, unread, partial, started, answered,
     settled) = row[:_WIDTH]  # fmt: skip
    if verified == 0 or partial or leading in ASTRAY or unread is not None:
        note = _note(row)
    if settled is None:
        error_class, error_code, message = _left(status, start)
    began, ended = started or settled, settled or answered
    timed = began is not None and ended is not None
    return (
        key, action, ip, form, source, status, error_class, error_code, message, http_status, attempts,
        shown_names(before), shown_names(names), value, bool(empty), note or None,
        None if verified is None else bool(verified), iso(began), iso(ended),
        round((ended - began) * 1000) if timed else None,
    )  # fmt: skip


def _note(row: StoredRow) -> str:
    """Return what there is to say about an item: its note, where its name leads, what its proof lacks."""
    refused = row["error_class"] == ErrorClass.DNS and row["message"] == row["lead_reason"]
    blind = f"written without a look before ({row['unread_reason']})" if _went_blind(row) else None
    led = f"when planned, {row['lead_reason']}" if leads_astray(row) and not refused else None
    told = row["status"] == Status.MISMATCH or row["message"] == row["proof_reason"]
    missing = f"not verified: {row['proof_reason']}" if row["verified"] == 0 and not told else None
    partial = PARTIAL if row["partial"] else None
    return "; ".join(filter(None, (row["note"], partial, blind, led, missing)))


def _went_blind(row: StoredRow) -> bool:
    return row["unread_reason"] is not None and row["attempts"] > 0


def leads_astray(row: StoredRow) -> bool:
    """Say whether a name of a write is known not to lead back to its address."""
    return row["leading"] in ASTRAY


def _left(status: str, start: Start) -> tuple[JsonValue, None, JsonValue]:
    """Return why an item has no result: error class, no code, message; its run left it behind."""
    reason = start.get("reason") or "the run has not ended"
    if status == Status.UNKNOWN:
        reason = f"a write was sent and its outcome is not known yet: {reason}"
    return start.get("error_class"), None, reason


def shown_names(text: str | None) -> JsonValue:
    """Return PTR names as a report shows them: null, one name, or a list."""
    if not text:
        return None
    if text.count('"') == _QUOTES_OF_ONE and "\\" not in text and text[:2] + text[-2:] == '[""]':
        return text[2:-2]  # by far the most frequent, and JSON without anything to be read
    names: list[JsonValue] = json.loads(text)
    if len(names) > 1:
        return names
    return names[0] if names else None

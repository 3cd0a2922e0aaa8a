"""The report for whoever wants to know exactly what was sent: one JSON object per call on the wire."""

from collections.abc import Iterator, Mapping
from json.encoder import encode_basestring as quoted
from typing import Any, Final

from bulkip.model import JsonValue
from bulkip.reports.rows import iso
from bulkip.store import RunHistory, RunReader, StoredRow

FIELDS: Final = (
    "key", "action", "ip", "number", "purpose", "sent_at", "finished_at", "outcome", "error_class",
    "http_status", "message",
)  # fmt: skip
LINE: Final = "{" + ",".join(f'"{name}":%s' for name in FIELDS) + "}\n"
NULL: Final = "null"


def attempt_lines(reader: RunReader) -> Iterator[str]:
    """Yield each call in order of sending; the run's own calls have no key, action and address.

    A call whose `outcome` is null was in flight when the run was killed, or is so now.
    """
    with RunHistory(reader.home) as history:
        yield from map(_line, history.attempts())


def _line(row: StoredRow) -> str:
    """Return a call as JSON; the store gives its fields in their order."""
    (key, action, ip, number, purpose, sent_at, finished_at, outcome, error_class, http_status,
     message) = row[: len(FIELDS)]  # fmt: skip
    return LINE % (
        _text(key), _text(action), _text(ip), number, quoted(purpose), _text(iso(sent_at)),
        _text(iso(finished_at)), _text(outcome), _text(error_class),
        NULL if http_status is None else http_status, _text(message),
    )  # fmt: skip


def _text(value: str | None) -> str:
    return NULL if value is None else quoted(value)


def attempt_fields(row: StoredRow | Mapping[str, Any]) -> dict[str, JsonValue]:
    """Return the fields of one call, in their order."""
    return {
        "key": row["key"],
        "action": row["action"],
        "ip": row["ip"],
        "number": row["number"],
        "purpose": row["purpose"],
        "sent_at": iso(row["sent_at"]),
        "finished_at": iso(row["finished_at"]),
        "outcome": row["outcome"],
        "error_class": row["error_class"],
        "http_status": row["http_status"],
        "message": row["message"],
    }

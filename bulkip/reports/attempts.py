"""The report for whoever wants to know exactly what was sent: one JSON object per call on the wire."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from bulkip.model import JsonValue
from bulkip.reports.rows import iso
from bulkip.store import RunHistory, RunReader, StoredRow


def attempt_lines(reader: RunReader) -> Iterator[str]:
    """Yield each call in order of sending; the run's own calls have no key, action and address.

    A call whose `outcome` is null was in flight when the run was killed, or is so now.
    """
    with RunHistory(reader.path.parent) as history:
        for row in history.attempts():
            yield json.dumps(attempt_fields(row), ensure_ascii=False, separators=(",", ":")) + "\n"


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

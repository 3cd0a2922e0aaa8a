"""The report for programs: one JSON object a line."""

import json
from collections.abc import Iterator

from bulkip.reports.rows import report_rows
from bulkip.store import RunReader


def jsonl_lines(reader: RunReader) -> Iterator[str]:
    """Yield each row as one line of JSON."""
    for row in report_rows(reader):
        yield json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n"

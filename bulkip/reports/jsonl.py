"""The report for programs: one JSON object a line."""

from collections.abc import Iterator

from bulkip.exactjson import exact_text
from bulkip.reports.rows import report_rows
from bulkip.store import RunReader


def jsonl_lines(reader: RunReader) -> Iterator[str]:
    """Yield each row as one line of JSON."""
    for row in report_rows(reader):
        yield exact_text(row, close=True) + "\n"

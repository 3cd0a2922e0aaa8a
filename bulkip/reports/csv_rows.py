"""The report for spreadsheets: the row fields as CSV (RFC 4180), with formulas defused."""

import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence

from bulkip.exactjson import exact_text
from bulkip.model import JsonValue
from bulkip.reports.rows import FIELDS, Row, report_rows
from bulkip.store import RunReader

FORMULA = re.compile(r"[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]")  # the last four are their full-width twins
NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
CRLF = "\r\n"  # csv quotes only those line ends that are its own, so it must know of both
FROM_OUTSIDE = frozenset({"error_code", "message", "before", "after", "note"})


def defused(text: str) -> str:
    """Return a text that a spreadsheet shows instead of calculating (OWASP, CSV injection)."""
    return f"'{text}" if FORMULA.match(text) and not NUMBER.fullmatch(text) else text


def csv_lines(reader: RunReader) -> Iterator[str]:
    """Yield a header line and one line per row; lists and objects stand as JSON text."""
    yield from csv_table(FIELDS, report_rows(reader))


def csv_table(fields: Sequence[str], rows: Iterable[Row]) -> Iterator[str]:
    """Yield rows as CSV lines below a header of these fields."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator=CRLF)
    writer.writerow(fields)
    for row in rows:
        yield _taken(buffer)
        writer.writerow([_cell(name, row[name]) for name in fields])
    yield _taken(buffer)


def _cell(name: str, value: JsonValue) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return defused(value) if name in FROM_OUTSIDE else value
    return exact_text(value, close=True)


def _taken(buffer: io.StringIO) -> str:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text.removesuffix(CRLF) + "\n"

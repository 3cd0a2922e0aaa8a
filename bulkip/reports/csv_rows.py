"""The report for spreadsheets: the row fields as CSV (RFC 4180), with formulas defused."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Final

from bulkip.exactjson import exact_text, exact_value
from bulkip.model import JsonValue
from bulkip.reports.rows import FIELDS, Cells, Row, cell_rows
from bulkip.store import RunReader

FORMULA: Final = frozenset("=+-@\t\r\uff1d\uff0b\uff0d\uff20")  # the last four are their full-width twins
NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")
SPECIAL: Final = re.compile('[",\r\n]')
STRUCTURED: Final = frozenset("{[")
FROM_OUTSIDE = frozenset({"error_code", "message", "before", "after", "note"})
_FLAGS: Final[Mapping[bool | None, str]] = MappingProxyType({None: "", False: "false", True: "true"})


def defused(text: str) -> str:
    """Return a text that a spreadsheet shows instead of calculating (OWASP, CSV injection)."""
    return f"'{text}" if text[:1] in FORMULA and not NUMBER.fullmatch(text) else text


def csv_lines(reader: RunReader) -> Iterator[str]:
    """Yield a header line and one line per row; lists and objects stand as JSON text."""
    yield csv_line(FIELDS)
    yield from map(_line, cell_rows(reader))


def csv_table(fields: Sequence[str], rows: Iterable[Row]) -> Iterator[str]:
    """Yield rows as CSV lines below a header of these fields."""
    yield csv_line(fields)
    for row in rows:
        yield csv_line([quoted(_cell(name, row[name])) for name in fields])


def csv_line(cells: Iterable[str]) -> str:
    """Return cells, each quoted if need be, as a line."""
    return ",".join(cells) + "\n"


def quoted(text: str) -> str:
    """Return a text as a cell, in quotes only where it must be: four times as fast as the csv module."""
    return '"' + text.replace('"', '""') + '"' if SPECIAL.search(text) else text


def _line(cells: Cells) -> str:
    """Return a row as a line; what is a word of ours or a number needs no quotes."""
    (key, action, ip, params, source, status, error_class, error_code, message, http_status, attempts, before,
     after, data, empty, note, verified, started_at, finished_at, duration_ms) = cells  # fmt: skip
    return csv_line((
        key, action, ip or "", quoted(params), quoted(source), status, error_class or "",
        "" if error_code is None else _outside(error_code), "" if message is None else _outside(message),
        "" if http_status is None else str(http_status), str(attempts),
        "" if before is None else _outside(before), "" if after is None else _outside(after),
        "" if data is None else quoted(_data(data)), _FLAGS[empty], "" if note is None else _outside(note),
        _FLAGS[verified], started_at or "", finished_at or "",
        "" if duration_ms is None else str(duration_ms),
    ))  # fmt: skip


def _outside(value: JsonValue) -> str:
    return quoted(defused(value) if isinstance(value, str) else exact_text(value, close=True))


def _data(text: str) -> str:
    """Return an answer as JSON; one that is no list or object as any other cell."""
    return text if text[:1] in STRUCTURED else _cell("data", exact_value(text))


def _cell(name: str, value: JsonValue) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return defused(value) if name in FROM_OUTSIDE else value
    return exact_text(value, close=True)

"""The report for programs: one JSON object a line."""

from collections.abc import Iterator, Mapping
from json.encoder import encode_basestring as quoted
from types import MappingProxyType
from typing import Final

from bulkip.exactjson import exact_text
from bulkip.model import JsonValue
from bulkip.reports.rows import FIELDS, Cells, cell_rows
from bulkip.store import RunReader

LINE: Final = "{" + ",".join(f'"{name}":%s' for name in FIELDS) + "}\n"
NULL: Final = "null"
_FLAGS: Final[Mapping[bool | None, str]] = MappingProxyType({None: NULL, False: "false", True: "true"})


def jsonl_lines(reader: RunReader) -> Iterator[str]:
    """Yield each row as one line of JSON."""
    return map(_line, cell_rows(reader))


def _line(cells: Cells) -> str:
    """Return a row as JSON; what the store has as JSON is only made close, not read and written anew."""
    (key, action, ip, params, source, status, error_class, error_code, message, http_status, attempts, before,
     after, data, empty, note, verified, started_at, finished_at, duration_ms) = cells  # fmt: skip
    return LINE % (
        quoted(key), quoted(action), NULL if ip is None else quoted(ip), params, quoted(source),
        quoted(status), NULL if error_class is None else quoted(error_class),
        NULL if error_code is None else quoted(error_code), NULL if message is None else quoted(message),
        NULL if http_status is None else http_status, attempts, NULL if before is None else _names(before),
        NULL if after is None else _names(after), NULL if data is None else data, _FLAGS[empty],
        NULL if note is None else quoted(note), _FLAGS[verified],
        NULL if started_at is None else quoted(started_at),
        NULL if finished_at is None else quoted(finished_at), NULL if duration_ms is None else duration_ms,
    )  # fmt: skip


def _names(value: JsonValue) -> str:
    return quoted(value) if isinstance(value, str) else exact_text(value, close=True)

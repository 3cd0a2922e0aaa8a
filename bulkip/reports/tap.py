"""The report for test harnesses: the Test Anything Protocol, version 14 (https://testanything.org)."""

import json
import re
from collections.abc import Iterator

from bulkip.characters import FORBIDDEN
from bulkip.model import JsonValue, Status
from bulkip.reports.rows import Row, report_rows
from bulkip.reports.troubles import ERRORS
from bulkip.store import RunReader

LEFT_OUT = frozenset({Status.SKIPPED, Status.NOT_RUN})
LINE_ENDS = re.compile(r"[\r\n\x00-\x08\x0b-\x1f\x7f\x85\u2028\u2029]+")
DIAGNOSED = ("status", "error_class", "message", "note", "source", "before", "after", "attempts")


def tap_lines(reader: RunReader) -> Iterator[str]:
    """Yield a test point for each item; one that is not fine has a YAML block that says why."""
    yield "TAP version 14\n"
    yield f"1..{reader.items()}\n"
    for number, row in enumerate(report_rows(reader), start=1):
        yield from _point(number, row)


def _point(number: int, row: Row) -> Iterator[str]:
    status = Status(str(row["status"]))
    result = "not ok" if status in ERRORS else "ok"
    skip = f" # SKIP {_escaped(row['message'] or row['note'] or status)}" if status in LEFT_OUT else ""
    name = _escaped(f"{row['ip'] or ''} {row['action']} {status}".strip())
    yield f"{result} {number} - {name}{skip}\n"
    if status in ERRORS:
        yield "  ---\n"
        yield from (f"  {name}: {_scalar(row[name])}\n" for name in DIAGNOSED if row[name] is not None)
        yield "  ...\n"


def _escaped(text: JsonValue) -> str:
    """Return a text in which neither a directive nor a line begins."""
    return LINE_ENDS.sub(" ", str(text)).replace("\\", "\\\\").replace("#", "\\#")


def _scalar(value: JsonValue) -> str:
    """Return a value as JSON on one line, which is YAML as long as no character is written as two halves."""
    return FORBIDDEN.sub("\ufffd", json.dumps(value, ensure_ascii=False))

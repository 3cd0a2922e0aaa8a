"""The report for eyes: one aligned line per item, then the counts."""

from collections.abc import Iterator
from decimal import Decimal

from bulkip.exactjson import digits_of
from bulkip.model import JsonValue, Status
from bulkip.quantities import counted
from bulkip.reports.rows import Row, report_rows
from bulkip.reports.summary import summary
from bulkip.store import RunReader


def text_lines(reader: RunReader) -> Iterator[str]:
    """Yield a line per item with what happened to it, and a last line with the counts."""
    for row in report_rows(reader):
        yield f"{row['status']:<10} {row['action']:<13} {row['ip'] or '-':<15} {told_of(row)}".rstrip() + "\n"
    told = summary(reader)
    yield f"{told['job']} (run {told['run']}): {outcome(told)}\n"


def outcome(told: dict[str, JsonValue]) -> str:
    """Return the counts of a summary as one sentence: `500 items: 497 changed, 3 failed`."""
    by_status = told["by_status"]
    statuses = by_status.items() if isinstance(by_status, dict) else ()
    parts = [f"{count:,} {status}" for status, count in statuses]
    mark = "SIMULATED: " if told["simulated"] else ""
    total = told["total"] if isinstance(told["total"], int) else 0
    return f"{mark}{counted(total, 'item')}: {', '.join(parts) or 'nothing to do'}"


def told_of(row: Row) -> str:
    """Return what happened to an item: names, answer, error and note, as far as there are any."""
    parts = [_movement(row), answer(row), _trouble(row), f"({row['note']})" if row["note"] else ""]
    return "  ".join(part for part in parts if part)


def _movement(row: Row) -> str:
    if (row["before"] is None and row["after"] is None) or row["status"] == Status.MISMATCH:
        return ""  # what was found instead stands in its message
    if row["status"] == Status.CHANGED or (row["after"] and row["before"] != row["after"]):
        return f"{_names(row['before'])} -> {_names(row['after'])}"
    return _names(row["before"])


def _names(value: JsonValue) -> str:
    if isinstance(value, list):
        return ", ".join(str(name) for name in value)
    return str(value) if value else "(no PTR)"


def answer(row: Row) -> str:
    """Return what a read was answered, in a few words; nothing where there is no answer."""
    match row["data"]:
        case {"ptr": names}:
            return _names(names)
        case {"traffic": [{"in": inbound, "out": outbound}]} | {"in": inbound, "out": outbound}:
            return "" if inbound is None else f"in={_amount(inbound)} GB out={_amount(outbound)} GB"
        case {"traffic": list(points)}:
            return f"{len(points)} points"
        case {"ips": list(ips)}:
            return f"{len(ips)} free"
        case dict(fields):
            return " ".join(f"{name}={value}" for name, value in fields.items() if value is not None)
        case _:
            return ""


def _amount(value: JsonValue) -> str:
    """Return an amount with all the digits that the server wrote."""
    return digits_of(value) if isinstance(value, Decimal) else str(value)


def _trouble(row: Row) -> str:
    if not row["error_class"]:
        return str(row["message"] or "")
    return f"{row['error_class']}: {row['message']}"

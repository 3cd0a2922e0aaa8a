"""What is printed of facts that no run store took: one JSON object each, with the fields of the reports."""

from collections.abc import Mapping
from typing import Any

from bulkip.events import NotStored
from bulkip.exactjson import exact_text, exact_value
from bulkip.model import JsonValue
from bulkip.reports.attempts import attempt_fields
from bulkip.reports.rows import Row, iso, shown_names

Columns = Mapping[str, Any]


def unsaved_line(fact: NotStored) -> str:
    """Return a fact as a line of JSON; whatever is not ASCII is escaped, so that no terminal obeys it."""
    return exact_text({"unsaved": fact.kind, **_fields(fact)}, close=True, ascii_only=True)


def _fields(fact: NotStored) -> Row:
    columns = fact.columns
    match fact.kind:
        case "attempt":
            return attempt_fields(columns)
        case "before":
            return {
                **_item(columns),
                "before": shown_names(columns["names"]),
                "read_at": iso(columns["read_at"]),
            }
        case "result":
            return {**_item(columns), **_result(columns)}
        case "settled":
            return _item(columns)
        case "end":
            return {**columns, "finished_at": iso(columns["finished_at"])}
        case _:
            return {"name": columns["name"], "value": _parsed(columns["value"])}


def _item(columns: Columns) -> Row:
    """Return which item a fact is about; `item` is its number in the plan."""
    return {"item": columns["item"], "key": columns["key"], "action": columns["action"], "ip": columns["ip"]}


def _result(columns: Columns) -> Row:
    return {
        "params": _parsed(columns["form"]),
        "source": columns["source"],
        "status": columns["status"],
        "error_class": columns["error_class"],
        "error_code": columns["error_code"],
        "message": columns["message"],
        "http_status": columns["http_status"],
        "before": shown_names(columns["before"]),
        "after": shown_names(columns["names"]),
        "data": _parsed(columns["value"]),
        "empty": bool(columns["empty"]),
        "note": columns["note"],
        "finished_at": iso(columns["settled_at"]),
    }


def _parsed(text: str | None) -> JsonValue:
    return None if text is None else exact_value(text)

"""What a plan would do: a line per item, with the mark that people know from other plans."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from enum import StrEnum
from itertools import islice
from types import MappingProxyType

from bulkip.hostnames import ptr_names, same_names
from bulkip.model import JsonValue, Status
from bulkip.proof import Leading
from bulkip.reports.csv_rows import csv_table
from bulkip.reports.rows import Row, leads_astray, shown_names
from bulkip.store import RunReader, StoredRow


class Change(StrEnum):
    """What a plan does with an item."""

    SET = "set"
    CHANGE = "change"
    CLEAR = "clear"
    SEND = "send"
    READ = "read"
    NONE = "none"
    LEFT_OUT = "left_out"


MARKS: Mapping[Change, tuple[str, str]] = MappingProxyType(
    {
        Change.SET: ("+", "to set where there is none"),
        Change.CHANGE: ("~", "to change"),
        Change.CLEAR: ("-", "to clear"),
        Change.SEND: (">", "to send, with no value to compare"),
        Change.READ: ("?", "to read"),
        Change.NONE: ("=", "as wanted already"),
        Change.LEFT_OUT: ("!", "not to be done"),
    }
)
"""The mark of each, and what it says, in the order in which a plan shows them."""
WRITTEN = frozenset({Change.SET, Change.CHANGE, Change.CLEAR, Change.SEND})
"""These are sent when the plan is applied."""
FIELDS = ("change", "key", "action", "ip", "params", "source", "before", "after", "forward", "message")


def change_rows(reader: RunReader) -> Iterator[Row]:
    """Yield what the plan does with each item, in plan order."""
    for row in reader.rows():
        form = json.loads(row["form"])
        wanted = form.get("ptr")
        yield {
            "change": _change(row, form),
            "key": row["key"],
            "action": row["action"],
            "ip": row["ip"],
            "params": form,
            "source": row["source"],
            "before": shown_names(row["before_names"]),
            "after": None if wanted is None else shown_names(json.dumps(ptr_names(wanted))),
            "forward": row["leading"],
            "message": _message(row),
        }


def _message(row: StoredRow) -> str | None:
    """Return what there is to say about an item: why it is left out, or what is doubtful about its write."""
    unread = f"the value before cannot be read: {row['unread_reason']}" if row["unread_reason"] else None
    return row["message"] or row["note"] or unread or (row["lead_reason"] if leads_astray(row) else None)


def _change(row: StoredRow, form: Mapping[str, str]) -> Change:
    if row["status"] not in {Status.NOT_RUN, Status.OK}:  # what was collected before is to be read, too
        return Change.NONE if row["status"] == Status.UNCHANGED else Change.LEFT_OUT
    if not row["writes"]:
        return Change.READ
    if row["before_names"] is None:
        return Change.SEND
    before, wanted = tuple(json.loads(row["before_names"])), ptr_names(form.get("ptr", ""))
    if same_names(before, wanted):
        return Change.NONE
    if not wanted:
        return Change.CLEAR
    return Change.CHANGE if before else Change.SET


def change_counts(reader: RunReader) -> dict[Change, int]:
    """Count the items by what the plan does with them, in the order of MARKS, those that are there."""
    counted = Counter(Change(str(row["change"])) for row in change_rows(reader))
    return {change: counted[change] for change in MARKS if counted[change]}


def plan_digest(reader: RunReader) -> str:
    """Return a sha256 over what the plan means: each item with the value there and the value wanted."""
    seen = hashlib.sha256()
    for row in change_rows(reader):
        before = sorted(name.lower().rstrip(".") for name in _listed(row["before"]))
        server = row["params"].get("id") if isinstance(row["params"], dict) else None  # it may be looked up
        seen.update(json.dumps([row["change"], row["key"], before, server], separators=(",", ":")).encode())
    return seen.hexdigest()


def diff_lines(reader: RunReader, most: int | None = None) -> Iterator[str]:
    """Yield the plan for eyes, grouped by what is done; with `most`, so many lines of each group."""
    for change, count in change_counts(reader).items():
        mark, meaning = MARKS[change]
        yield f"{mark} {meaning}: {count:,}\n"
        rows = (row for row in change_rows(reader) if row["change"] == change)
        for row in islice(rows, most):
            yield f"  {mark} {row['ip'] or '-':<15} {_told(row)}{_astray(row)}".rstrip() + "\n"
        if most is not None and count > most:
            yield f"  {mark} ... and {count - most:,} more\n"


def _told(row: Row) -> str:
    before, after = _text(row["before"]), _text(row["after"])
    match row["change"]:
        case Change.SET | Change.NONE:
            return after
        case Change.CHANGE:
            return f"{before} -> {after}"
        case Change.CLEAR:
            return before
        case Change.LEFT_OUT:
            return f"{row['action']}: {row['message'] or 'left out'}"
        case _:
            params = row["params"] if isinstance(row["params"], dict) else {}
            told = f"{row['action']} " + " ".join(f"{name}={params[name]}" for name in params if name != "ip")
            return f"{told}  ({row['message']})" if row["message"] else told


def _astray(row: Row) -> str:
    """Return the mark of a write whose name does not lead back."""
    is_marked = row["change"] in WRITTEN and row["forward"] in {Leading.ELSEWHERE, Leading.NOWHERE}
    return f"  (! {row['message']})" if is_marked else ""


def _listed(value: JsonValue) -> list[str]:
    if isinstance(value, list):
        return [str(name) for name in value]
    return [] if value is None else [str(value)]


def _text(value: JsonValue) -> str:
    return ", ".join(_listed(value)) or "(no PTR)"


def jsonl_changes(reader: RunReader) -> Iterator[str]:
    """Yield a JSON object per item."""
    for row in change_rows(reader):
        yield json.dumps(row, ensure_ascii=False) + "\n"


def csv_changes(reader: RunReader) -> Iterator[str]:
    """Yield the same as CSV, safe for spreadsheets."""
    yield from csv_table(FIELDS, change_rows(reader))

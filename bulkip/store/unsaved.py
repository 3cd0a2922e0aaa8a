"""What a run knew that its store did not take: facts for whoever can still keep them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from types import MappingProxyType
from typing import Any, Final

from bulkip.events import NotStored
from bulkip.model import Item, Purpose
from bulkip.store.home import REFUSALS, Executing
from bulkip.store.statements import (
    BEGIN_ATTEMPT,
    CLEAR_DOUBT,
    END,
    FINISH_ATTEMPT,
    LEAD,
    READING,
    REMEMBER,
    RESULT,
    SERVER,
    WHOLE_ATTEMPT,
    WITHDRAW_ATTEMPT,
    Statement,
)

NOT_SENT: Final = "not_sent"
"""The outcome of an attempt that was announced in the store and then not made."""

CALL = ("sent_at", "finished_at", "outcome", "error_class", "http_status", "message", "in_doubt")
ENDED = ("generation", "status", "error_class", "error_code", "message", "http_status", "value", "empty",
         "note", "names", "settled_at")  # fmt: skip
FACTS: Mapping[str, tuple[str, tuple[str, ...]]] = MappingProxyType(
    {
        FINISH_ATTEMPT: ("attempt", ("item", "number", "start", "purpose", *CALL)),
        WHOLE_ATTEMPT: ("attempt", ("item", "number", "start", "purpose", *CALL)),
        WITHDRAW_ATTEMPT: ("withdrawn", ("item", "number")),
        CLEAR_DOUBT: ("settled", ("item",)),
        READING: ("before", ("item", "names", "read_at")),
        SERVER: ("server", ("id", "ip")),
        LEAD: ("lead", ("item", "leading", "reason")),
        RESULT: ("result", ("item", *ENDED)),
        END: ("end", ("finished_at", "exit_code", "reason", "error_class", "number")),
        REMEMBER: ("fact", ("name", "value")),
    }
)
"""What each statement tells, and the columns that its values stand for.

A write that was announced and a start that was opened tell nothing: when these
fail, nothing was done.
"""
STORED = (
    ("attempt", "SELECT * FROM attempt ORDER BY sent_at, item, number"),
    ("before", "SELECT * FROM reading ORDER BY item"),
    ("result", "SELECT result.* FROM result ORDER BY item, generation"),
)
PLANNED = """
SELECT item.key, item.action, item.ip, item.form, item.source, reading.names
FROM item LEFT JOIN reading ON reading.item = item.number WHERE item.number = ?
"""
UNPLANNED: Mapping[str, None] = MappingProxyType(
    dict.fromkeys(("key", "action", "ip", "form", "source", "before"))
)


def not_stored(store: Executing, statements: Sequence[Statement], *, whole: bool) -> Iterator[NotStored]:
    """Yield what the statements tell; with `whole`, for a store that may be lost, all that was done before.

    A file that was removed can be read as long as its connection is open. An
    announcement that failed needs no withdrawal, unless the disk kept it.
    """
    if whole:
        yield from _stored(store)
    announced = {values[:2] for sql, values, _ in statements if sql == BEGIN_ATTEMPT}
    for sql, values, item in statements:
        if sql == WITHDRAW_ATTEMPT and values in announced and not _begun(store, values):
            continue
        if sql in FACTS:
            kind, columns = FACTS[sql]
            yield from _told(store, kind, dict(zip(columns, values, strict=True)), item)


def _begun(store: Executing, values: tuple[object, ...]) -> bool:
    """Say whether an attempt stands in the store, although its commit is said to have failed."""
    with suppress(*REFUSALS):
        sql = "SELECT EXISTS (SELECT 1 FROM attempt WHERE item = ? AND number = ?)"
        return bool(store.execute(sql, values).fetchone()[0])
    return False


def _stored(store: Executing) -> Iterator[NotStored]:
    for kind, sql in STORED:
        with suppress(*REFUSALS):
            cursor = store.execute(sql)
            names = [column[0] for column in cursor.description]
            for values in cursor:
                yield from _told(store, kind, dict(zip(names, values, strict=True)), None)


def _told(store: Executing, kind: str, columns: dict[str, Any], item: Item | None) -> Iterator[NotStored]:
    """Yield a fact with what the plan says of its item."""
    if "item" not in columns:
        yield NotStored(kind, columns)
        return
    if kind == "withdrawn":
        kind, columns = "attempt", {**dict.fromkeys(CALL), **columns, "outcome": NOT_SENT}
    if kind == "attempt":
        columns.setdefault("purpose", Purpose.CALL.value)  # no other is announced
    yield NotStored(kind, {**UNPLANNED, **_plan(item), **_stored_plan(store, columns), **columns})


def _plan(item: Item | None) -> dict[str, Any]:
    """Return what the plan says of an item that is known here."""
    if item is None:
        return {}
    form = json.dumps(dict(item.form))
    return {"key": item.key, "action": item.action, "ip": item.ip, "form": form, "source": item.source}


def _stored_plan(store: Executing, columns: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the store says of an item, if it still says anything."""
    with suppress(*REFUSALS):
        found = store.execute(PLANNED, (columns["item"],)).fetchone()
        if found is not None:
            return dict(zip(UNPLANNED, found, strict=True))
    return {}

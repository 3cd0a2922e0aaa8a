"""Whether it was the content of a store that a program stumbled over, and not a bug of its own."""

import sqlite3
from collections.abc import Iterator, Mapping
from typing import Final

from bulkip.model import ErrorClass, Purpose, Status
from bulkip.store.schema import INDEXES, TABLES

STUMBLES: Final = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What Python raises at a value that no version of ours has written."""
MALFORMED: Final = "malformed JSON"
"""What SQLite says of one."""

_JSON: Mapping[str, Mapping[str, str | None]] = {
    "run": {"value": None},
    "item": {"form": "object"},
    "heading": {"names": "array"},
    "reading": {"names": "array"},
    "proof": {"findings": None},
    "attempt": {"wanted": "array", "seen": "array"},
    "result": {"value": None, "names": "array"},
}
"""The columns that hold JSON, and of which type where only one fits."""
_TIMES = {
    "reading": ("read_at",),
    "proof": ("proved_at",),
    "start": ("started_at", "finished_at"),
    "attempt": ("sent_at", "finished_at"),
    "result": ("settled_at",),
}
_WORDS = {
    "attempt": {"purpose": Purpose, "error_class": ErrorClass},
    "result": {"status": Status, "error_class": ErrorClass},
}
_ACCOUNTS = "(SELECT COALESCE(json_array_length(value, '$.accounts'), 0) FROM run WHERE name = 'settings')"
_END_OF_TIME = 253_402_300_799  # the last second that has a date


def is_stumble(error: BaseException) -> bool:
    """Say whether an error may come from what a store holds: Python's, or SQLite's over JSON that is none."""
    return isinstance(error, STUMBLES) or str(error.__cause__) == MALFORMED


def damage_of(store: sqlite3.Connection) -> str | None:
    """Return what nobody could have written into a store; None when all of it can be read."""
    try:
        if _tables(store) != _tables_of_ours():
            return "the tables are not those of a run store"
        found = (what for what, sql in _faults() if store.execute(f"SELECT EXISTS ({sql})").fetchone()[0])
        return next(found, None)
    except (sqlite3.Error, UnicodeError) as error:
        return str(error)


def _tables(store: sqlite3.Connection) -> set[str]:
    return {sql for (sql,) in store.execute("SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL")}


def _tables_of_ours() -> set[str]:
    return {statement.strip() for statement in f"{TABLES};{INDEXES}".split(";")} - {""}


def _faults() -> Iterator[tuple[str, str]]:
    """Yield what can be wrong, and the SQL that finds it; the file as a whole takes longest."""
    for table, columns in _JSON.items():
        for name, kind in columns.items():
            unfit = f"NOT json_valid({name})" + (f" OR json_type({name}) <> '{kind}'" if kind else "")
            yield f"{table}.{name} is not the JSON it was", _where(table, name, unfit)
    for table, times in _TIMES.items():
        for name in times:
            unfit = f"typeof({name}) NOT IN ('integer', 'real') OR {name} NOT BETWEEN 0 AND {_END_OF_TIME}"
            yield f"{table}.{name} is no time", _where(table, name, unfit)
    for table, closed in _WORDS.items():
        for name, words in closed.items():
            known = ", ".join(f"'{word.value}'" for word in words)
            yield (
                f"{table}.{name} is a word that there is not",
                _where(table, name, f"{name} NOT IN ({known})"),
            )
    yield (
        "item.account is none of the run's",
        f"SELECT 1 FROM item WHERE account NOT BETWEEN 0 AND {_ACCOUNTS}",
    )
    yield "pages of the file were changed", "SELECT 1 FROM pragma_quick_check(1) WHERE quick_check <> 'ok'"


def _where(table: str, name: str, unfit: str) -> str:
    return f"SELECT 1 FROM {table} WHERE {name} IS NOT NULL AND ({unfit})"

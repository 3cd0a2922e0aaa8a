"""What is carried along when a run moves from its folder to another place: all tables, row by row."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, TypeAlias

from bulkip.store.schema import storage_errors, store_path

PAGE = 2_000
Pages: TypeAlias = Iterator[list[tuple[Any, ...]]]


def tables_of(run_dir: Path) -> Iterator[tuple[str, Pages]]:
    """Yield each table of a run with its rows, a page at a time; take the rows before the next table."""
    path = store_path(run_dir)
    with storage_errors(path), closing(sqlite3.connect(path)) as file:
        names = file.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
        for (name,) in names:
            yield name, _pages(file, name)


def _pages(file: sqlite3.Connection, table: str) -> Pages:
    rows = file.execute(f"SELECT * FROM {table}")
    while page := rows.fetchmany(PAGE):
        yield page

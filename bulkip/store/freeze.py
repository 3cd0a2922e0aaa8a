"""How a plan becomes a run store: items stream in, all of them are frozen or none."""

import json
import os
import sqlite3
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import TypeAlias

from bulkip.errors import SHOWN_PROBLEMS, JobError, StoreError
from bulkip.model import Heading, Item, Place, Problem, Status
from bulkip.store.schema import (
    APPLICATION_ID,
    CELL_END,
    TABLES,
    VERSION,
    RunHeader,
    storage_errors,
    store_path,
)

_Heads: TypeAlias = "Heading | tuple[str, ...]"
"""What stands above a target's cells: the heading of its list, or the names of its fields."""

BATCH = 2_000
INSERT = "INSERT OR IGNORE INTO item VALUES (?,?,?,?,?,?,?,?,?,?,?)"
KEEP_HEADING = "INSERT INTO heading VALUES (?,?,?)"
KEEP_TARGET = "INSERT INTO target VALUES (?,?,?)"
MOVE = "INSERT OR REPLACE INTO moved VALUES (?,?)"
FORGET = "DELETE FROM target WHERE number NOT IN (SELECT chain FROM item UNION SELECT target FROM moved)"
KNOWN_HEADINGS = 1_000  # a list of JSON objects may have one for each line
SKIPPED = """
INSERT INTO result (item, generation, status, empty, note, settled_at)
SELECT number, 0, ?, 0, skip, ? FROM item WHERE skip IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class Writing:
    """Which actions write, and which of these a read can show."""

    actions: frozenset[str]
    shown: frozenset[str]


@dataclass(frozen=True, slots=True)
class Frozen:
    """How many items a plan froze, and how many repeated targets gave an item that was there."""

    items: int
    writes: int
    repeated: int


@dataclass(slots=True)
class _Tally:
    """What has been seen so far while items stream in."""

    problems: list[Problem] = field(default_factory=list)
    total: int = 0
    repeated: int = 0

    def note(self, problem: Problem) -> None:
        self.total += 1
        if len(self.problems) < SHOWN_PROBLEMS:
            self.problems.append(problem)


class _TargetKeeper:
    """Writes down each target's own cells once, below one copy of each heading."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._numbers: dict[_Heads, int] = {}
        self._count = 0
        self._chain = 0
        self._latest: tuple[_Heads | None, int] = (None, 0)

    def keep(self, batch: Iterable[Item]) -> None:
        """Keep the targets of these items; those that are an address and nothing else need no row."""
        rows = []
        for item in batch:
            target = item.target
            if target is None or item.chain == self._chain:
                continue
            self._chain = item.chain
            if cells := target.cells or target.fields.values():
                heads = target.heading or tuple(target.fields)
                latest, number = self._latest
                if heads != latest:
                    number = self._number(heads)
                rows.append((item.chain, number, _joined(cells)))
        self._connection.executemany(KEEP_TARGET, rows)

    def _number(self, heads: _Heads) -> int:
        number = self._numbers.get(heads)
        if number is None:
            if len(self._numbers) >= KNOWN_HEADINGS:
                self._numbers.clear()
            self._count = number = self._count + 1
            self._numbers[heads] = number
            delimiter, names = (heads.delimiter, heads.names) if isinstance(heads, Heading) else (None, heads)
            self._connection.execute(KEEP_HEADING, (number, delimiter, json.dumps(names, ensure_ascii=False)))
        self._latest = (heads, number)
        return number


def freeze(run_dir: Path, header: RunHeader, stream: Iterable[Item | Problem], writing: Writing) -> Frozen:
    """Write the items of a plan into a new run store below `run_dir`.

    The store appears under its name only when it is whole, so a plan that was
    killed leaves no run behind. Raises
    JobError with every problem of the stream, and then nothing is left.
    """
    path = store_path(run_dir)
    with storage_errors(path):
        run_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        if path.exists():
            raise StoreError(f"{path}: there is a run store already; a plan needs a folder of its own")
        partial = path.with_suffix(".partial")
        partial.unlink(missing_ok=True)
        os.close(os.open(partial, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    try:
        with storage_errors(path):
            frozen = _fill(partial, header, stream, writing)
            _sync(partial)
            partial.rename(path)
            _sync(run_dir)
    except BaseException:
        partial.unlink(missing_ok=True)
        _remove_if_empty(run_dir)
        raise
    return frozen


def check(stream: Iterable[Item | Problem], writing: Writing) -> Frozen:
    """Go through a plan as `freeze` does and keep nothing; raises JobError likewise."""
    connection = sqlite3.connect("", isolation_level=None)  # a temporary file that SQLite removes
    try:
        return _fill_tables(connection, stream, writing)
    finally:
        connection.close()


def _fill(path: Path, header: RunHeader, stream: Iterable[Item | Problem], writing: Writing) -> Frozen:
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("PRAGMA journal_mode=OFF")  # the file has no reader until it is renamed
        connection.execute("PRAGMA synchronous=OFF")
        frozen = _fill_tables(connection, stream, writing)
        connection.executemany("INSERT INTO run VALUES (?,?)", header.rows())
        connection.execute(SKIPPED, (Status.SKIPPED, header.created_at))
        connection.execute(f"PRAGMA application_id={APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version={VERSION}")
        connection.execute("COMMIT")
    finally:
        connection.close()
    return frozen


def _fill_tables(
    connection: sqlite3.Connection, stream: Iterable[Item | Problem], writing: Writing
) -> Frozen:
    connection.execute("BEGIN")
    for statement in TABLES.split(";"):
        connection.execute(statement)
    tally = _Tally()
    items = _items_only(stream, tally)
    keeper = _TargetKeeper(connection)
    while batch := list(islice(items, BATCH)):
        keeper.keep(batch)
        _insert(connection, batch, writing, tally)
    for problem in _double_writes(connection):
        tally.note(problem)
    if tally.total:
        raise JobError(tally.problems, tally.total)
    if tally.repeated:
        connection.execute(FORGET)
    count, writes = connection.execute(
        "SELECT COUNT(*), COALESCE(SUM(writes AND skip IS NULL), 0) FROM item"
    ).fetchone()
    return Frozen(items=count, writes=writes, repeated=tally.repeated)


def _items_only(stream: Iterable[Item | Problem], tally: _Tally) -> Iterator[Item]:
    for one in stream:
        if isinstance(one, Problem):
            tally.note(one)
        else:
            yield one


def _joined(cells: Collection[str]) -> str:
    """Return the cells of a target as one text; what separates them stands in no input, or is taken out."""
    joined = CELL_END.join(cells)
    if joined.count(CELL_END) < len(cells):
        return joined
    return CELL_END.join([cell.replace(CELL_END, "") for cell in cells])


def _row(item: Item, writing: Writing) -> tuple[object, ...]:
    form = json.dumps(item.form, ensure_ascii=False, separators=(",", ":"))
    what = (item.key, item.step, item.action, item.action in writing.actions, item.action in writing.shown)
    return (item.number, item.chain, *what, item.ip, form, item.source, item.skip)


def _insert(connection: sqlite3.Connection, batch: list[Item], writing: Writing, tally: _Tally) -> None:
    before = connection.total_changes
    connection.executemany(INSERT, [_row(item, writing) for item in batch])
    if connection.total_changes - before == len(batch):
        return
    for item in batch:  # some address was there already: find out which, and whether it matters
        held = connection.execute(
            "SELECT number, chain, key, skip, source, form FROM item WHERE ip=? AND step=?",
            (item.ip, item.step),
        ).fetchone()
        if held and held[0] != item.number:
            _meet_again(connection, item, held, writing, tally)


def _meet_again(
    connection: sqlite3.Connection,
    item: Item,
    held: tuple[int, int, str, str | None, str, str],
    writing: Writing,
    tally: _Tally,
) -> None:
    """Decide what a second row for the same address and step means."""
    number, chain, key, skip, source, form = held
    if key == item.key or item.skip:
        tally.repeated += 1
    elif skip:  # the first row was left out by `when`; this one takes its place among the address's items
        connection.execute("DELETE FROM item WHERE number=?", (number,))
        connection.execute(INSERT, _row(replace(item, number=number, chain=chain), writing))
        connection.execute(MOVE, (number, item.chain))
        tally.repeated += 1
    else:
        tally.note(Problem(_place(item.source), _difference(item, source, json.loads(form))))


def _difference(item: Item, source: str, first: dict[str, str]) -> str:
    names = [name for name in {**first, **item.form} if first.get(name) != item.form.get(name)]
    pairs = ", ".join(f"{name} `{item.form.get(name)}` here, `{first.get(name)}` there" for name in names)
    return f"{item.ip} has another value at {source} ({pairs}); keep one of the two rows"


def _double_writes(connection: sqlite3.Connection) -> Iterator[Problem]:
    """Find addresses that two steps of one job would write with the same action."""
    rows = connection.execute(
        "SELECT ip, action, source, GROUP_CONCAT(step, '` and `') FROM item WHERE writes AND skip IS NULL "
        "AND (SELECT COUNT(DISTINCT step) FROM (SELECT step FROM item WHERE writes GROUP BY step)) > 1 "
        "GROUP BY ip, action HAVING COUNT(*) > 1 ORDER BY MIN(number)"
    )
    for ip, action, source, steps in rows:
        text = f"{ip} gets {action} from two actions (`{steps}`); tell them apart with `when`"
        yield Problem(_place(source), text)


def _place(source: str) -> Place:
    file, _, line = source.rpartition(":")
    return Place(file, int(line))


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _remove_if_empty(folder: Path) -> None:
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()

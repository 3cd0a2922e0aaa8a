"""How a plan becomes a run store: items stream in, all of them are frozen or none."""

import json
import os
import sqlite3
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field
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

_ItemRow: TypeAlias = tuple[int, int, str, str, str, bool, bool, str | None, str, str, str | None]
"""An item as the columns of its table."""
_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))

BATCH = 2_000
INSERT = "INSERT OR IGNORE INTO item VALUES (?,?,?,?,?,?,?,?,?,?,?,0)"
KEEP_HEADING = "INSERT INTO heading VALUES (?,?,?)"
KEEP_TARGET = "INSERT INTO target VALUES (?,?,?)"
MOVE = "INSERT OR REPLACE INTO moved VALUES (?,?)"
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
        self._rows: list[tuple[int, int, str]] = []
        self._numbers: dict[_Heads, int] = {}
        self._count = 0
        self._chain = 0
        self._latest: tuple[_Heads | None, int] = (None, 0)

    def take(self, item: Item) -> None:
        """Take note of an item's target; one that is an address and nothing else needs no row."""
        target = item.target
        if target is None or item.chain == self._chain:
            return
        self._chain = item.chain
        if cells := target.cells or target.fields.values():
            heads = target.heading or tuple(target.fields)
            latest, number = self._latest
            if heads != latest:
                number = self._number(heads)
            self._rows.append((item.chain, number, _joined(cells)))

    def write(self) -> None:
        """Write what was taken since the last time."""
        self._connection.executemany(KEEP_TARGET, self._rows)
        self._rows.clear()

    def _number(self, heads: _Heads) -> int:
        number = self._numbers.get(heads)
        if number is None:
            if len(self._numbers) >= KNOWN_HEADINGS:
                self._numbers.clear()
            self._count = number = self._count + 1
            self._numbers[heads] = number
            delimiter, names = (heads.delimiter, heads.names) if isinstance(heads, Heading) else (None, heads)
            self._connection.execute(KEEP_HEADING, (number, delimiter, _JSON.encode(names)))
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
    keeper = _TargetKeeper(connection)
    rows = _rows(stream, writing, keeper, tally)
    while batch := list(islice(rows, BATCH)):
        keeper.write()
        _insert(connection, batch, tally)
    for problem in _double_writes(connection):
        tally.note(problem)
    if tally.total:
        raise JobError(tally.problems, tally.total)
    count, writes = connection.execute(
        "SELECT COUNT(*), COALESCE(SUM(writes AND skip IS NULL), 0) FROM item"
    ).fetchone()
    return Frozen(items=count, writes=writes, repeated=tally.repeated)


def _rows(
    stream: Iterable[Item | Problem], writing: Writing, keeper: _TargetKeeper, tally: _Tally
) -> Iterator[_ItemRow]:
    """Yield the items as rows; rows are kept until they are written, items would hold their targets too."""
    for one in stream:
        if isinstance(one, Problem):
            tally.note(one)
        else:
            keeper.take(one)
            yield _row(one, writing)


def _joined(cells: Collection[str]) -> str:
    """Return the cells of a target as one text; what separates them stands in no input, or is taken out."""
    joined = CELL_END.join(cells)
    if joined.count(CELL_END) < len(cells):
        return joined
    return CELL_END.join([cell.replace(CELL_END, "") for cell in cells])


def _row(item: Item, writing: Writing) -> _ItemRow:
    what = (item.key, item.step, item.action, item.action in writing.actions, item.action in writing.shown)
    return (item.number, item.chain, *what, item.ip, _JSON.encode(item.form), item.source, item.skip)


def _insert(connection: sqlite3.Connection, batch: list[_ItemRow], tally: _Tally) -> None:
    before = connection.total_changes
    connection.executemany(INSERT, batch)
    if connection.total_changes - before == len(batch):
        return
    for row in batch:  # some address was there already: find out which, and whether it matters
        number, _, _, step, _, _, _, ip, *_ = row
        held = connection.execute(
            "SELECT number, chain, key, skip, source, form FROM item WHERE ip=? AND step=?", (ip, step)
        ).fetchone()
        if held and held[0] != number:
            _meet_again(connection, row, held, tally)


def _meet_again(
    connection: sqlite3.Connection,
    row: _ItemRow,
    held: tuple[int, int, str, str | None, str, str],
    tally: _Tally,
) -> None:
    """Decide what a second row for the same address and step means."""
    number, chain, key, held_skip, held_source, held_form = held
    _, own_chain, own_key, _, _, _, _, ip, form, source, skip = row
    if key == own_key or skip:
        tally.repeated += 1
    elif held_skip:  # the first row was left out by `when`; this one takes its place among the items
        connection.execute("DELETE FROM item WHERE number=?", (number,))
        connection.execute(INSERT, (number, chain, *row[2:]))
        connection.execute(MOVE, (number, own_chain))
        tally.repeated += 1
    else:
        difference = _difference(json.loads(form), held_source, json.loads(held_form))
        tally.note(Problem(_place(source), f"{ip} {difference}"))


def _difference(form: dict[str, str], source: str, first: dict[str, str]) -> str:
    names = [name for name in {**first, **form} if first.get(name) != form.get(name)]
    pairs = ", ".join(f"{name} `{form.get(name)}` here, `{first.get(name)}` there" for name in names)
    return f"has another value at {source} ({pairs}); keep one of the two rows"


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

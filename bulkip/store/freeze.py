"""How a plan becomes a run store: items stream in, all of them are frozen or none."""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import TypeAlias

from bulkip.actions.checks import LOOKUP
from bulkip.errors import SHOWN_PROBLEMS, JobError
from bulkip.model import Item, Problem, Status
from bulkip.shards import Shard
from bulkip.store.division import keep_own
from bulkip.store.fresh import fresh_store, make_tables, mark_ours, unhurried
from bulkip.store.keepers import Keepers
from bulkip.store.schema import RunHeader, storage_errors
from bulkip.store.sharedvalues import SharedValues, place_of

_ItemRow: TypeAlias = tuple[int, int, str, str, str, bool, bool, str | None, str, str, str | None]
"""An item as the columns of its table."""
_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))

BATCH = 2_000
INSERT = "INSERT OR IGNORE INTO item VALUES (?,?,?,?,?,?,?,?,?,?,?,0)"
MOVE = "INSERT OR REPLACE INTO moved VALUES (?,?)"
ITEMS_FROZEN = "items"
"""The fact that a run keeps about its plan, so that a lost item is missed: how many there are."""
KEEP_SOUGHT = f"""
INSERT OR IGNORE INTO sought SELECT number, NULL FROM item
WHERE skip IS NULL AND ip IS NOT NULL AND json_extract(form, '$.id') = '{LOOKUP}'
"""
SKIPPED = """
INSERT INTO result (item, generation, status, empty, note, settled_at)
SELECT number, 0, ?, 0, skip, ? FROM item WHERE skip IS NOT NULL
"""


@dataclass(frozen=True, slots=True)
class Writing:
    """Which actions write, and which of these a read can show.

    The addresses of a step that is `sparing` may not all get the same PTR value.
    Of a job that is divided all items are looked at, and those of a `shard` are kept.
    """

    actions: frozenset[str]
    shown: frozenset[str]
    sparing: frozenset[str] = frozenset()
    shard: Shard | None = None


@dataclass(frozen=True, slots=True)
class Frozen:
    """How many items a plan froze, and how many repeated targets gave an item that was there.

    `lookups` counts the addresses whose server is to be found.
    """

    items: int
    writes: int
    repeated: int
    lookups: int = 0


@dataclass(slots=True)
class _Tally:
    """What has been seen so far while items stream in."""

    problems: list[Problem] = field(default_factory=list)
    total: int = 0
    repeated: int = 0
    lookups: bool = False

    def note(self, problem: Problem) -> None:
        self.total += 1
        if len(self.problems) < SHOWN_PROBLEMS:
            self.problems.append(problem)


def freeze(run_dir: Path, header: RunHeader, stream: Iterable[Item | Problem], writing: Writing) -> Frozen:
    """Write the items of a plan into a new run store below `run_dir`.

    The store appears under its name only when it is whole, so a plan that was
    killed leaves no run behind. Raises
    JobError with every problem of the stream, and then nothing is left.
    """
    with fresh_store(run_dir) as path:
        return _fill(path, header, stream, writing)


def check(stream: Iterable[Item | Problem], writing: Writing) -> Frozen:
    """Go through a plan as `freeze` does and keep nothing; raises JobError likewise."""
    with storage_errors(Path("a temporary file of SQLite")):
        connection = sqlite3.connect("", isolation_level=None)  # a file that SQLite removes
        try:
            return _fill_tables(connection, stream, writing)
        finally:
            connection.close()


def _fill(path: Path, header: RunHeader, stream: Iterable[Item | Problem], writing: Writing) -> Frozen:
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        unhurried(connection)
        frozen = _fill_tables(connection, stream, writing, header.created_at)
        facts = [*header.rows(), (ITEMS_FROZEN, str(frozen.items))]
        connection.executemany("INSERT INTO run VALUES (?,?)", facts)
        connection.execute(SKIPPED, (Status.SKIPPED, header.created_at))
        mark_ours(connection)
        connection.execute("COMMIT")
    finally:
        connection.close()
    return frozen


def _fill_tables(
    connection: sqlite3.Connection, stream: Iterable[Item | Problem], writing: Writing, now: float = 0.0
) -> Frozen:
    connection.execute("BEGIN")
    make_tables(connection)
    tally = _Tally()
    keepers, values = Keepers(connection, now), SharedValues(writing.sparing)
    rows = _rows(stream, writing, keepers, values, tally)
    while batch := list(islice(rows, BATCH)):
        keepers.write()
        _insert(connection, batch, tally)
    for problem in chain(_double_writes(connection), values.problems(connection)):
        tally.note(problem)
    if tally.total:
        raise JobError(tally.problems, tally.total)
    if writing.shard is not None:
        keep_own(connection, writing.shard)
    count, writes = connection.execute(
        "SELECT COUNT(*), COALESCE(SUM(writes AND skip IS NULL), 0) FROM item"
    ).fetchone()
    return Frozen(items=count, writes=writes, repeated=tally.repeated, lookups=_lookups(connection, tally))


def _lookups(connection: sqlite3.Connection, tally: _Tally) -> int:
    """Keep whose server is to be found, and return how many addresses that are."""
    if not tally.lookups:
        return 0
    connection.execute(KEEP_SOUGHT)
    sql = "SELECT COUNT(DISTINCT ip) FROM sought JOIN item ON number = item WHERE server IS NULL"
    return int(connection.execute(sql).fetchone()[0])


def _rows(
    stream: Iterable[Item | Problem], writing: Writing, keepers: Keepers, values: SharedValues, tally: _Tally
) -> Iterator[_ItemRow]:
    """Yield the items as rows; rows are kept until they are written, items would hold their targets too."""
    for one in stream:
        if isinstance(one, Problem):
            tally.note(one)
        else:
            keepers.take(one)
            values.take(one)
            tally.lookups = tally.lookups or one.form.get("id") == LOOKUP
            yield _row(one, writing)


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
        tally.note(Problem(place_of(source), f"{ip} {difference}"))


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
        yield Problem(place_of(source), text)

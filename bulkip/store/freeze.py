"""How a plan becomes a run store: items stream in, all of them are frozen or none."""

import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from bulkip.actions.checks import LOOKUP
from bulkip.errors import SHOWN_PROBLEMS, JobError
from bulkip.model import Item, Problem, Status
from bulkip.shards import Shard
from bulkip.store.division import keep_own
from bulkip.store.fresh import fresh_store, make_indexes, make_tables, mark_ours, unhurried
from bulkip.store.itemtable import ItemTable
from bulkip.store.keepers import Keepers
from bulkip.store.schema import RunHeader, storage_errors
from bulkip.store.sharedvalues import SharedValues, place_of

BATCH = 2_000
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
    `accounts` are the names of its accounts, if it has several.
    """

    actions: frozenset[str]
    shown: frozenset[str]
    sparing: frozenset[str] = frozenset()
    shard: Shard | None = None
    accounts: tuple[str, ...] = ()


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
    items = ItemTable(connection, writing.actions, writing.shown, writing.accounts)
    found = _take(stream, items, keepers, values, tally)
    for problem in chain(found, _once(connection, items), values.problems(connection)):
        tally.note(problem)
    connection.execute("BEGIN")
    if tally.total:
        raise JobError(tally.problems, tally.total)
    if writing.shard is not None:
        keep_own(connection, writing.shard)
    count, writes = connection.execute(
        "SELECT COUNT(*), COALESCE(SUM(writes AND skip IS NULL), 0) FROM item"
    ).fetchone()
    return Frozen(items=count, writes=writes, repeated=items.repeated, lookups=_lookups(connection, tally))


def _lookups(connection: sqlite3.Connection, tally: _Tally) -> int:
    """Keep whose server is to be found, and return how many addresses that are."""
    if not tally.lookups:
        return 0
    connection.execute(KEEP_SOUGHT)
    sql = "SELECT COUNT(DISTINCT ip) FROM sought JOIN item ON number = item WHERE server IS NULL"
    return int(connection.execute(sql).fetchone()[0])


def _take(
    stream: Iterable[Item | Problem], items: ItemTable, keepers: Keepers, values: SharedValues, tally: _Tally
) -> Iterator[Problem]:
    """Take the items of a stream and write them a batch at a time; yield every problem on the way."""
    taken = 0
    for one in stream:
        if isinstance(one, Problem):
            yield one
            continue
        items.take(one)
        keepers.take(one)
        values.take(one)
        tally.lookups = tally.lookups or one.form.get("id") == LOOKUP
        taken += 1
        if taken % BATCH == 0:
            keepers.write()
            items.write()
    keepers.write()
    items.write()


def _once(connection: sqlite3.Connection, items: ItemTable) -> Iterator[Problem]:
    """See to it that every address has every step once, and is written by one step."""
    connection.execute("COMMIT")
    try:
        make_indexes(connection)
    except sqlite3.IntegrityError:
        yield from items.meet()
        make_indexes(connection)
    if len(items.steps) > 1:
        yield from _double_writes(connection)


def _double_writes(connection: sqlite3.Connection) -> Iterator[Problem]:
    """Find addresses that two steps of one job would write with the same action."""
    rows = connection.execute(
        "SELECT ip, action, source, GROUP_CONCAT(step, '` and `') FROM item WHERE writes AND skip IS NULL "
        "GROUP BY ip, action HAVING COUNT(*) > 1 ORDER BY MIN(number)"
    )
    for ip, action, source, steps in rows:
        text = f"{ip} gets {action} from two actions (`{steps}`); tell them apart with `when`"
        yield Problem(place_of(source), text)

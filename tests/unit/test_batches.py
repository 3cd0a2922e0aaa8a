"""How the facts of a group are written together, and when a group is complete."""

import sqlite3
from collections.abc import Iterator

import pytest
from anyio import create_task_group, current_time

from bulkip.store.batches import execute_all
from bulkip.store.fresh import make_tables
from bulkip.store.group import FULL, LINGER_S, Group
from bulkip.store.statements import (
    BEGIN_ATTEMPT,
    FINISH_ATTEMPT,
    READING,
    WHOLE_ATTEMPT,
    WITHDRAW_ATTEMPT,
    Statement,
)


@pytest.fixture
def db() -> Iterator[sqlite3.Connection]:
    """Make the tables of a run store in memory."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    make_tables(connection)
    yield connection
    connection.close()


def begun(item: int) -> Statement:
    """Announce the first attempt of an item."""
    return (BEGIN_ATTEMPT, (item, 1, 1, "call", 10.0, '["new.example"]', '["old.example"]'), None)


def ended(item: int, sql: str = FINISH_ATTEMPT) -> Statement:
    """Tell how the first attempt of an item ended."""
    return (sql, (item, 1, 1, "call", 11.0, 12.0, "success", None, 200, None, False), None)


@pytest.mark.parametrize("rows", [1, 3, 4, 5, 16, 63, 64, 65, 131])
def test_every_row_of_a_group_is_written(db: sqlite3.Connection, rows: int) -> None:
    """However many rows of a kind come together, each is there once."""
    execute_all(db, [ended(item, WHOLE_ATTEMPT) for item in range(rows)])

    assert db.execute("SELECT item FROM attempt ORDER BY item").fetchall() == [(n,) for n in range(rows)]


def test_end_of_a_write_keeps_what_was_announced(db: sqlite3.Connection) -> None:
    """Beginning and end of an attempt in one group are one row, with the values wanted and seen."""
    execute_all(db, [begun(1), ended(1), begun(2)])

    found = db.execute("SELECT item, sent_at, finished_at, wanted, seen, in_doubt FROM attempt").fetchall()
    assert found == [
        (1, 11.0, 12.0, '["new.example"]', '["old.example"]', 0),
        (2, 10.0, None, '["new.example"]', '["old.example"]', 1),
    ]


def test_rare_statement_keeps_its_place(db: sqlite3.Connection) -> None:
    """A withdrawal takes back what was announced before it, not what is announced after it."""
    withdrawn: Statement = (WITHDRAW_ATTEMPT, (1, 1), None)

    execute_all(db, [begun(1), withdrawn, begun(2), begun(1)])

    assert db.execute("SELECT item FROM attempt ORDER BY item").fetchall() == [(1,), (2,)]


def test_later_reading_of_an_item_wins(db: sqlite3.Connection) -> None:
    """Of two readings of one item in a group the later one stays."""
    execute_all(db, [(READING, (1, '["a.example"]', 1.0), None), (READING, (1, '["b.example"]', 2.0), None)])

    assert db.execute("SELECT names FROM reading").fetchall() == [('["b.example"]',)]


@pytest.mark.anyio
@pytest.mark.virtual_time
@pytest.mark.parametrize(
    ("statements", "hurried", "waited_s"),
    [
        pytest.param(1, False, LINGER_S, id="nobody-waits"),
        pytest.param(1, True, 0.0, id="somebody-waits"),
        pytest.param(FULL, False, 0.0, id="full"),
    ],
)
async def test_group_waits_for_more_only_while_nobody_waits_for_it(
    *, statements: int, hurried: bool, waited_s: float
) -> None:
    """Facts that nobody waits for are held a moment, so that more of them share a commit."""
    group, begun_at = Group(), current_time()
    for number in range(statements):
        group.add(ended(number), None)

    async with create_task_group() as waiters:
        if hurried:
            waiters.start_soon(group.wait)
        await group.complete()
        waited = current_time() - begun_at
        group.end(None)

    assert waited == pytest.approx(waited_s, abs=0.001)

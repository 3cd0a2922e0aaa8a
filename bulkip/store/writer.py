"""How a run writes down what it does: one writer, groups of statements, one commit for each group."""

import json
import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from anyio import CancelScope, Event, Lock, create_task_group, to_thread

from bulkip.errors import StoreError
from bulkip.model import Before, ErrorClass, Item, Purpose, Result
from bulkip.store.schema import check_ours, storage_errors, store_path

T = TypeVar("T")
Why = tuple[str, str | None] | None
"""Reason and error class of a stop; None when the end was reached."""
Statement = tuple[str, tuple[object, ...]]

WAITING_GROUPS_OF = 4_000  # statements that may wait for a commit before writers are held back

BEGIN_ATTEMPT = "INSERT INTO attempt VALUES (?,?,?,?,?,NULL,NULL,NULL,NULL,NULL,?,?,1)"
FINISH_ATTEMPT = """
UPDATE attempt SET sent_at=?, finished_at=?, outcome=?, error_class=?, http_status=?, message=?, in_doubt=?
WHERE item=? AND number=?
"""
WITHDRAW_ATTEMPT = "DELETE FROM attempt WHERE item=? AND number=?"
WHOLE_ATTEMPT = "INSERT INTO attempt VALUES (?,?,?,?,?,?,?,?,?,?,NULL,NULL,?)"
CLEAR_DOUBT = "UPDATE attempt SET in_doubt=0 WHERE item=? AND in_doubt"
READING = "INSERT OR REPLACE INTO reading VALUES (?,?,?)"
RESULT = "INSERT INTO result VALUES (?,?,?,?,?,?,?,?,?,?,?,?)"
START = "INSERT INTO start (number, started_at) SELECT COALESCE(MAX(number), 0) + 1, ? FROM start"
END = "UPDATE start SET finished_at=?, exit_code=?, reason=?, error_class=? WHERE number=?"
REMEMBER = "INSERT OR REPLACE INTO run VALUES (?,?)"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call about to be made; `item` 0 stands for the run itself (a probe, a login).

    `wanted` and `seen` are the PTR names a write wants and those last seen there.
    """

    item: int
    number: int
    start: int
    purpose: Purpose
    wanted: tuple[str, ...] | None = None
    seen: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call ended; times are Unix seconds."""

    sent_at: float
    finished_at: float
    outcome: str
    error_class: ErrorClass | None
    http_status: int | None
    message: str | None
    in_doubt: bool


class _Group:
    """Statements that are committed together, and who waits for that."""

    def __init__(self) -> None:
        self.statements: list[Statement] = []
        self.committed: list[Callable[[], None]] = []
        self.done = Event()
        self.error: StoreError | None = None


class RunWriter:
    """Owns the writing connection of a run store; made by `open_writer`."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        """Take over the connection; nothing else may use it."""
        self._path = path
        self._connection = connection
        self._group = self._committing = _Group()
        self._wake = Event()
        self._turn = Lock()  # one statement after another, whichever thread runs it
        self._closing = False
        self.failure: StoreError | None = None

    async def begin_attempt(self, attempt: Attempt, now: float) -> None:
        """Commit a write that is about to be sent; it may go out when this returns."""
        columns = (attempt.item, attempt.number, attempt.start, attempt.purpose, now)
        await self._committed((BEGIN_ATTEMPT, (*columns, _names(attempt.wanted), _names(attempt.seen))))

    async def finish_attempt(self, attempt: Attempt, outcome: Outcome) -> None:
        """Write how a begun attempt ended."""
        o = outcome
        columns = (o.sent_at, o.finished_at, o.outcome, o.error_class, o.http_status, o.message, o.in_doubt)
        await self._queue((FINISH_ATTEMPT, (*columns, attempt.item, attempt.number)))

    async def withdraw_attempt(self, attempt: Attempt) -> None:
        """Take back a begun attempt that was never sent."""
        await self._queue((WITHDRAW_ATTEMPT, (attempt.item, attempt.number)))

    async def record_attempt(self, attempt: Attempt, outcome: Outcome) -> None:
        """Write a call that needed no write-ahead, after it ended."""
        o = outcome
        begun = (attempt.item, attempt.number, attempt.start, attempt.purpose, o.sent_at, o.finished_at)
        ended = (o.outcome, o.error_class, o.http_status, o.message, o.in_doubt)
        await self._queue((WHOLE_ATTEMPT, (*begun, *ended)))

    async def clear_doubt(self, item: Item) -> None:
        """Note that a reading settled every doubt about the writes of an item."""
        await self._queue((CLEAR_DOUBT, (item.number,)))

    async def record_before(self, item: Item, before: Before, then: Callable[[], None]) -> None:
        """Write the value seen before a write, and call `then` once it is committed."""
        await self._queue((READING, (item.number, _names(before.names), before.read_at)), then)

    async def settle(
        self, item: Item, generation: int, result: Result, now: float, then: Callable[[], None]
    ) -> None:
        """Write how an item ended, and call `then` once it is committed."""
        r = result
        value = None if r.value is None else json.dumps(r.value, ensure_ascii=False)
        why = (r.error_class, r.error_code, r.message, r.http_status)
        columns = (item.number, generation, r.status, *why, value, r.empty, r.note, _names(r.names), now)
        await self._queue((RESULT, columns), then)

    async def begin_start(self, now: float) -> int:
        """Open another start of the run and return its number, from 1."""
        await self._committed((START, (now,)))
        return await self.read(lambda db: int(db.execute("SELECT MAX(number) FROM start").fetchone()[0]))

    async def end_start(self, number: int, now: float, exit_code: int, why: Why) -> None:
        """Close a start with its exit code and, when it stopped before the end, reason and error class."""
        await self._committed((END, (now, exit_code, *(why or (None, None)), number)))

    async def remember(self, name: str, value: object) -> None:
        """Keep one more fact about the run itself, as JSON."""
        await self._queue((REMEMBER, (name, json.dumps(value))))

    async def read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        """Run a query after everything written so far is committed."""
        await self.flush()

        def guarded() -> T:
            with storage_errors(self._path):
                return query(self._connection)

        async with self._turn:
            return await to_thread.run_sync(guarded)

    async def flush(self) -> None:
        """Wait until everything written so far is committed; raises StoreError."""
        for group in (self._committing, self._group):
            if group.statements:
                await self._wait_for(group)
        self._check()

    async def _committed(self, statement: Statement) -> None:
        self._check()
        group = self._add(statement, None)
        await self._wait_for(group)

    async def _queue(self, statement: Statement, then: Callable[[], None] | None = None) -> None:
        self._check()
        group = self._add(statement, then)
        if len(group.statements) > WAITING_GROUPS_OF:
            await self._wait_for(group)

    def _add(self, statement: Statement, then: Callable[[], None] | None) -> _Group:
        group = self._group
        group.statements.append(statement)
        if then is not None:
            group.committed.append(then)
        self._wake.set()
        return group

    def _check(self) -> None:
        if self.failure is not None:
            raise self.failure

    @staticmethod
    async def _wait_for(group: _Group) -> None:
        await group.done.wait()
        if group.error is not None:
            raise group.error

    async def write_groups(self) -> None:
        """Commit group after group until the writer closes; cancellation does not lose a group."""
        with CancelScope(shield=True):
            while not self._closing or self._group.statements:
                if not self._group.statements:
                    await self._wake.wait()
                self._wake = Event()
                self._committing, self._group = self._group, _Group()
                if self._committing.statements:
                    await self._commit(self._committing)

    async def _commit(self, group: _Group) -> None:
        try:
            async with self._turn:
                await to_thread.run_sync(self._commit_now, group.statements)
        except StoreError as error:
            group.error = self.failure = self.failure or error
        group.done.set()
        if group.error is None:
            for then in group.committed:
                then()

    def _commit_now(self, statements: list[Statement]) -> None:
        if self.failure is not None:
            raise self.failure
        with storage_errors(self._path):
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                for sql, columns in statements:
                    self._connection.execute(sql, columns)
            except BaseException:
                if self._connection.in_transaction:  # a full disk rolls back by itself
                    self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def close(self) -> None:
        """Ask the writing loop to end after its last group."""
        self._closing = True
        self._wake.set()


@asynccontextmanager
async def open_writer(run_dir: Path) -> AsyncIterator[RunWriter]:
    """Open the store of a run for writing; what was written is committed when this ends."""
    path = store_path(run_dir)
    connection = await to_thread.run_sync(_connect, path)
    writer = RunWriter(path, connection)
    try:
        async with create_task_group() as group:
            group.start_soon(writer.write_groups)
            try:
                yield writer
            finally:
                writer.close()
    finally:
        with CancelScope(shield=True):
            await to_thread.run_sync(_close, connection)


def _connect(path: Path) -> sqlite3.Connection:
    with storage_errors(path):
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None,
                                     check_same_thread=False)  # fmt: skip
        check_ours(connection, path)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
    return connection


def _close(connection: sqlite3.Connection) -> None:
    """Leave one whole file behind, unless somebody is reading it just now."""
    with suppress(sqlite3.Error):
        connection.execute("PRAGMA busy_timeout=0")
        connection.execute("PRAGMA journal_mode=DELETE")
    connection.close()


def _names(names: tuple[str, ...] | None) -> str | None:
    return None if names is None else json.dumps(names, ensure_ascii=False)

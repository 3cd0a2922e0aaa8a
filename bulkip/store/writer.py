"""How a run writes down what it does: one writer, groups of statements, one commit for each group."""

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import islice
from typing import TypeVar

from anyio import CancelScope, Event, Lock, create_task_group, to_thread

from bulkip.errors import StoreError
from bulkip.events import NotStored
from bulkip.model import Before, Item, Result
from bulkip.proof import Proof
from bulkip.store.attempt import Attempt, Outcome
from bulkip.store.group import Group
from bulkip.store.home import Database, Home
from bulkip.store.medium import Medium, open_medium
from bulkip.store.planneditem import PlannedItem
from bulkip.store.statements import (
    BEGIN_ATTEMPT,
    CLEAR_DOUBT,
    END,
    FINISH_ATTEMPT,
    PROOF,
    READING,
    REMEMBER,
    RESULT,
    START,
    WHOLE_ATTEMPT,
    WITHDRAW_ATTEMPT,
    Statement,
    begun_columns,
    ended_columns,
    names_text,
    result_columns,
)
from bulkip.store.unsaved import not_stored

T = TypeVar("T")
Why = tuple[str, str | None] | None
"""Reason and error class of a stop; None when the end was reached."""

WAITING_GROUPS_OF = 4_000  # statements that may wait for a commit before writers are held back
PAGE = 500  # facts that are told between two looks at the store


class RunWriter:
    """Owns the writing connection of a run store; made by `open_writer`."""

    def __init__(self, medium: Medium) -> None:
        """Write through this medium; nothing else may use it."""
        self._medium = medium
        self._group = self._committing = Group()
        self._wake = Event()
        self._turn = Lock()  # one statement after another, whichever thread runs it
        self._closing = False
        self._unsaved: list[Statement] = []
        self._heard = False  # whether anybody knows of the failure
        self.failure: StoreError | None = None
        self.halt: Callable[[StoreError], None] = lambda _error: None

    async def begin_attempt(self, attempt: Attempt, now: float) -> None:
        """Commit a write that is about to be sent; it may go out when this returns."""
        await self._committed((BEGIN_ATTEMPT, begun_columns(attempt, now), attempt.about))

    async def finish_attempt(self, attempt: Attempt, outcome: Outcome) -> None:
        """Write how a begun attempt ended."""
        await self._queue((FINISH_ATTEMPT, ended_columns(attempt, outcome), attempt.about))

    async def withdraw_attempt(self, attempt: Attempt) -> None:
        """Take back a begun attempt that was never sent."""
        await self._queue((WITHDRAW_ATTEMPT, (attempt.item, attempt.number), attempt.about))

    async def record_attempt(self, attempt: Attempt, outcome: Outcome) -> None:
        """Write a call that needed no write-ahead, after it ended."""
        await self._queue((WHOLE_ATTEMPT, ended_columns(attempt, outcome), attempt.about))

    async def clear_doubt(self, item: Item) -> None:
        """Note that a reading settled every doubt about the writes of an item."""
        await self._queue((CLEAR_DOUBT, (item.number,), item))

    async def record_before(self, item: Item, before: Before, then: Callable[[], None]) -> None:
        """Write the value seen before a write, and call `then` once it is committed."""
        await self._queue((READING, (item.number, names_text(before.names), before.read_at), item), then)

    async def settle(
        self, item: Item, generation: int, result: Result, now: float, then: Callable[[], None]
    ) -> None:
        """Write how an item ended, and call `then` once it is committed."""
        await self._queue((RESULT, result_columns(item.number, generation, result, now), item), then)

    async def record_proof(
        self, planned: PlannedItem, proof: Proof, now: float, then: Callable[[], None]
    ) -> None:
        """Write whether what an item wrote is there, and call `then` once it is committed."""
        findings = json.dumps(proof.findings, ensure_ascii=False)
        about = (planned.item.number, planned.generation, proof.mode, proof.holds, proof.decided)
        await self._queue((PROOF, (*about, proof.reason, findings, now), planned.item), then)

    async def begin_start(self, now: float) -> int:
        """Open another start of the run and return its number, from 1."""
        await self._committed((START, (now,), None))
        return await self.read(lambda db: int(db.execute("SELECT MAX(number) FROM start").fetchone()[0]))

    async def end_start(self, number: int, now: float, exit_code: int, why: Why) -> None:
        """Close a start with its exit code and, when it stopped before the end, reason and error class."""
        await self._committed((END, (now, exit_code, *(why or (None, None)), number), None))

    async def keep(self, statement: Statement, then: Callable[[], None] | None = None) -> None:
        """Write what was found out, and call `then` once it is committed."""
        await self._queue(statement, then)

    async def remember(self, name: str, value: object) -> None:
        """Keep one more fact about the run itself, as JSON."""
        await self._queue((REMEMBER, (name, json.dumps(value)), None))

    async def read(self, query: Callable[[Database], T]) -> T:
        """Run a query after everything written so far is committed."""
        await self.flush()
        async with self._turn:
            return await to_thread.run_sync(self._medium.read, query)

    async def flush(self) -> None:
        """Wait until everything written so far is committed; raises StoreError."""
        for group in (self._committing, self._group):
            if group.statements:
                await self._wait_for(group)
        if self.failure is not None:
            raise self._told(self.failure)

    async def _committed(self, statement: Statement) -> None:
        """Write something that must be true before anything else happens; raises StoreError."""
        if self.failure is not None:
            self._unsaved.append(statement)
            raise self._told(self.failure)
        await self._wait_for(self._add(statement, None))

    async def _queue(self, statement: Statement, then: Callable[[], None] | None = None) -> None:
        """Write something that happened; a store that failed keeps it for those who are told of it."""
        if self.failure is not None:
            self._unsaved.append(statement)
            return
        group = self._add(statement, then)
        if len(group.statements) > WAITING_GROUPS_OF:
            await group.wait()

    def _add(self, statement: Statement, then: Callable[[], None] | None) -> Group:
        group = self._group
        group.add(statement, then)
        if len(group.statements) == 1:
            self._wake.set()
        return group

    def _told(self, failure: StoreError) -> StoreError:
        self._heard = True
        return failure

    async def _wait_for(self, group: Group) -> None:
        await group.wait()
        if group.error is not None:
            raise self._told(group.error)

    async def write_groups(self) -> None:
        """Commit group after group until the writer closes; cancellation does not lose a group."""
        with CancelScope(shield=True):
            while not self._closing or self._group.statements:
                if not self._group.statements:
                    await self._wake.wait()
                await self._group.complete()
                self._wake = Event()
                self._committing, self._group = self._group, Group()
                if self._committing.statements:
                    await self._commit(self._committing)

    async def _commit(self, group: Group) -> None:
        error: StoreError | None = None
        try:
            async with self._turn:
                await to_thread.run_sync(self._commit_now, group.statements)
        except StoreError as failure:
            error = self.failure or failure
            self._unsaved += group.statements
            if self.failure is None:
                self.failure = failure
                self.halt(failure)
        group.end(error)

    def _commit_now(self, statements: list[Statement]) -> None:
        if self.failure is not None:
            raise self.failure
        self._medium.commit(statements)

    def close(self) -> None:
        """Ask the writing loop to end after its last group."""
        self._closing = True
        self._wake.set()
        self._group.hurry()

    async def release(self, tell: Callable[[NotStored], None]) -> None:
        """Tell what the store did not take, if it failed, and close its file."""
        try:
            if self.failure is not None:
                facts = not_stored(self._medium.database, self._unsaved, whole=self._medium.disturbed)
                while page := await to_thread.run_sync(list, islice(facts, PAGE)):
                    for fact in page:
                        tell(fact)
        finally:
            await to_thread.run_sync(self._medium.close)

    def check(self) -> None:
        """Raise the failure that nobody has heard of: what was written last is not committed."""
        if self.failure is not None and not self._heard:
            raise self._told(self.failure)


def _deaf(_fact: NotStored) -> None:
    """Hear nothing."""


@asynccontextmanager
async def open_writer(home: Home, tell: Callable[[NotStored], None] = _deaf) -> AsyncIterator[RunWriter]:
    """Open the store of a run for writing; what was written is committed when this ends.

    When the store failed, `tell` gets every fact that it did not take.
    """
    writer = RunWriter(await to_thread.run_sync(open_medium, home))
    try:
        async with create_task_group() as group:
            group.start_soon(writer.write_groups)
            try:
                yield writer
            finally:
                writer.close()
        writer.check()
    finally:
        with CancelScope(shield=True):
            await writer.release(tell)

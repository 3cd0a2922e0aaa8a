"""How one shard of a run in a cluster is worked on: like a whole run, but only as long as it is ours."""

import time
from collections import Counter
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import count
from math import inf

from anyio import CancelScope, create_task_group, current_time, sleep, to_thread

from bulkip.allowance import Allowance
from bulkip.brake import Brake
from bulkip.ceiling import Ceiling
from bulkip.cluster.runs import LEASE_S
from bulkip.cluster.shardtable import Fenced, Guard, HeldShard, ShardTable
from bulkip.errors import StoreError, leading_error
from bulkip.events import CallSent, Event, ItemSettled, NameTraced, ServerFound, ValueRead
from bulkip.model import ErrorClass, Purpose, Result, Status
from bulkip.orders import HALTED, Orders, Tally, halted_fact, stop_told
from bulkip.run.engine import Books, Engine, Made, Post, Room, engine_of
from bulkip.run.halting import storage_stop
from bulkip.run.planning import Prepared
from bulkip.run.stages import Stage, StageRules, work
from bulkip.stops import Stop, StopKind
from bulkip.store import Beforehand, RunWriter, open_writer
from bulkip.store.home import DatabaseError, RemoteRun

TOUCH_S = 1.0
"""So often a worker says that it is still at a shard, and hears what others have come to."""
OF_A_HOST = frozenset({ErrorClass.BREAKER, ErrorClass.TLS, ErrorClass.CONNECT, ErrorClass.DNS})
"""What may be wrong with this machine alone: while others go on, it stops nobody but itself."""
OTHERS_S = 60.0
EXHAUSTED = "its last attempt was made by a worker that is gone"
PROBES = 1_000
"""So many calls of a shard's own may be numbered before those of its next worker; they stand under item 0."""


@dataclass(frozen=True, slots=True)
class ShardTask:
    """A shard that was taken: of which run, by which orders, and through which table that is told."""

    run: RemoteRun
    prepared: Prepared
    account: str
    orders: Orders
    shard: HeldShard
    table: ShardTable


class Fate(StrEnum):
    """What became of a shard in the hands of this worker."""

    DONE = "done"
    STOPPED = "stopped"
    GIVEN_BACK = "given back"
    LOST = "lost to another worker"


@dataclass(slots=True)
class _Sums:
    """Counts what happens in a shard."""

    reading: bool
    statuses: Counter[str] = field(default_factory=Counter)
    steps: int = 0
    calls: int = 0

    def notice(self, event: Event) -> None:
        """Take an event into the counts; while reading, an item as wanted has its value told as well."""
        match event:
            case CallSent():
                self.calls += 1
            case ItemSettled():
                self.statuses[event.result.status.value] += 1
                self.steps += not (self.reading and event.result.status is Status.UNCHANGED)
            case ValueRead() | ServerFound() | NameTraced():
                self.steps += 1
            case _:
                pass

    def tally(self, spent: int) -> Tally:
        """Return what it came to so far."""
        return Tally(dict(self.statuses), self.steps, self.calls, spent)


class ShardWork:
    """Owns the work on one shard from taking it to its end."""

    def __init__(self, task: ShardTask) -> None:
        """Work on this shard."""
        self._task = task
        self._sums = _Sums(task.orders.stage == Stage.READING)
        self._scope = CancelScope()
        self._foreign = False  # whether what stopped it is no end of the shard
        self.brake = Brake(lambda _stop: None)
        self.trouble = ""
        self._others_ended, self._others_moved_at = 0, -inf
        orders, job = task.orders, task.prepared.job
        limits = job.safety.max_failed, job.safety.min_sample, orders.planned
        self._allowance = Allowance(job.retry.budget, Ceiling(*limits, orders.ended, orders.failed))

    @property
    def tally(self) -> Tally:
        """What this worker came to with the shard, on top of what those before it did."""
        return self._task.shard.tally + self._sums.tally(self._allowance.spent)

    def stop(self, reason: Stop) -> None:
        """Stop in order; what is not done is given back."""
        self._foreign = True
        self.brake.pull(reason)

    def cut_off(self) -> None:
        """Cancel the calls in flight."""
        self._scope.cancel()

    async def carry(self, room: Room) -> Fate:
        """Work until the shard is done or has to be left; every row is durable before its end is told."""
        table, shard = self._task.table, self._task.shard
        try:
            await self._work(room)
            if self.brake.stop is None:
                await to_thread.run_sync(table.end, shard, self.tally)
                return Fate.DONE
            await to_thread.run_sync(table.give_back, shard, self.tally)
        except Fenced:
            return Fate.LOST
        except (StoreError, DatabaseError, BaseExceptionGroup) as raised:
            error = leading_error(raised) if isinstance(raised, BaseExceptionGroup) else raised
            if not isinstance(error, StoreError | DatabaseError):
                raise
            self.trouble = str(error)
            return Fate.LOST if isinstance(error.__cause__, Fenced) else Fate.GIVEN_BACK
        return Fate.GIVEN_BACK if self._foreign else Fate.STOPPED

    def _may_be_ours_alone(self, stop: Stop) -> bool:
        """Say whether others may go on where this worker stopped."""
        others_go_on = current_time() - self._others_moved_at < OTHERS_S
        return stop.error_class is ErrorClass.INTERNAL or (others_go_on and stop.error_class in OF_A_HOST)

    async def _work(self, room: Room) -> None:
        task, orders = self._task, self._task.orders
        guarded = replace(task.run, guard=Guard(task.shard))
        async with create_task_group() as group:
            group.start_soon(self._keep_in_touch)  # before anything is opened: that may take its time
            async with open_writer(guarded) as writer:
                writer.halt = self._store_failed
                with await to_thread.run_sync(Beforehand, guarded, task.shard.part) as reader:
                    async with create_task_group() as watching:
                        engine = await self._engine(room, writer, reader)
                        watching.start_soon(engine.access.breaker.watch, self.brake, engine.access.knock)
                        unread = orders.allow_unread
                        rules = StageRules(
                            orders.grace_s, self._sums.notice, self._allowance, allow_unread=unread
                        )
                        await work(Stage(orders.stage), engine, rules, self._scope)
                        watching.cancel_scope.cancel()
                await self._finish(writer)
            group.cancel_scope.cancel()

    async def _finish(self, writer: RunWriter) -> None:
        """Tell why nobody is to go on, if that was found out here, and wait until every row is durable."""
        stop = self.brake.stop
        if stop is not None and not self._foreign and self._may_be_ours_alone(stop):
            self._foreign, self.trouble = True, stop.reason
        if stop is not None and not self._foreign:
            fact = HALTED if stop.everywhere else halted_fact(self._task.account)
            await writer.remember(fact, stop_told(stop))
        await writer.flush()

    async def _engine(self, room: Room, writer: RunWriter, reader: Beforehand) -> Engine:
        task, shard, start = self._task, self._task.shard, self._task.orders.start
        made = await to_thread.run_sync(self._made, reader)
        await self._end_exhausted(made, writer, reader)
        first = (shard.number * PROBES + min(shard.token, PROBES - 1)) * PROBES + 1
        post = Post(task.prepared, room.endpoint, shard.part, self.brake, self._allowance, self._sums.notice)
        return await engine_of(post, Books(writer, start, count(first)), reader, room, made)

    def _made(self, reader: Beforehand) -> Made:
        """Return what was sent in this start already: by a worker that is gone, or in an earlier round."""
        made = reader.calls_made(self._task.orders.start)
        if not self._sums.reading:  # the readings of the plan are those of another stage
            for counts in made.values():
                counts.pop(Purpose.BEFORE, None)
        return made

    async def _end_exhausted(self, made: Made, writer: RunWriter, reader: Beforehand) -> None:
        """End what has had all its attempts and no result, because nobody was left to write that down."""
        most = self._task.prepared.job.retry.attempts
        numbers = [number for number, counts in made.items() if counts.get(Purpose.CALL, 0) >= most]
        for planned in await to_thread.run_sync(reader.numbered, numbers):
            failure = await to_thread.run_sync(reader.last_failure, planned.item.number)
            if planned.status is None and not planned.in_doubt and failure is not None:
                error_class, message, status = failure
                known = ErrorClass(error_class) if error_class else ErrorClass.NETWORK
                result = Result(Status.FAILED, known, None, message, status, note=EXHAUSTED)
                await writer.settle(planned.item, planned.generation, result, time.time(), lambda: None)
                self._sums.notice(ItemSettled(planned.item, result))
        await writer.flush()  # before the feed looks for what has no result

    def _store_failed(self, error: StoreError) -> None:
        self.stop(storage_stop(error))
        if isinstance(error.__cause__, Fenced):
            self._scope.cancel()

    async def _keep_in_touch(self) -> None:
        """Say that somebody is at the shard, and stop when that is not so any more or nobody shall go on."""
        last = current_time()
        while True:
            await sleep(TOUCH_S)
            if current_time() - last > LEASE_S:  # this process stood still, or the server was away
                self._leave("nothing was heard of this worker for longer than its lease")
                return
            try:
                await self._touch()
                last = current_time()
            except Fenced as error:
                self._leave(str(error))
                return
            except DatabaseError as error:
                self.stop(storage_stop(StoreError(str(error))))

    def _leave(self, reason: str) -> None:
        self.stop(Stop(StopKind.HALT, reason, ErrorClass.CANCELLED))
        self._scope.cancel()

    async def _touch(self) -> None:
        task, table, shard = self._task, self._task.table, self._task.shard
        stop = await to_thread.run_sync(table.seen, shard, self.tally, task.account)
        if stop is not None:
            self.stop(stop)
        ended, failed, spent = await to_thread.run_sync(table.others, shard)
        if ended > self._others_ended:
            self._others_ended, self._others_moved_at = ended, current_time()
        before, spent_before = shard.tally, task.orders.spent.get(task.account, 0)
        over = self._allowance.hear(
            ended + before.ended, failed + before.failed, spent + before.spent + spent_before
        )
        if over is not None:
            self.brake.pull(over)

"""How one shard of a run in a cluster is worked on: like a whole run, but only as long as it is ours."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial

from anyio import CancelScope, create_task_group, current_time, sleep, to_thread

from bulkip.access import Access
from bulkip.allowance import Allowance
from bulkip.brake import Brake
from bulkip.ceiling import FAILURES, Ceiling
from bulkip.client import READABLE, Client
from bulkip.cluster.runs import LEASE_S
from bulkip.cluster.shardtable import Fenced, Guard, HeldShard, ShardTable
from bulkip.errors import StoreError, leading_error
from bulkip.events import CallSent, Event, ItemSettled, NameTraced, ServerFound, ValueRead
from bulkip.gate import Gate
from bulkip.model import ErrorClass, Status
from bulkip.orders import HALTED, Orders, Tally, stop_of, stop_told
from bulkip.outage import Breaker
from bulkip.run.engine import Endpoint, Engine, judge_of, rules_of
from bulkip.run.halting import storage_stop
from bulkip.run.pacing import Running
from bulkip.run.stages import Stage, StageRules, work
from bulkip.settings import Job
from bulkip.stops import Stop, StopKind
from bulkip.store import RemoteRun, RunWriter, WorkLeft, open_writer
from bulkip.store.home import DatabaseError
from bulkip.transport import Transport
from bulkip.worker import Worker

TOUCH_S = 1.0
"""So often a worker says that it is still at a shard, and hears what others have come to."""
PROBES = 1_000
"""So many calls of a shard's own may be numbered before those of its next worker; they stand under item 0."""


@dataclass(frozen=True, slots=True)
class Room:
    """What all shards of an account share within one process: tokens, connections, and the pace."""

    endpoint: Endpoint
    wire: Transport
    pacer: Running


@dataclass(frozen=True, slots=True)
class ShardTask:
    """A shard that was taken: of which run, by which orders, and through which table that is told."""

    run: RemoteRun
    job: Job
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

    def __init__(self, task: ShardTask, tell: Callable[[Event], None]) -> None:
        """Work on this shard; `tell` hears what happens."""
        self._task = task
        self._tell = tell
        self._sums = _Sums(task.orders.stage == Stage.READING)
        self._scope = CancelScope()
        self._foreign = False  # whether what stopped it is no end of the shard
        self._base = Tally.of(task.shard.tally)
        self.brake = Brake(lambda _stop: None)
        orders, job = task.orders, task.job
        ceiling = Ceiling(
            job.safety.max_failed, job.safety.min_sample, orders.planned, orders.ended, orders.failed
        )
        self._allowance = Allowance(job.retry.budget, ceiling)

    @property
    def tally(self) -> Tally:
        """What this worker came to with the shard, on top of what those before it did."""
        return self._base + self._sums.tally(self._allowance.spent)

    def stop(self, reason: Stop) -> None:
        """Stop in order; what is not done is given back."""
        self._foreign = True
        self.brake.pull(reason)

    async def carry(self, room: Room) -> Fate:
        """Work until the shard is done or has to be left; every row is durable before its end is told."""
        task = self._task
        try:
            await self._work(room)
            stop = self.brake.stop
            if stop is None or not self._foreign:
                told = None if stop is None else stop_told(stop)
                await to_thread.run_sync(task.table.end, task.shard, self.tally.told(), told)
                return Fate.DONE if stop is None else Fate.STOPPED
            await to_thread.run_sync(task.table.give_back, task.shard, self.tally.told())
        except Fenced:
            return Fate.LOST
        except (StoreError, DatabaseError, BaseExceptionGroup) as raised:
            error = leading_error(raised) if isinstance(raised, BaseExceptionGroup) else raised
            if not isinstance(error, StoreError | DatabaseError):
                raise
            return Fate.LOST if isinstance(error.__cause__, Fenced) else Fate.GIVEN_BACK
        return Fate.GIVEN_BACK

    async def _work(self, room: Room) -> None:
        task, orders = self._task, self._task.orders
        guarded = replace(task.run, guard=Guard(task.shard))
        async with open_writer(guarded) as writer:
            writer.halt = self._store_failed
            with await to_thread.run_sync(partial(WorkLeft, guarded, task.shard.part)) as reader:
                async with create_task_group() as group:
                    engine = await self._engine(room, writer, reader)
                    group.start_soon(engine.access.breaker.watch, self.brake, engine.access.knock)
                    group.start_soon(self._keep_in_touch)
                    rules = StageRules(
                        orders.grace_s, self._heard, self._allowance, allow_unread=orders.allow_unread
                    )
                    stage = Stage(orders.stage)
                    await work(stage, engine, task.job.limits.concurrency, rules, self._scope)
                    group.cancel_scope.cancel()
            if self.brake.stop is not None and not self._foreign:
                await writer.remember(HALTED, stop_told(self.brake.stop))
            await writer.flush()

    async def _engine(self, room: Room, writer: RunWriter, reader: WorkLeft) -> Engine:
        task, job = self._task, self._task.job
        breaker = Breaker(job.breaker, self._heard)
        gate = Gate(room.pacer, job.limits, breaker, self._heard)
        client = Client(room.wire, gate, writer, self.brake, judge_of(room.endpoint, job))
        if await to_thread.run_sync(reader.remembered, READABLE) is True:
            client.knows_the_server()
        first = (task.shard.number * PROBES + min(task.shard.token, PROBES - 1)) * PROBES + 1
        access = Access(client, room.endpoint.purse, self.brake, task.orders.start, first)
        rules = rules_of(job, task.orders.start)
        if task.shard.token > 1:  # somebody was at it before
            made = await to_thread.run_sync(reader.calls_made, task.orders.start)
            rules = replace(rules, made=made)
        worker = Worker(access, writer, self.brake, self._allowance, rules)
        worker.tell = self._heard
        return Engine(worker, access, writer, reader, self.brake, task.orders.start)

    def _heard(self, event: Event) -> None:
        self._sums.notice(event)
        self._tell(event)

    def _store_failed(self, error: StoreError) -> None:
        self.stop(storage_stop(error))
        if isinstance(error.__cause__, Fenced):
            self._scope.cancel()

    async def _keep_in_touch(self) -> None:
        """Say that somebody is at the shard, and stop when that is not so any more or nobody shall go on."""
        last = current_time()
        while True:
            await sleep(TOUCH_S)
            if current_time() - last > LEASE_S + TOUCH_S:  # this process stood still, or the server was away
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
        task = self._task
        halted = await to_thread.run_sync(task.table.seen, task.shard, self.tally.told(), HALTED)
        if (stop := stop_of(halted)) is not None:
            self.stop(stop)
        others = [Tally.of(told) for told in await to_thread.run_sync(task.table.others, task.shard)]
        total = sum(others, self._base)
        if (over := self._allowance.hear(*heard(total))) is not None:
            self.brake.pull(over)


def heard(tally: Tally) -> tuple[int, int, int]:
    """Return what an allowance hears of a tally: items ended, items ended badly, cost of retries."""
    counts = tally.counts()
    return sum(counts.values()), sum(counts.get(status, 0) for status in FAILURES), tally.spent

"""From a ticket of the queue to what became of its shard."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

from anyio import CancelScope, Event, current_time, move_on_after, sleep, to_thread

from bulkip.cluster.database import PostgresDatabase
from bulkip.cluster.queue import ShardQueue, Ticket
from bulkip.cluster.runs import LEASE_S, is_kept, remote_run, schema_of
from bulkip.cluster.shardtable import HeldShard, ShardTable
from bulkip.errors import StoreError
from bulkip.model import ErrorClass
from bulkip.orders import HALTED, Orders, halted_fact, round_fact, stop_told
from bulkip.quantities import counted
from bulkip.run.planning import Prepared
from bulkip.run.serving import Serving
from bulkip.run.shardrooms import ShardRooms
from bulkip.run.shardwork import Fate, ShardTask, ShardWork
from bulkip.run.stages import log_out
from bulkip.settings import thawed_job
from bulkip.stops import Stop, StopKind
from bulkip.store import RemoteRun, RunReader
from bulkip.store.freeze import ITEMS_FROZEN
from bulkip.store.home import DatabaseError

TAKEN_S = LEASE_S + 2
"""So long a shard is waited for whose last worker may be dead."""
LATER_S = 5.0
"""How soon a shard is tried again that could not be worked on for no fault of its own."""
MOST_TAKES = 50
"""A shard that was taken so often without coming to its end stops its run, before it goes round for ever."""
AGAIN_S, HURRIED_S, TOLD_S = 1.0, 5.0, 300.0
"""How soon the queue is told again what it did not hear, and for how long; then others find it out."""


class Tickets:
    """Owns the shards that a worker is at."""

    def __init__(self, url: str, name: str, serving: Serving, say: Callable[[str], None]) -> None:
        """Work for the cluster at this URL, under this name."""
        self._url = url
        self._name = name
        self._serving = serving
        self._say = say
        self._works: set[ShardWork] = set()
        self._telling: set[CancelScope] = set()
        self._stop: Stop | None = None
        self._stopped = Event()
        self.done = 0

    @property
    def is_idle(self) -> bool:
        """Whether this worker is at no shard."""
        return not self._works

    def stop(self, stop: Stop) -> None:
        """Give back what is not done; calls in flight get their grace."""
        self._stop = self._stop or stop
        self._stopped.set()
        for scope in self._telling:
            scope.deadline = min(scope.deadline, current_time() + HURRIED_S)
        for work in self._works:
            work.stop(stop)

    def cut_off(self) -> None:
        """Cancel the calls in flight, too."""
        for work in self._works:
            work.cut_off()

    async def carry(self, queue: ShardQueue, ticket: Ticket, rooms: ShardRooms) -> None:
        """Work on a shard, and tell the queue what became of it; raises StoreError when nobody answers."""
        database = PostgresDatabase(self._url, schema_of(ticket.run), self._stopped.is_set)
        after_s = 0.0
        try:
            fate = await self._fate(ticket, ShardTable(database), rooms)
            after_s = LATER_S if fate is Fate.GIVEN_BACK and self._stop is None else 0.0
        except (StoreError, DatabaseError) as error:
            after_s = LATER_S
            fate = await self._failed(ticket, error)
        finally:
            with CancelScope(shield=True):
                await to_thread.run_sync(database.close)
        if fate is Fate.GIVEN_BACK:
            await self._insist(partial(queue.give_back, ticket, after_s))
        else:
            await self._insist(partial(queue.acknowledge, ticket))  # which it is not when it is another's

    async def _failed(self, ticket: Ticket, error: Exception) -> Fate:
        """Return what becomes of a shard that could not be taken: a run that is gone needs nobody."""
        self._say(f"shard {ticket.shard} of {ticket.run}: {error}")
        with suppress(StoreError):
            if not await to_thread.run_sync(is_kept, self._url, ticket.run):
                return Fate.DONE
        return Fate.GIVEN_BACK

    async def _insist(self, tell: Callable[[], Awaitable[None]]) -> None:
        """Tell the queue something that nobody else can tell it, as soon as it answers."""
        patience_s = TOLD_S if self._stop is None else HURRIED_S
        with CancelScope(shield=True, deadline=current_time() + patience_s) as scope:
            self._telling.add(scope)
            try:
                while True:
                    try:
                        return await tell()
                    except StoreError:
                        await sleep(AGAIN_S)
            finally:
                self._telling.discard(scope)

    async def _fate(self, ticket: Ticket, table: ShardTable, rooms: ShardRooms) -> Fate:
        shard = await self._taken(ticket, table)
        if shard is None:
            return Fate.DONE if self._stop is None else Fate.GIVEN_BACK
        run = remote_run(self._url, ticket.run, self._stopped.is_set)
        task = await to_thread.run_sync(_task, run, shard, table)
        if task is not None and shard.token > MOST_TAKES:
            await to_thread.run_sync(table.keep, HALTED, stop_told(_going_round(shard)))
            task = None
        if task is None:  # nobody is to go on with this run
            await to_thread.run_sync(table.give_back, shard, shard.tally)
            return Fate.DONE
        work = ShardWork(task)
        self._works.add(work)
        try:
            if self._stop is not None:
                work.stop(self._stop)
            endpoint = self._serving.endpoint(ticket.queue)
            key = (ticket.run, shard.round, task.account)
            leave = partial(log_out, task.prepared, endpoint, task.orders.start, lambda _event: None)
            async with rooms.room(key, endpoint, task.prepared.job, work.stop, leave) as room:
                fate = await work.carry(room)
        finally:
            self._works.discard(work)
        self.done += fate is Fate.DONE
        why = f" ({work.trouble})" if work.trouble else ""
        self._say(f"shard {shard.number} of {ticket.run}: {fate}{why}{_told(work)}")
        return fate

    async def _taken(self, ticket: Ticket, table: ShardTable) -> HeldShard | None:
        """Take a shard; wait for one whose last worker may be dead, unless it ends meanwhile."""
        for _second in range(TAKEN_S):
            shard = await to_thread.run_sync(table.take, ticket.shard, self._name)
            if shard is not None:
                return shard
            if self._stop is not None or await to_thread.run_sync(table.has_ended, ticket.shard):
                return None
            with move_on_after(1.0):
                await self._stopped.wait()
        return None


def _task(run: RemoteRun, shard: HeldShard, table: ShardTable) -> ShardTask | None:
    """Return what there is to do for a shard, by the orders of its round; None where its run is halted."""
    with RunReader(run) as reader:
        header, items = reader.header(), reader.remembered(ITEMS_FROZEN)
        orders = Orders.of(reader.remembered(round_fact(shard.round)))
    if orders is None:
        return None
    whole = thawed_job(header.job_name, header.job_path, header.job_digest, dict(orders.settings))
    place = shard.part.account
    account = "" if place is None else whole.accounts[place - 1].name
    if {HALTED, halted_fact(account)} & table.halted().keys():
        return None
    job = whole if place is None else whole.of_account(whole.accounts[place - 1])
    prepared = Prepared(Path(), header, job, int(str(items)), writes=0, repeated=0, remote=run)
    return ShardTask(run, prepared, account, orders, shard, table)


def _going_round(shard: HeldShard) -> Stop:
    reason = f"shard {shard.number} was taken {MOST_TAKES} times and never came to its end"
    return Stop(StopKind.HALT, f"{reason}; see what the workers say", ErrorClass.INTERNAL, everywhere=True)


def _told(work: ShardWork) -> str:
    """Return what came of a shard, in words."""
    statuses = sorted(work.tally.statuses.items(), key=lambda one: -one[1])
    parts = [f"{count:,} {status}" for status, count in statuses if count]
    return "".join(f", {part}" for part in [*parts, counted(work.tally.calls, "call")])

"""How a stage is carried out by all workers of a cluster: divided into shards, and made whole."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from math import inf
from threading import Event

from anyio import to_thread

from bulkip.cluster.database import PostgresDatabase
from bulkip.cluster.queue import open_queue
from bulkip.cluster.runs import schema_of
from bulkip.cluster.shardtable import ShardTable, TakenOver
from bulkip.errors import StoreError, leading_error
from bulkip.events import StageEnded, StageStarted, Stopping
from bulkip.model import Counts, ErrorClass
from bulkip.orders import HALTED, Orders, round_fact
from bulkip.queues import AccountQueue, queues_told
from bulkip.run.engine import Endpoint, begun_start
from bulkip.run.halting import storage_stop
from bulkip.run.hands import Hands
from bulkip.run.options import HandsOptions
from bulkip.run.planning import Prepared
from bulkip.run.shardround import TAKEN_OVER, Dealt, ShardRound
from bulkip.run.stages import Stage, StageEnd, StageRules, end_of_all, note_agreed, run_stage
from bulkip.settings import frozen_settings
from bulkip.stops import Stop, StopKind
from bulkip.store import Part, RunReader, WorkLeft, open_writer
from bulkip.store.home import DatabaseError

SHARED = frozenset({Stage.READING, Stage.APPLYING})
"""The stages that are divided; what the others ask is little, or not the API."""
SHARD_ITEMS = 500
ROUNDS_MOST = 4
"""So often what is missing is dealt out anew, before somebody should look at why."""
Deal = Sequence[tuple[AccountQueue, Part]]
"""Parts of a run, each with the queue of its account."""


class Crew:
    """Owns the coordinator's side of one run in a cluster."""

    def __init__(
        self,
        url: str,
        queues: Sequence[AccountQueue],
        say: Callable[[str], None],
        stopping: Event,
        *,
        works: bool,
    ) -> None:
        """Deal out shards in the cluster at this URL; the coordinator `works` on some of them itself.

        `stopping` is set as soon as the run is to stop.
        """
        self._url = url
        self._queues = queues
        self._say = say
        self._stopping = stopping
        self._works = works
        self._spent: Counter[str] = Counter()
        self._newest = 0  # the last round that this coordinator knows of

    async def run_stage(
        self, stage: Stage, prepared: Prepared, endpoint: Endpoint, start: int | None, rules: StageRules
    ) -> StageEnd:
        """Run one stage to its end or its stop, as `stages.run_stage` does in one process."""
        try:
            if start is None:
                await to_thread.run_sync(self._begin, prepared)
            halted = await to_thread.run_sync(self._halted, prepared)
            if halted is not None:
                rules.tell(Stopping(halted.reason))
                return StageEnd(start, halted)
            if stage not in SHARED:
                end = await run_stage(stage, prepared, endpoint, start, rules)
                halted = await to_thread.run_sync(self._halted, prepared)
                return end if end.stop is not None else StageEnd(end.start, halted)
            async with open_writer(prepared.home, rules.tell) as writer:
                start = await begun_start(prepared, endpoint, writer) if start is None else start
                if stage is Stage.APPLYING:
                    await note_agreed(writer, prepared, rules)
            stop = await self._rounds(stage, prepared, start, rules)
            rules.tell(StageEnded(stage, await to_thread.run_sync(_counts, prepared)))
            stop = stop or end_of_all(endpoint, rules.allowance)
        except (BaseExceptionGroup, StoreError, DatabaseError) as raised:
            error = leading_error(raised) if isinstance(raised, BaseExceptionGroup) else raised
            if not isinstance(error, StoreError | DatabaseError):
                raise error from raised
            self._stopping.set()  # whatever still asks this database does not wait for it all over again
            stop = storage_stop(_told_of(prepared, error))
            rules.tell(Stopping(stop.reason))
        return StageEnd(start, stop)

    def _begin(self, prepared: Prepared) -> None:
        """Begin a start: what stopped an earlier one is forgotten, and workers look at the run."""
        with self._table(prepared) as table:
            table.forget_halts()
            self._newest = table.last_round()
            table.note_under_way(prepared.header.id, queues_told(self._queues))

    def _halted(self, prepared: Prepared) -> Stop | None:
        """Return what stops the run for everybody, if anything does."""
        with self._table(prepared) as table:
            return table.halted().get(HALTED)

    @contextmanager
    def _table(self, prepared: Prepared) -> Iterator[ShardTable]:
        with closing(
            PostgresDatabase(self._url, schema_of(prepared.header.id), self._stopping.is_set)
        ) as database:
            yield ShardTable(database)

    async def _rounds(self, stage: Stage, prepared: Prepared, start: int, rules: StageRules) -> Stop | None:
        """Deal out what is to do, and once more what has no result although its shards have ended."""
        rules.tell(StageStarted(stage, await to_thread.run_sync(_left, stage, prepared, self._going(rules))))
        whole = await to_thread.run_sync(_bounds, stage, prepared, rules.most)
        for time_ in range(ROUNDS_MOST):
            deal = await to_thread.run_sync(_deal, stage, prepared, self._going(rules), whole)
            if not deal:
                return None
            if time_:
                self._say("shards ended without all of their items; what is missing is dealt out again")
            stop = await self._round(prepared, self._orders(stage, prepared, start, rules), rules, deal)
            if stop is not None:
                return stop
        return Stop(StopKind.HALT, "items have no result although their shards ended", ErrorClass.INTERNAL)

    def _going(self, rules: StageRules) -> list[AccountQueue]:
        """Return the queues of the accounts that nothing has stopped."""
        return [
            one for one in self._queues if not one.account or rules.allowance.of(one.account).stop is None
        ]

    async def _round(self, prepared: Prepared, orders: Orders, rules: StageRules, deal: Deal) -> Stop | None:
        with self._table(prepared) as table:
            try:
                dealt = await to_thread.run_sync(self._write_down, prepared, orders, deal, table)
            except TakenOver:
                rules.tell(Stopping(TAKEN_OVER.reason))
                return TAKEN_OVER
            async with open_queue(self._url) as queue:
                round_ = ShardRound(dealt, table, rules, self._say, self._stopping)
                stop = await round_.run(queue, self._hands() if self._works else None)
            self._spent += round_.spent
        return stop

    def _write_down(self, prepared: Prepared, orders: Orders, deal: Deal, table: ShardTable) -> Dealt:
        """Write a round down before anybody can take a shard of it; raises TakenOver."""
        round_ = self._newest + 1
        table.keep(round_fact(round_), orders.told())
        numbers = table.add(self._newest, [(queue.name, part) for queue, part in deal])
        self._newest = round_
        shards: dict[str, list[int]] = {}
        for number, (queue, _part) in zip(numbers, deal, strict=True):
            shards.setdefault(queue.name, []).append(number)
        return Dealt(prepared.header.id, round_, shards, self._queues)

    def _orders(self, stage: Stage, prepared: Prepared, start: int, rules: StageRules) -> Orders:
        """Return what the workers of a round go by."""
        allowance = rules.allowance
        return Orders(
            stage=stage.value,
            start=start,
            settings=frozen_settings(prepared.job),
            planned=allowance.planned,
            ended=allowance.ended,
            failed=allowance.failed,
            spent=dict(self._spent),
            allow_unread=rules.allow_unread,
            grace_s=rules.grace_s,
        )

    def _hands(self) -> Hands:
        """Return this process's own hands; what they come to is told by the table of shards."""
        options = HandsOptions(queues=tuple(one.name for one in self._queues))
        return Hands(self._url, options, lambda _text: None)


def _bounds(stage: Stage, prepared: Prepared, most: float) -> Part:
    """Return the part of a run that a stage is about: to the last of so many addresses of all accounts."""
    if stage is Stage.READING or most == inf:
        return Part()
    with WorkLeft(prepared.home) as reader:
        parts = list(reader.shards_to_apply(SHARD_ITEMS, most))
    return Part(last=parts[-1].last) if parts else Part(last=0)


def _deal(stage: Stage, prepared: Prepared, queues: Sequence[AccountQueue], whole: Part) -> Deal:
    """Return the shards of what a stage has to do for some accounts."""
    deal: list[tuple[AccountQueue, Part]] = []
    for queue in queues:
        with WorkLeft(prepared.home, Part(whole.first, whole.last, queue.place)) as reader:
            shards = reader.shards_to_read if stage is Stage.READING else reader.shards_to_apply
            deal += [(queue, part) for part in shards(SHARD_ITEMS)]
    return deal


def _left(stage: Stage, prepared: Prepared, queues: Sequence[AccountQueue]) -> int:
    """Count what a stage has to do for some accounts."""
    left = 0
    for queue in queues:
        with WorkLeft(prepared.home, Part(account=queue.place)) as reader:
            left += reader.reads_left() if stage is Stage.READING else reader.items_left()
    return left


def _told_of(prepared: Prepared, error: StoreError | DatabaseError) -> StoreError:
    """Return an error of the run's store, as its readers and writers tell it."""
    return error if isinstance(error, StoreError) else StoreError(f"{prepared.home}: run store: {error}")


def _counts(prepared: Prepared) -> Counts:
    with RunReader(prepared.home) as reader:
        return reader.counts()

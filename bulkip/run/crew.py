"""How a stage is carried out by all workers of a cluster: divided into shards, and made whole."""

from collections.abc import Callable
from contextlib import closing
from functools import partial

from anyio import to_thread

from bulkip.cluster.database import PostgresDatabase
from bulkip.cluster.queue import open_queue
from bulkip.cluster.runs import schema_of
from bulkip.cluster.shardtable import ShardTable
from bulkip.errors import StoreError, leading_error
from bulkip.events import StageEnded, StageStarted, Stopping
from bulkip.model import Counts, ErrorClass
from bulkip.orders import HALTED, Orders, round_fact
from bulkip.queues import AccountQueue, queues_told
from bulkip.run.engine import Endpoint, begun_start
from bulkip.run.halting import storage_stop
from bulkip.run.hands import Hands, HandsOptions
from bulkip.run.planning import Prepared
from bulkip.run.shardround import Dealt, ShardRound
from bulkip.run.stages import Stage, StageEnd, StageRules, note_agreed, run_stage
from bulkip.run.tickets import Desk
from bulkip.settings import frozen_settings
from bulkip.stops import Stop, StopKind
from bulkip.store import WHOLE_RUN, Part, RunReader, WorkLeft, open_writer
from bulkip.store.home import DatabaseError

SHARED = frozenset({Stage.READING, Stage.APPLYING})
"""The stages that are divided; what the others ask is little, or not the API."""
SHARD_ITEMS = 500
ROUNDS_MOST = 4
"""So often what is missing is dealt out anew, before somebody should look at why."""


class Crew:
    """Owns the coordinator's side of one run in a cluster."""

    def __init__(self, url: str, queue: AccountQueue, say: Callable[[str], None], *, works: bool) -> None:
        """Deal out shards in the cluster at this URL; the coordinator `works` on some of them itself."""
        self._url = url
        self._queue = queue
        self._say = say
        self._works = works

    async def run_stage(
        self, stage: Stage, prepared: Prepared, endpoint: Endpoint, start: int | None, rules: StageRules
    ) -> StageEnd:
        """Run one stage to its end or its stop, as `stages.run_stage` does in one process."""
        if stage not in SHARED:
            return await run_stage(stage, prepared, endpoint, start, rules)
        try:
            async with open_writer(prepared.home, rules.tell) as writer:
                start = await begun_start(prepared, endpoint, writer) if start is None else start
                if stage is Stage.APPLYING:
                    await note_agreed(prepared, writer)
            stop = await self._rounds(stage, prepared, start, rules)
            rules.tell(StageEnded(stage, await to_thread.run_sync(_counts, prepared)))
        except (BaseExceptionGroup, StoreError, DatabaseError) as raised:
            error = leading_error(raised) if isinstance(raised, BaseExceptionGroup) else raised
            if not isinstance(error, StoreError | DatabaseError):
                raise error from raised
            rules.tell(Stopping(str(error)))
            stop = storage_stop(StoreError(str(error)))
        return StageEnd(start, stop)

    async def _rounds(self, stage: Stage, prepared: Prepared, start: int, rules: StageRules) -> Stop | None:
        """Deal out what is to do, and once more what has no result although its shards have ended."""
        rules.tell(StageStarted(stage, await to_thread.run_sync(_left, stage, prepared, WHOLE_RUN)))
        parts = await to_thread.run_sync(_parts, stage, prepared, rules.most, WHOLE_RUN)
        if not parts:
            return None
        whole = Part(parts[0].first, parts[-1].last)
        for _round in range(ROUNDS_MOST):
            stop = await self._round(stage, prepared, start, rules, parts)
            parts = await to_thread.run_sync(_parts, stage, prepared, None, whole)
            if stop is not None or not parts:
                return stop
            self._say("shards have ended without all of their items; what is missing is dealt out again")
        return Stop(StopKind.HALT, "items have no result although their shards ended", ErrorClass.INTERNAL)

    async def _round(
        self, stage: Stage, prepared: Prepared, start: int, rules: StageRules, parts: list[Part]
    ) -> Stop | None:
        deal = partial(self._deal, prepared, orders_of(stage, prepared, start, rules), parts)
        with closing(PostgresDatabase(self._url, schema_of(prepared.header.id))) as database:
            table = ShardTable(database)
            dealt = await to_thread.run_sync(deal, table)
            async with open_queue(self._url) as queue:
                hands = self._hands() if self._works else None
                return await ShardRound(dealt, table, rules, self._say).run(queue, hands)

    def _deal(self, prepared: Prepared, orders: Orders, parts: list[Part], table: ShardTable) -> Dealt:
        """Write a round down before anybody can take a shard of it."""
        run, round_ = prepared.header.id, table.last_round() + 1
        table.keep(HALTED, None)
        table.keep(round_fact(round_), orders.told())
        table.note_under_way(run, queues_told([self._queue]))
        return Dealt(run, round_, self._queue.name, tuple(table.add(round_, self._queue.name, parts)))

    def _hands(self) -> Hands:
        """Return this process's own hands; what they come to is told by the table of shards."""
        quiet = Desk(lambda _text: None, lambda _event: None)
        return Hands(self._url, HandsOptions(queues=(self._queue.name,)), quiet)


def orders_of(stage: Stage, prepared: Prepared, start: int, rules: StageRules) -> Orders:
    """Return what the workers of a round go by."""
    spent = rules.allowance
    return Orders(
        stage=stage.value,
        start=start,
        settings=frozen_settings(prepared.job),
        planned=spent.planned,
        ended=spent.ended,
        failed=spent.failed,
        spent=spent.spent,
        allow_unread=rules.allow_unread,
        grace_s=rules.grace_s,
    )


def _parts(stage: Stage, prepared: Prepared, most: float | None, whole: Part) -> list[Part]:
    """Return the shards of what a stage has to do in a part of a run."""
    with WorkLeft(prepared.home, whole) as reader:
        if stage is Stage.READING:
            return list(reader.shards_to_read(SHARD_ITEMS))
        return list(reader.shards_to_apply(SHARD_ITEMS, *([] if most is None else [most])))


def _left(stage: Stage, prepared: Prepared, part: Part) -> int:
    with WorkLeft(prepared.home, part) as reader:
        return reader.reads_left() if stage is Stage.READING else reader.items_left()


def _counts(prepared: Prepared) -> Counts:
    with RunReader(prepared.home) as reader:
        return reader.counts()

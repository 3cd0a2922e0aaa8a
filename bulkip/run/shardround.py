"""One round of shards, watched from its first to its last: who is at them, and whether any is missing."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from anyio import CancelScope, create_task_group, current_time, sleep, to_thread

from bulkip.brake import Brake
from bulkip.cluster.queue import ShardQueue
from bulkip.cluster.shardtable import ShardState, ShardTable
from bulkip.errors import StoreError
from bulkip.events import CrewMoved, Stopping
from bulkip.model import ErrorClass
from bulkip.orders import HALTED, Tally, stop_of, stop_told
from bulkip.run.hands import Hands
from bulkip.run.shardwork import heard
from bulkip.run.stages import StageRules, bounded, heed_signals
from bulkip.run.tickets import TAKEN_S
from bulkip.stops import Stop, StopKind

POLL_S, RECENT_S = 0.5, 30.0
"""How often the shards are looked at, and for how long one that has ended is looked at again."""
LOST_S = TAKEN_S + 3.0
"""When nothing has moved for so long, shards may have fallen out of the queue."""
PARTING_S = 3.0
"""So much longer than calls in flight get, a worker gets to say that it has stopped."""
TAKEN_OVER = Stop(
    StopKind.HALT, "another coordinator has taken this run over; look at that one", ErrorClass.CANCELLED
)
OVER = Stop(StopKind.HALT, "the round is over", ErrorClass.CANCELLED)


@dataclass(frozen=True, slots=True)
class Dealt:
    """What was dealt out: the shards of a round of a run, in a queue."""

    run: str
    round: int
    queue: str
    shards: tuple[int, ...]


@dataclass(slots=True)
class _Seen:
    """What is known of the shards so far: what they came to, which of them stopped, and who is at them."""

    tallies: dict[int, Tally] = field(default_factory=dict)
    stops: dict[int, Stop] = field(default_factory=dict)
    holders: frozenset[str] = frozenset()
    lost: frozenset[str] = frozenset()

    def take(self, states: Sequence[ShardState]) -> None:
        """Take in how shards stand now."""
        for state in states:
            self.tallies[state.number] = Tally.of(state.tally)
            if (stop := stop_of(state.stop)) is not None:
                self.stops[state.number] = stop
        held = [state for state in states if state.holder is not None and not state.ended]
        self.holders = frozenset(str(state.holder) for state in held if not state.silent)
        self.lost = frozenset(str(state.holder) for state in held if state.silent) - self.holders

    @property
    def total(self) -> Tally:
        """What all of them came to so far."""
        return sum(self.tallies.values(), Tally())


@dataclass(frozen=True, slots=True)
class _Standing:
    """How a round stands: the shards that move, how many have not ended, and what stops the run."""

    states: Sequence[ShardState]
    left: int
    newest: int
    halted: Stop | None


class ShardRound:
    """Owns a round from the coordinator's side."""

    def __init__(
        self, dealt: Dealt, table: ShardTable, rules: StageRules, say: Callable[[str], None]
    ) -> None:
        """Watch what was dealt out, through this table."""
        self._dealt = dealt
        self._table = table
        self._rules = rules
        self._say = say
        self._brake = Brake(lambda stop: rules.tell(Stopping(stop.reason)))
        self._seen = _Seen()
        self._moved_at = current_time()
        self._told_lost: frozenset[str] = frozenset()

    async def run(self, queue: ShardQueue, hands: Hands | None) -> Stop | None:
        """Put the shards into the queue, and return what stopped them when none is worked on any more."""
        rules, scope = self._rules, CancelScope()
        rules.allowance.begin_hearing()
        await queue.defer(self._dealt.queue, self._dealt.run, self._dealt.shards)
        async with create_task_group() as group:
            if rules.signals is not None:
                await group.start(heed_signals, rules.signals, self._brake, scope)
            async with create_task_group() as working:
                if hands is not None:
                    working.start_soon(hands.work, queue)
                async with bounded(self._brake, rules, scope):
                    await self._watch(queue)
                if scope.cancelled_caught or self._brake.stop is not None:
                    with CancelScope(shield=True):
                        await self._part()
                if hands is not None:
                    hands.stop(self._brake.stop or OVER)
            group.cancel_scope.cancel()
        return self._brake.stop or next(iter(self._seen.stops.values()), None)

    async def _watch(self, queue: ShardQueue) -> None:
        """Look on until every shard has ended, or the run is to stop."""
        while self._brake.stop is None:
            standing = await to_thread.run_sync(self._look)
            self._take(standing)
            if standing.newest > self._dealt.round:
                self._brake.pull(TAKEN_OVER)
            elif standing.left == 0:
                return
            if current_time() - self._moved_at > LOST_S and not self._seen.holders:
                await self._deal_again(queue)
            await sleep(POLL_S)

    def _look(self) -> _Standing:
        table, round_ = self._table, self._dealt.round
        states, halted = table.moving(round_, RECENT_S), stop_of(table.kept(HALTED))
        return _Standing(states, *table.left(round_), halted)

    def _take(self, standing: _Standing) -> None:
        """Take in how the round stands, tell of it, and stop when it has come to too much."""
        seen, before = self._seen, self._seen.total
        seen.take(standing.states)
        total = seen.total
        if total != before:
            self._moved_at = current_time()
        self._rules.tell(CrewMoved(total.steps, total.statuses, total.calls, len(seen.holders)))
        for holder in sorted(seen.lost - self._told_lost):
            self._say(f"worker {holder} is silent; what it was at goes to others")
        self._told_lost |= seen.lost
        over = self._rules.allowance.hear(*heard(total))
        for stop in (standing.halted, over):
            if stop is not None:
                self._brake.pull(stop)

    async def _deal_again(self, queue: ShardQueue) -> None:
        """Put into the queue what has fallen out of it; the table of shards is the truth, not the queue."""
        self._moved_at = current_time()
        dealt = self._dealt
        idle = await to_thread.run_sync(self._table.idle, dealt.round)
        try:
            missing = await queue.missing(dealt.queue, dealt.run, idle)
            await queue.defer(dealt.queue, dealt.run, missing)
        except StoreError as error:
            self._say(str(error))
            return
        if not missing and not self._seen.holders:
            self._say("no worker has taken a shard for a while; `bulkip worker` starts one")

    async def _part(self) -> None:
        """Tell all workers to stop, and wait for those who are at a shard."""
        stop = self._brake.stop or OVER
        if stop is TAKEN_OVER:
            return
        hurried = self._brake.stop is None
        until = current_time() + (PARTING_S if hurried else self._rules.grace_s + PARTING_S)
        await to_thread.run_sync(self._table.keep, HALTED, stop_told(stop))
        while current_time() < until:
            standing = await to_thread.run_sync(self._look)
            self._take(standing)
            if not self._seen.holders:
                return
            await sleep(POLL_S)

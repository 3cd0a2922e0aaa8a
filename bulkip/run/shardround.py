"""One round of shards, watched from its first to its last: who is at them, and whether any is missing."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import Event

from anyio import CancelScope, create_task_group, current_time, move_on_after, sleep, to_thread

from bulkip.brake import Brake
from bulkip.cluster.queue import ShardQueue
from bulkip.cluster.shardtable import ShardState, ShardTable
from bulkip.errors import StoreError
from bulkip.events import CrewMoved, Stopping
from bulkip.model import ErrorClass
from bulkip.orders import HALTED, Tally, halted_fact, stop_told, without
from bulkip.queues import AccountQueue
from bulkip.run.cutoffs import bounded, end_of_time, heed_signals
from bulkip.run.hands import Hands
from bulkip.run.stages import StageRules
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
    """What was dealt out: the shards of a round of a run, by queue, and the accounts that these are of."""

    run: str
    round: int
    shards: Mapping[str, Sequence[int]]
    queues: Sequence[AccountQueue]


@dataclass(frozen=True, slots=True)
class _Standing:
    """How a round stands: the shards that move, how many have not ended, and what stops accounts."""

    states: Sequence[ShardState]
    left: int
    newest: int
    halted: Mapping[str, Stop]


@dataclass(slots=True)
class _Seen:
    """What is known of the shards so far: what they came to, and who is at them."""

    states: dict[int, ShardState] = field(default_factory=dict)
    total: Tally = field(default_factory=Tally)
    holders: frozenset[str] = frozenset()
    lost: frozenset[str] = frozenset()

    def take(self, states: Sequence[ShardState]) -> None:
        """Take in how shards stand now."""
        for state in states:
            before = self.states.get(state.number)
            self.total = without(self.total, before.tally) if before else self.total
            self.total += state.tally
            self.states[state.number] = state
        held = [state for state in states if state.holder is not None and not state.ended]
        self.holders = frozenset(str(state.holder) for state in held if not state.silent)
        self.lost = frozenset(str(state.holder) for state in held if state.silent) - self.holders

    def spent(self) -> Counter[int]:
        """Return what the retries of each account have cost."""
        found: Counter[int] = Counter()
        for state in self.states.values():
            found[state.account] += state.tally.spent
        return found


class ShardRound:
    """Owns a round from the coordinator's side."""

    def __init__(
        self, dealt: Dealt, table: ShardTable, rules: StageRules, say: Callable[[str], None], stopping: Event
    ) -> None:
        """Watch what was dealt out, through this table; `stopping` is set as soon as the run is to stop."""
        self._dealt = dealt
        self._table = table
        self._rules = rules
        self._say = say
        self._run_stopping = stopping
        self._brake = Brake(self._stopping)
        self._seen = _Seen()
        self._before: Mapping[str, int] = {}
        self._moved_at = current_time()
        self._told_lost: frozenset[str] = frozenset()

    @property
    def spent(self) -> Counter[str]:
        """What the retries of each account have cost in this round."""
        names = {queue.place or 0: queue.account for queue in self._dealt.queues}
        return Counter({names[place]: cost for place, cost in self._seen.spent().items() if place in names})

    async def run(self, queue: ShardQueue, hands: Hands | None) -> Stop | None:
        """Put the shards into their queues, and return what stopped them when none is worked on any more."""
        rules, scope, parting = self._rules, CancelScope(), CancelScope()
        rules.allowance.begin_hearing()
        self._before = await to_thread.run_sync(self._table.results, self._dealt.round)
        for name, shards in self._dealt.shards.items():
            await queue.defer(name, self._dealt.run, shards)
        async with create_task_group() as group:
            if rules.signals is not None:
                await group.start(heed_signals, rules.signals, self._brake, [scope, parting])
            group.start_soon(end_of_time, self._brake, rules.allowance)
            async with create_task_group() as working:
                if hands is not None:
                    working.start_soon(hands.work, queue)
                try:
                    async with bounded(self._brake, rules.grace_s, scope):
                        await self._watch(queue)
                    await self._part(parting)
                finally:  # also where the database is gone: then nobody here waits for it much longer
                    if hands is not None:
                        hands.stop(self._brake.stop or OVER)
                if hands is not None and parting.cancelled_caught:
                    hands.cut_off()
            group.cancel_scope.cancel()
        if self._brake.stop is not TAKEN_OVER:
            self._take_results(await to_thread.run_sync(self._count_up))
        return self._brake.stop

    def _count_up(self) -> Mapping[str, int]:
        """Count once more what the round came to, from its results: last words of workers may be missing."""
        table, round_ = self._table, self._dealt.round
        if self._brake.stop is not None:
            table.close(round_)
        self._seen.take(table.whole_round(round_))
        results = Counter(table.results(round_))
        results.subtract(self._before)
        return {status: count for status, count in results.items() if count > 0}

    def _take_results(self, statuses: Mapping[str, int]) -> None:
        """Take in how many items of the round have ended, each in its status."""
        counted = Tally(statuses)
        over = self._rules.allowance.hear(counted.ended, counted.failed, 0)
        if over is not None:
            self._brake.pull(over)
        total = replace(self._seen.total, statuses=statuses)
        self._tell(replace(total, steps=max(total.steps, counted.ended)))

    def _stopping(self, stop: Stop) -> None:
        self._run_stopping.set()
        self._rules.tell(Stopping(stop.reason))

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
        """Ask how the round stands; what is left of accounts that stopped is nobody's business any more."""
        table, round_ = self._table, self._dealt.round
        halted, (left, newest) = table.halted(), table.left(round_)
        for queue in self._dealt.queues:
            if queue.place is not None and halted_fact(queue.account) in halted:
                table.leave(round_, queue.place)
        states = table.moving(round_, RECENT_S)  # asked last: what has ended by now is among them
        return _Standing(states, left, newest, halted)

    def _take(self, standing: _Standing) -> None:
        """Take in how the round stands, tell of it, and stop what has come to too much."""
        seen, before = self._seen, self._seen.total
        seen.take(standing.states)
        total = seen.total
        if total != before:
            self._moved_at = current_time()
        self._tell(total)
        for holder in sorted(seen.lost - self._told_lost):
            self._say(f"worker {holder} is silent; what it was at goes to others")
        self._told_lost |= seen.lost
        over = self._rules.allowance.hear(total.ended, total.failed, 0)
        for stop in (standing.halted.get(HALTED), over):
            if stop is not None:
                self._brake.pull(stop)
        self._stop_accounts(standing.halted)

    def _tell(self, total: Tally) -> None:
        workers = len(self._seen.holders)
        self._rules.tell(CrewMoved(total.steps, total.statuses, total.calls, workers))

    def _stop_accounts(self, halted: Mapping[str, Stop]) -> None:
        """Note which accounts have stopped; the others go on."""
        for queue in self._dealt.queues:
            stop = halted.get(halted_fact(queue.account)) if queue.account else None
            allowance = self._rules.allowance.of(queue.account) if queue.account else None
            if stop is not None and allowance is not None and allowance.stop is None:
                allowance.stop = replace(stop, reason=f"account `{queue.account}`: {stop.reason}")
                self._rules.tell(Stopping(stop.reason, queue.account))

    async def _deal_again(self, queue: ShardQueue) -> None:
        """Put into the queue what has fallen out of it; the table of shards is the truth, not the queue."""
        self._moved_at = current_time()
        idle = await to_thread.run_sync(self._table.idle, self._dealt.round)
        missing = 0
        for name in self._dealt.shards:
            numbers = [number for number, own in idle if own == name]
            try:
                found = await queue.missing(name, self._dealt.run, numbers)
                await queue.defer(name, self._dealt.run, found)
            except StoreError as error:
                self._say(str(error))
                return
            missing += len(found)
        if not missing:
            self._say("no worker has taken a shard for a while; `bulkip worker` starts one")

    async def _part(self, scope: CancelScope) -> None:
        """Tell all workers to stop where the round is to, and wait for those who are at a shard."""
        stop = self._brake.stop
        if stop is None or stop is TAKEN_OVER:
            return
        with CancelScope(shield=True):
            await to_thread.run_sync(self._table.keep, HALTED, stop_told(stop))
        with scope, move_on_after(self._rules.grace_s + PARTING_S):
            while True:
                self._take(await to_thread.run_sync(self._look))
                if not self._seen.holders:
                    return
                await sleep(POLL_S)

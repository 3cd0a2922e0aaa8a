"""The stages of a run: read, apply, prove; each ends in order, whatever stops it."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from math import inf
from typing import assert_never

from anyio import CancelScope, create_task_group, to_thread

from bulkip.allowance import Allowance
from bulkip.checker import Checker, CheckingFeed, Entrance
from bulkip.errors import StoreError, leading_error
from bulkip.events import StageEnded, StageStarted, Stopping
from bulkip.feeds import (
    ApplyingFeed,
    Quota,
    RationedFeed,
    ReadingFeed,
    SeekingFeed,
    TracingFeed,
    VerifyingFeed,
)
from bulkip.inquiry import Inquiry
from bulkip.looker import Books, Looker
from bulkip.policy import Forward, VerifyMode
from bulkip.run.cutoffs import bounded, end_of_time, heed_signals
from bulkip.run.engine import Endpoint, Engine, Fleet, Tell, allowance_of, open_fleet
from bulkip.run.halting import HaltingFeed, storage_stop
from bulkip.run.judging import judge_of
from bulkip.run.nameservers import name_servers
from bulkip.run.planning import Prepared
from bulkip.run.signals import Signals
from bulkip.scheduler import Feed, Scheduler, Turn
from bulkip.stops import Stop, together
from bulkip.store import PROOF_REQUIRED, Beforehand, RunWriter
from bulkip.tracer import Tracer
from bulkip.verifier import DNS_AT_ONCE, Verifier, Witnesses

CONFIRMED = "confirmed"
"""The fact that a run keeps once its writes were agreed to: whoever resumes it is not asked again."""


class Stage(StrEnum):
    """What a stage does with the items.

    It finds the servers of addresses, reads what is there, resolves new names,
    carries the items out, or proves what was written. A check only looks.
    """

    LOOKING_UP = "looking_up"
    READING = "reading"
    TRACING = "tracing"
    APPLYING = "applying"
    VERIFYING = "verifying"
    CHECKING = "checking"


@dataclass(frozen=True, slots=True)
class StageRules:
    """How the stages of one start run: `signals` are given on a command line, not in somebody's program.

    What was proved before `proved_since`, in Unix seconds, is to be proved
    again. `most` bounds how many addresses the applying stage begins, which
    several accounts draw from one `quota`. With `allow_unread` a write goes on
    when its value before cannot be read.
    """

    grace_s: float
    tell: Tell
    allowance: Allowance
    signals: Signals | None = None
    proved_since: float = 0.0
    most: float = inf
    allow_unread: bool = False
    quota: Quota | None = None


@dataclass(frozen=True, slots=True)
class StageEnd:
    """Which execution of the run a stage belonged to, and what stopped it, if anything did."""

    start: int | None
    stop: Stop | None


def with_accounts(end: StageEnd, allowance: Allowance) -> StageEnd:
    """Return how a start ended after its last stage: what stopped single accounts is told with the rest."""
    stops = allowance.stops
    if not stops or end.stop == together(stops):  # the stage told it already, because nobody could go on
        return end
    return replace(end, stop=together([*([end.stop] if end.stop else []), *stops]))


async def run_stage(
    stage: Stage, prepared: Prepared, endpoint: Endpoint, start: int | None, rules: StageRules
) -> StageEnd:
    """Run one stage to its end or its stop; a store that fails is a stop like others.

    Where there are several accounts they go on side by side, and one that stops
    leaves the others alone; the stage has a stop when none of them can go on.
    """
    stop: Stop | None = None
    opening = open_fleet(
        prepared, endpoint, start, rules.tell, rules.allowance, writes=stage is Stage.APPLYING
    )
    try:
        async with opening as fleet, create_task_group() as heeding:
            start, scopes = fleet.start, [CancelScope() for _ in fleet.engines]
            if rules.signals is not None:
                await heeding.start(heed_signals, rules.signals, fleet.brake, scopes)
            heeding.start_soon(end_of_time, fleet.brake, rules.allowance)
            if stage is Stage.APPLYING:
                await note_agreed(fleet.writer, prepared, rules)
            rules.tell(StageStarted(stage, await _total(stage, fleet, rules)))
            quota = Quota(rules.most) if endpoint.accounts and rules.most < inf else None
            async with create_task_group() as working:
                for engine, scope in zip(fleet.engines, scopes, strict=True):
                    working.start_soon(work, stage, engine, replace(rules, quota=quota), scope)
            stop = fleet.brake.stop
            await fleet.writer.flush()
            rules.tell(StageEnded(stage, await to_thread.run_sync(fleet.reader.counts)))
            heeding.cancel_scope.cancel()
        return StageEnd(start, fleet.brake.stop or end_of_all(endpoint, rules.allowance))
    except (BaseExceptionGroup, StoreError) as raised:
        error = leading_error(raised)
        if not isinstance(error, StoreError):
            raise error from raised
        if stop is None or stop.reason != str(error):
            rules.tell(Stopping(str(error)))
        return StageEnd(start, stop or storage_stop(error))


async def note_agreed(writer: RunWriter, prepared: Prepared, rules: StageRules) -> None:
    """Remember what was agreed to; what an account would do that was not read was not."""
    if not rules.allowance.stops:
        await writer.remember(CONFIRMED, value=True)
    await writer.remember(PROOF_REQUIRED, prepared.job.verify.required)


async def _total(stage: Stage, fleet: Fleet, rules: StageRules) -> int:
    """Count what the engines of a stage have to do."""
    counts: dict[Stage, Callable[[Beforehand], int]] = {
        Stage.LOOKING_UP: Beforehand.lookups_left,
        Stage.READING: Beforehand.reads_left,
        Stage.TRACING: Beforehand.leads_left,
        Stage.VERIFYING: lambda reader: reader.proofs_left(rules.proved_since),
    }
    left = counts.get(stage, Beforehand.items_left)
    return sum([await to_thread.run_sync(left, engine.reader) for engine in fleet.engines])


def end_of_all(endpoint: Endpoint, allowance: Allowance) -> Stop | None:
    """Return the stop of a run whose accounts have all stopped; None while one can go on."""
    stops = allowance.stops
    return together(stops) if len(stops) == len(endpoint.accounts) else None


async def work(stage: Stage, engine: Engine, rules: StageRules, scope: CancelScope) -> None:
    """Do the work of one engine in a stage."""
    match stage:
        case Stage.LOOKING_UP:
            await _look_up(engine, rules, scope)
        case Stage.TRACING:
            await _trace(engine, rules, scope)
        case Stage.VERIFYING:
            await _prove(engine, rules, scope)
        case Stage.CHECKING:
            await _check(engine, rules, scope)
        case Stage.READING:
            enter = partial(engine.worker.enter_reading, blind=rules.allow_unread)
            await _carry(ReadingFeed(engine.reader, enter), engine, rules, scope)
        case Stage.APPLYING:
            worker, quota = engine.worker, rules.quota
            most = rules.most if quota is None else inf
            feed = ApplyingFeed(engine.reader, worker.enter, worker.enter_now, most)
            await _carry(feed if quota is None else RationedFeed(feed, quota), engine, rules, scope)
        case _:
            assert_never(stage)


async def _carry(feed: Feed[Turn], engine: Engine, rules: StageRules, scope: CancelScope) -> None:
    """Carry the turns of a feed through the API."""
    workers = engine.post.prepared.job.limits.concurrency
    async with bounded(engine.brake, rules.grace_s, scope):
        await Scheduler(HaltingFeed(feed, engine.brake), engine.brake).run(workers, engine.worker.step)


async def _look_up(engine: Engine, rules: StageRules, scope: CancelScope) -> None:
    """Find the servers of the addresses that the plan leaves to be found."""
    post, outages = engine.post, engine.access.breaker.outages
    workers, pay = post.prepared.job.limits.concurrency, partial(post.allowance.pay, outages=outages)
    inquiry = Inquiry(engine.access, judge_of(post.endpoint.purse, post.prepared.job), engine.brake, pay)
    looker = Looker(engine.worker, inquiry, Books(engine.reader, engine.writer))
    feed = HaltingFeed(SeekingFeed(engine.reader, looker.enter), engine.brake)
    async with bounded(engine.brake, rules.grace_s, scope):
        await looker.prepare(workers)
        await Scheduler(feed, engine.brake).run(workers, engine.worker.step)
        await looker.refuse_rivals()


async def _trace(engine: Engine, rules: StageRules, scope: CancelScope) -> None:
    """Resolve the new names of the writes that are ahead; that does not spend the rate of the API."""
    job, reader = engine.post.prepared.job, engine.reader
    async with name_servers(job.verify, engine.post.endpoint) as guides:
        required = job.safety.forward is Forward.REQUIRE
        tracer = Tracer(guides, engine.writer, time.time, reader.place, required=required)
        tracer.tell = rules.tell
        feed = HaltingFeed(TracingFeed(reader, lambda: tracer.is_over), engine.brake)
        async with bounded(engine.brake, rules.grace_s, scope):
            await Scheduler(feed, engine.brake).run(DNS_AT_ONCE, tracer.step)
            await tracer.finish()


async def _prove(engine: Engine, rules: StageRules, scope: CancelScope) -> None:
    """Prove what was written; what was proved before `rules.proved_since` is proved again."""
    post, verify = engine.post, engine.post.prepared.job.verify
    workers = post.prepared.job.limits.concurrency if verify.mode is VerifyMode.API else DNS_AT_ONCE
    async with name_servers(verify, post.endpoint) as resolver:
        witnesses = Witnesses(engine.access, resolver, engine.start)
        verifier = Verifier(witnesses, engine.writer, engine.brake, post.allowance, verify)
        verifier.wall, verifier.tell = time.time, rules.tell
        feed = HaltingFeed(VerifyingFeed(engine.reader, rules.proved_since), engine.brake)
        async with bounded(engine.brake, rules.grace_s, scope):
            await Scheduler(feed, engine.brake).run(workers, verifier.step)


async def _check(engine: Engine, rules: StageRules, scope: CancelScope) -> None:
    """Compare what is there with what the job says; DNS is asked past the gate of the API."""
    post, verify, brake = engine.post, engine.post.prepared.job.verify, engine.brake
    entrance = Entrance(engine.worker, verify.timeout_s)
    if verify.mode is VerifyMode.API:
        await _carry(CheckingFeed(engine.reader, entrance.turn), engine, rules, scope)
        return
    async with name_servers(verify, post.endpoint) as resolver:
        witnesses = Witnesses(engine.access, resolver, engine.start)
        checker = Checker(witnesses, engine.writer, brake, post.allowance, verify)
        checker.wall, checker.tell = time.time, rules.tell
        looks = HaltingFeed(CheckingFeed(engine.reader, entrance.look), brake)
        async with bounded(engine.brake, rules.grace_s, scope):
            await Scheduler(looks, brake).run(DNS_AT_ONCE, checker.step)


async def log_out(prepared: Prepared, endpoint: Endpoint, start: int | None, tell: Tell) -> None:
    """Give back the tokens that this run made; what fails here changes nothing about the run."""
    try:
        allowance = await to_thread.run_sync(allowance_of, prepared)
        fleet_of = open_fleet(prepared, endpoint, start, tell, allowance)
        async with fleet_of as fleet, create_task_group() as leaving:
            for engine in fleet.engines:
                leaving.start_soon(engine.access.log_out)
    except (BaseExceptionGroup, StoreError) as raised:
        error = leading_error(raised)
        if not isinstance(error, StoreError):
            raise error from raised

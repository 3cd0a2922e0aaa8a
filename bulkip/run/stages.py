"""The stages of a run: read, apply, prove; each ends in order, whatever stops it."""

import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from math import inf

from anyio import (
    TASK_STATUS_IGNORED,
    CancelScope,
    create_task_group,
    current_time,
    open_signal_receiver,
    sleep,
    to_thread,
)
from anyio.abc import TaskStatus

from bulkip.allowance import Allowance
from bulkip.brake import Brake
from bulkip.checker import Checker, CheckingFeed, Entrance
from bulkip.errors import StoreError, leading_error
from bulkip.events import StageEnded, StageStarted, Stopping
from bulkip.feeds import ApplyingFeed, ReadingFeed, SeekingFeed, TracingFeed, VerifyingFeed
from bulkip.inquiry import Inquiry
from bulkip.looker import Books, Looker
from bulkip.model import ErrorClass
from bulkip.policy import Forward, VerifyMode
from bulkip.run.engine import Endpoint, Engine, Tell, allowance_of, judge_of, open_engine
from bulkip.run.halting import HaltingFeed, storage_stop
from bulkip.run.nameservers import name_servers
from bulkip.run.planning import Prepared
from bulkip.run.signals import STOPPING_SIGNALS, Signals, leave
from bulkip.scheduler import Scheduler
from bulkip.stops import Stop, StopKind
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
    again. `most` bounds how many addresses the applying stage begins. With
    `allow_unread` a write goes on when its value before cannot be read.
    """

    grace_s: float
    tell: Tell
    allowance: Allowance
    signals: Signals | None = None
    proved_since: float = 0.0
    most: float = inf
    allow_unread: bool = False


@dataclass(frozen=True, slots=True)
class StageEnd:
    """Which execution of the run a stage belonged to, and what stopped it, if anything did."""

    start: int | None
    stop: Stop | None


async def run_stage(
    stage: Stage, prepared: Prepared, endpoint: Endpoint, start: int | None, rules: StageRules
) -> StageEnd:
    """Run one stage to its end or its stop; a store that fails is a stop like others."""
    stop: Stop | None = None
    try:
        async with (
            open_engine(
                prepared, endpoint, start, rules.tell, rules.allowance, writes=stage is Stage.APPLYING
            ) as engine,
            create_task_group() as heeding,
        ):
            start = engine.start
            scope = CancelScope()
            if rules.signals is not None:
                await heeding.start(heed_signals, rules.signals, engine.brake, scope)
            if stage is Stage.APPLYING:
                await note_agreed(prepared, engine.writer)
            if stage is Stage.VERIFYING:
                await _prove(prepared, endpoint, engine, rules, scope)
            elif stage is Stage.CHECKING:
                await _check(prepared, endpoint, engine, rules, scope)
            elif stage is Stage.LOOKING_UP:
                await _look_up(prepared, endpoint, engine, rules, scope)
            elif stage is Stage.TRACING:
                await _trace(prepared, endpoint, engine, rules, scope)
            else:
                await work(stage, engine, prepared.job.limits.concurrency, rules, scope)
            stop = engine.brake.stop
            await engine.writer.flush()
            rules.tell(StageEnded(stage, await to_thread.run_sync(engine.reader.counts)))
            heeding.cancel_scope.cancel()
        return StageEnd(start, engine.brake.stop)
    except (BaseExceptionGroup, StoreError) as raised:
        error = leading_error(raised)
        if not isinstance(error, StoreError):
            raise error from raised
        if stop is None or stop.reason != str(error):
            rules.tell(Stopping(str(error)))
        return StageEnd(start, stop or storage_stop(error))


async def note_agreed(prepared: Prepared, writer: RunWriter) -> None:
    """Note that the writes of a run were agreed to, and whether they count only once they are proved."""
    await writer.remember(CONFIRMED, value=True)
    await writer.remember(PROOF_REQUIRED, prepared.job.verify.required)


async def _look_up(
    prepared: Prepared, endpoint: Endpoint, engine: Engine, rules: StageRules, scope: CancelScope
) -> None:
    """Find the servers of the addresses that the plan leaves to be found."""
    workers, outages = prepared.job.limits.concurrency, engine.access.breaker.outages
    pay = partial(rules.allowance.pay, outages=outages)
    with await to_thread.run_sync(Beforehand, prepared.home) as reader:
        rules.tell(StageStarted(Stage.LOOKING_UP, await to_thread.run_sync(reader.lookups_left)))
        inquiry = Inquiry(engine.access, judge_of(endpoint, prepared.job), engine.brake, pay)
        looker = Looker(engine.worker, inquiry, Books(reader, engine.writer))
        feed = HaltingFeed(SeekingFeed(reader, looker.enter), engine.brake)
        async with bounded(engine.brake, rules, scope):
            await looker.prepare(workers)
            await Scheduler(feed, engine.brake).run(workers, engine.worker.step)
            await looker.refuse_rivals()


async def _trace(
    prepared: Prepared, endpoint: Endpoint, engine: Engine, rules: StageRules, scope: CancelScope
) -> None:
    """Resolve the new names of the writes that are ahead; that does not spend the rate of the API."""
    job = prepared.job
    with await to_thread.run_sync(Beforehand, prepared.home) as reader:
        rules.tell(StageStarted(Stage.TRACING, await to_thread.run_sync(reader.leads_left)))
        async with name_servers(job.verify, endpoint) as guides:
            required = job.safety.forward is Forward.REQUIRE
            tracer = Tracer(guides, engine.writer, time.time, required=required)
            tracer.tell = rules.tell
            feed = HaltingFeed(TracingFeed(reader, lambda: tracer.is_over), engine.brake)
            async with bounded(engine.brake, rules, scope):
                await Scheduler(feed, engine.brake).run(DNS_AT_ONCE, tracer.step)
                await tracer.finish()


@asynccontextmanager
async def bounded(brake: Brake, rules: StageRules, scope: CancelScope) -> AsyncIterator[None]:
    """Cut a block short when its grace is over, and stop the run when the time of the run is."""
    with scope:
        async with create_task_group() as group:
            group.start_soon(_end_of_grace, brake, scope, rules.grace_s)
            group.start_soon(_end_of_time, brake, rules.allowance)
            yield
            group.cancel_scope.cancel()


async def _prove(
    prepared: Prepared, endpoint: Endpoint, engine: Engine, rules: StageRules, scope: CancelScope
) -> None:
    """Prove what was written; what was proved before `rules.proved_since` is proved again."""
    verify, since = prepared.job.verify, rules.proved_since
    workers = prepared.job.limits.concurrency if verify.mode is VerifyMode.API else DNS_AT_ONCE
    rules.tell(StageStarted(Stage.VERIFYING, await to_thread.run_sync(engine.reader.proofs_left, since)))
    async with name_servers(verify, endpoint) as resolver:
        witnesses = Witnesses(engine.access, resolver, engine.start)
        verifier = Verifier(witnesses, engine.writer, engine.brake, rules.allowance, verify)
        verifier.wall, verifier.tell = time.time, rules.tell
        feed = HaltingFeed(VerifyingFeed(engine.reader, since), engine.brake)
        async with bounded(engine.brake, rules, scope):
            await Scheduler(feed, engine.brake).run(workers, verifier.step)


async def _check(
    prepared: Prepared, endpoint: Endpoint, engine: Engine, rules: StageRules, scope: CancelScope
) -> None:
    """Compare what is there with what the job says; DNS is asked past the gate of the API."""
    verify, brake = prepared.job.verify, engine.brake
    entrance = Entrance(engine.worker, verify.timeout_s)
    rules.tell(StageStarted(Stage.CHECKING, await to_thread.run_sync(engine.reader.items_left)))
    if verify.mode is VerifyMode.API:
        turns = HaltingFeed(CheckingFeed(engine.reader, entrance.turn), brake)
        async with bounded(engine.brake, rules, scope):
            await Scheduler(turns, brake).run(prepared.job.limits.concurrency, engine.worker.step)
        return
    async with name_servers(verify, endpoint) as resolver:
        witnesses = Witnesses(engine.access, resolver, engine.start)
        checker = Checker(witnesses, engine.writer, brake, rules.allowance, verify)
        checker.wall, checker.tell = time.time, rules.tell
        looks = HaltingFeed(CheckingFeed(engine.reader, entrance.look), brake)
        async with bounded(engine.brake, rules, scope):
            await Scheduler(looks, brake).run(DNS_AT_ONCE, checker.step)


async def work(stage: Stage, engine: Engine, workers: int, rules: StageRules, scope: CancelScope) -> None:
    """Read the values before, or apply, until nothing is left or the brake is pulled."""
    feed: ReadingFeed | ApplyingFeed
    if stage is Stage.READING:
        enter = partial(engine.worker.enter_reading, blind=rules.allow_unread)
        feed, left = ReadingFeed(engine.reader, enter), engine.reader.reads_left
    else:
        worker, left = engine.worker, engine.reader.items_left
        feed = ApplyingFeed(engine.reader, worker.enter, worker.enter_now, rules.most)
    rules.tell(StageStarted(stage, await to_thread.run_sync(left)))
    async with bounded(engine.brake, rules, scope):
        await Scheduler(HaltingFeed(feed, engine.brake), engine.brake).run(workers, engine.worker.step)


async def log_out(prepared: Prepared, endpoint: Endpoint, start: int | None, tell: Tell) -> None:
    """Give back the tokens that this run made; what fails here changes nothing about the run."""
    try:
        allowance = await to_thread.run_sync(allowance_of, prepared)
        async with open_engine(prepared, endpoint, start, tell, allowance) as engine:
            await engine.access.log_out()
    except (BaseExceptionGroup, StoreError) as raised:
        error = leading_error(raised)
        if not isinstance(error, StoreError):
            raise error from raised


async def _end_of_time(brake: Brake, allowance: Allowance) -> None:
    """Stop the run when its time is up (`timeouts.job`); the stages of a start share it."""
    if allowance.time_left_s is None:
        return
    begun = current_time()
    try:
        await sleep(allowance.time_left_s)
    finally:
        allowance.time_left_s = max(0.0, allowance.time_left_s - (current_time() - begun))
    brake.pull(Stop(StopKind.HALT, "the time for this run is up (`timeouts.job`)", ErrorClass.DEADLINE))


async def _end_of_grace(brake: Brake, scope: CancelScope, grace_s: float) -> None:
    """Cancel the calls that are still in flight so long after the stop."""
    await brake.pulled()
    await sleep(grace_s)
    scope.cancel()


async def heed_signals(
    signals: Signals, brake: Brake, scope: CancelScope, *, task_status: TaskStatus[None] = TASK_STATUS_IGNORED
) -> None:
    """Take the first signal as a wish, the second as an order, and leave at the third."""
    steps: list[Callable[[int], None]] = [
        lambda number: brake.pull(signalled(number)),
        lambda _number: scope.cancel(),
        leave,
    ]
    try:
        with open_signal_receiver(*STOPPING_SIGNALS) as received:
            task_status.started()
            if signals.held is not None:  # it came while no stage was there to take it
                steps.pop(0)(signals.held)
            async for number in received:
                (steps.pop(0) if steps else leave)(number)
    finally:
        signals.hold()


def signalled(number: int) -> Stop:
    """Return the stop that a signal causes."""
    name = signal.Signals(number).name
    return Stop(StopKind.SIGNAL, f"{name} received", ErrorClass.CANCELLED, signal=number)

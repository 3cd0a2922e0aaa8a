"""The two stages of a run: read what is there, then apply the plan; each ends in order, whatever stops it."""

import signal
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from anyio import (
    TASK_STATUS_IGNORED,
    CancelScope,
    create_task_group,
    open_signal_receiver,
    sleep,
    to_thread,
)
from anyio.abc import TaskStatus

from bulkip.brake import Brake
from bulkip.errors import StoreError, leading_error
from bulkip.events import StageEnded, StageStarted, Stopping
from bulkip.feeds import ApplyingFeed, ReadingFeed
from bulkip.model import ErrorClass
from bulkip.run.engine import Endpoint, Engine, Tell, open_engine
from bulkip.run.planning import Prepared
from bulkip.run.signals import STOPPING_SIGNALS, Signals, leave
from bulkip.scheduler import Scheduler
from bulkip.stops import Stop, StopKind

CONFIRMED = "confirmed"
"""The fact that a run keeps once its writes were agreed to: whoever resumes it is not asked again."""


class Stage(StrEnum):
    """What a stage does with the items: look at them, or carry them out."""

    READING = "reading"
    APPLYING = "applying"


@dataclass(frozen=True, slots=True)
class StageRules:
    """How stages run: `signals` are given on a command line, and not inside somebody's program."""

    grace_s: float
    tell: Tell
    signals: Signals | None = None


@dataclass(frozen=True, slots=True)
class StageEnd:
    """Which execution of the run a stage belonged to, and what stopped it, if anything did."""

    start: int | None
    stop: Stop | None


async def run_stage(
    stage: Stage, prepared: Prepared, endpoint: Endpoint, start: int | None, rules: StageRules
) -> StageEnd:
    """Run one stage to its end or its stop; a store that fails is a stop like others."""
    try:
        async with (
            open_engine(prepared, endpoint, start, rules.tell) as engine,
            create_task_group() as heeding,
        ):
            start = engine.start
            scope = CancelScope()
            if rules.signals is not None:
                await heeding.start(_heed_signals, rules.signals, engine.brake, scope)
            if stage is Stage.APPLYING:
                await engine.writer.remember(CONFIRMED, value=True)
            await _work(stage, engine, prepared.job.limits.concurrency, rules, scope)
            await engine.writer.flush()
            rules.tell(StageEnded(stage, await to_thread.run_sync(engine.reader.counts)))
            heeding.cancel_scope.cancel()
        return StageEnd(start, engine.brake.stop)
    except (BaseExceptionGroup, StoreError) as raised:
        error = leading_error(raised)
        if not isinstance(error, StoreError):
            raise error from raised
        rules.tell(Stopping(str(error)))
        return StageEnd(start, Stop(StopKind.HALT, str(error), ErrorClass.INTERNAL))


async def _work(stage: Stage, engine: Engine, workers: int, rules: StageRules, scope: CancelScope) -> None:
    feed: ReadingFeed | ApplyingFeed
    if stage is Stage.READING:
        feed, left = ReadingFeed(engine.reader, engine.worker.enter_reading), engine.reader.reads_left
    else:
        feed, left = ApplyingFeed(engine.reader, engine.worker.enter), engine.reader.items_left
    rules.tell(StageStarted(stage, await to_thread.run_sync(left)))
    with scope:
        async with create_task_group() as group:
            group.start_soon(_end_of_grace, engine.brake, scope, rules.grace_s)
            await Scheduler(feed, engine.brake).run(workers, engine.worker.step)
            group.cancel_scope.cancel()


async def log_out(prepared: Prepared, endpoint: Endpoint, start: int | None, tell: Tell) -> None:
    """Give back the tokens that this run made; what fails here changes nothing about the run."""
    try:
        async with open_engine(prepared, endpoint, start, tell) as engine:
            await engine.access.log_out()
    except (BaseExceptionGroup, StoreError) as raised:
        error = leading_error(raised)
        if not isinstance(error, StoreError):
            raise error from raised


async def _end_of_grace(brake: Brake, scope: CancelScope, grace_s: float) -> None:
    """Cancel the calls that are still in flight so long after the stop."""
    await brake.pulled()
    await sleep(grace_s)
    scope.cancel()


async def _heed_signals(
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
            async for number in received:
                (steps.pop(0) if steps else leave)(number)
    finally:
        signals.hold()


def signalled(number: int) -> Stop:
    """Return the stop that a signal causes."""
    name = signal.Signals(number).name
    return Stop(StopKind.SIGNAL, f"{name} received", ErrorClass.CANCELLED, signal=number)

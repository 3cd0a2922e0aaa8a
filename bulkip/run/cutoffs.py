"""What cuts a stage short: a signal, the end of its grace, the time of the run."""

import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from anyio import (
    TASK_STATUS_IGNORED,
    CancelScope,
    create_task_group,
    current_time,
    open_signal_receiver,
    sleep,
)
from anyio.abc import TaskStatus

from bulkip.allowance import Allowance
from bulkip.brake import Brake
from bulkip.model import ErrorClass
from bulkip.run.signals import STOPPING_SIGNALS, Signals, leave
from bulkip.stops import Stop, StopKind


@asynccontextmanager
async def bounded(brake: Brake, grace_s: float, scope: CancelScope) -> AsyncIterator[None]:
    """Cut a block short when its grace is over."""
    with scope:
        async with create_task_group() as group:
            group.start_soon(_end_of_grace, brake, scope, grace_s)
            yield
            group.cancel_scope.cancel()


async def end_of_time(brake: Brake, allowance: Allowance) -> None:
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
    signals: Signals,
    brake: Brake,
    scopes: Sequence[CancelScope],
    *,
    task_status: TaskStatus[None] = TASK_STATUS_IGNORED,
) -> None:
    """Take the first signal as a wish, the second as an order, and leave at the third."""

    def cut_off(_number: int) -> None:
        for scope in scopes:
            scope.cancel()

    steps: list[Callable[[int], None]] = [
        lambda number: brake.pull(signalled(number)),
        cut_off,
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

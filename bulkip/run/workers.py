"""One worker of a cluster as a process: its life, its signals, and the code it ends with."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import anyio
from anyio import create_task_group, open_signal_receiver
from anyio.abc import TaskStatus

from bulkip.cluster.queue import open_queue
from bulkip.errors import StoreError
from bulkip.exitcode import SIGNAL_BASE
from bulkip.run.cutoffs import signalled
from bulkip.run.hands import Hands
from bulkip.run.options import HandsOptions
from bulkip.run.signals import STOPPING_SIGNALS, Signals, leave

AGAIN_S = 1.0
"""So long a worker waits before it asks again for a queue that could not be opened."""


@dataclass(frozen=True, slots=True)
class Worked:
    """What a worker came to: the shards that it did, and the signal that ended it, if one did."""

    shards: int
    signal: int | None = None

    @property
    def exit_code(self) -> int:
        """The code that its process ends with."""
        return 0 if self.signal is None else SIGNAL_BASE + self.signal


def run_worker(url: str, options: HandsOptions, say: Callable[[str], None]) -> Worked:
    """Work for a cluster until a signal comes, or until nothing is left when that is what is wanted.

    The first signal gives back what is not done, and lets calls in flight end;
    the second leaves at once, which costs nothing but the wait for the lease.
    """
    Signals().hold()
    return anyio.run(partial(_live, url, options, say), backend_options={"use_uvloop": True})


async def _live(url: str, options: HandsOptions, say: Callable[[str], None]) -> Worked:
    hands, stopped = Hands(url, options, say), list[int]()
    async with create_task_group() as group:
        await group.start(_heed, hands, stopped)
        while not stopped:
            try:
                async with open_queue(url) as queue:
                    await hands.work(queue)
                break
            except StoreError as error:
                say(f"{error}; waiting for it")
                await anyio.sleep(AGAIN_S)
        group.cancel_scope.cancel()
    return Worked(hands.done, stopped[0] if stopped else None)


async def _heed(hands: Hands, stopped: list[int], *, task_status: TaskStatus[None]) -> None:
    """Take the first signal as a wish; leave at the second."""
    with open_signal_receiver(*STOPPING_SIGNALS) as received:
        task_status.started()
        async for number in received:
            if stopped:
                leave(number)
            stopped.append(number)
            hands.stop(signalled(number))

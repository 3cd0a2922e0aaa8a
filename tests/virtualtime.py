"""An event loop whose clock jumps over waits, so that a test of an hour's pauses takes a moment.

The clock stands still while code runs. When nothing is ready and a timer is
due later, the loop sets its clock forward to that timer instead of waiting.
It may do so only when nothing can still come from outside the clock:

- no thread works for this loop (`to_thread`, `run_in_executor`): a store that
  takes 30 ms to reach the disk must not fire every time-out meanwhile;
- no socket became readable or writable within a short real wait: client and
  server live in this loop, so what one has sent is on its way to the other.

So servers in other threads or processes have no place in such a test. Mark a
test with `virtual_time` to run it so; `Simulator(clock=anyio.current_time)`
stamps its log with the same clock.
"""

import asyncio
import selectors
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any, TypeVarTuple, Unpack

from anyio import to_thread

Ts = TypeVarTuple("Ts")

BEGINNING_S = 1000.0
"""Where the clock begins: small, so that sums of times stay exact to the nanosecond."""
TURN_S = 1e-6
"""What a turn of the loop takes; a clock that never moves makes rounded timers come round for ever."""
ARRIVAL_S = 0.001
"""The real wait for what is on its way between two sockets of this machine."""
THREAD_S = 1.0
"""The real wait for a thread, at most, before the loop looks again; its result ends it at once."""
OWN_PIPE = 1


class JumpingSelector(selectors.DefaultSelector):
    """Waits for sockets and threads in real time, and for timers not at all."""

    def __init__(self, elapse: Callable[[float], None], threads: Callable[[], int]) -> None:
        """Let time elapse through one callable, and ask the other how many threads are at work."""
        super().__init__()
        self._elapse = elapse
        self._threads = threads

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """Return what is ready; else set the clock forward, if nothing can still come."""
        self._elapse(TURN_S)
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        busy = self._threads() > 0
        if ready := super().select(THREAD_S if busy else self._arrival_s()):
            return ready
        if not busy:
            self._elapse(timeout)
        return []

    def _arrival_s(self) -> float:
        return ARRIVAL_S if len(self.get_map()) > OWN_PIPE else 0


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop on a clock of its own."""

    def __init__(self) -> None:
        """Begin at a fixed time."""
        self._now = BEGINNING_S
        self._executing = 0
        super().__init__(JumpingSelector(self.elapse, self._threads_at_work))

    def time(self) -> float:
        """Return the virtual time in seconds."""
        return self._now

    def elapse(self, seconds: float) -> None:
        """Set the clock forward: in a test, what a loop that stalled does."""
        self._now += seconds

    def run_in_executor(
        self, executor: Executor | None, func: Callable[[Unpack[Ts]], Any], *args: *Ts
    ) -> asyncio.Future[Any]:
        """Hand a call to a thread and count it until it is done."""
        future = super().run_in_executor(executor, func, *args)
        self._executing += 1
        future.add_done_callback(self._executed)
        return future

    def _executed(self, _future: asyncio.Future[Any]) -> None:
        self._executing -= 1

    def _threads_at_work(self) -> int:
        return self._executing + to_thread.current_default_thread_limiter().borrowed_tokens


ON_VIRTUAL_TIME = ("asyncio", {"loop_factory": VirtualLoop})
"""What an `anyio_backend` fixture returns, and in part what `anyio.run` takes, to run on this loop."""


def stall(seconds: float) -> None:
    """Make the running loop lose so much time at once, as a machine that was suspended does."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    loop.elapse(seconds)

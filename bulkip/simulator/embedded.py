"""How a simulator runs beside a client in one process without disturbing its loop."""

import time
from collections.abc import Iterable
from contextlib import ExitStack
from types import TracebackType

from anyio.from_thread import start_blocking_portal

from bulkip.simulator.seeds import Seed, Subnet
from bulkip.simulator.server import Simulator
from bulkip.simulator.settings import SimulatorSettings


class EmbeddedSimulator:
    """Owns a thread with a simulator on an event loop of its own; entering gives the simulator."""

    def __init__(
        self, seeds: Iterable[Seed | Subnet] = (), settings: SimulatorSettings | None = None
    ) -> None:
        self._seeds = seeds
        self._settings = settings
        self._open = ExitStack()

    def __enter__(self) -> Simulator:
        with ExitStack() as stack:
            # The seeds are read in the caller's thread: they may come from a database of his.
            simulator = Simulator(self._seeds, self._settings, time.monotonic)
            stack.callback(simulator.close)
            portal = stack.enter_context(start_blocking_portal("asyncio", {"use_uvloop": True}))
            stack.enter_context(portal.wrap_async_context_manager(simulator))
            self._open = stack.pop_all()
        return simulator

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._open.__exit__(None, None, None)

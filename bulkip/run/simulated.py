"""How a run reaches a simulator that knows its plan, instead of the API."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

from bulkip.policy import Forward
from bulkip.purse import Purse
from bulkip.run.engine import Endpoint
from bulkip.run.planning import Prepared
from bulkip.run.rehearsal import seeds_of
from bulkip.simulator import DnsSettings, EmbeddedSimulator, Fault, SimulatorSettings, read_faults
from bulkip.store import RunReader


def simulator_for(faults: Path | None) -> Callable[[Prepared], AbstractContextManager[Endpoint]]:
    """Return what opens a simulator for a plan; raises UsageError when the fault file is missing or wrong."""
    return partial(_simulated, faults=read_faults(faults) if faults else ())


@contextmanager
def _simulated(prepared: Prepared, faults: tuple[Fault, ...]) -> Iterator[Endpoint]:
    with RunReader(prepared.home) as reader:
        job = prepared.job
        asks = job.verify.asks_dns or job.safety.forward is Forward.REQUIRE
        dns = DnsSettings() if asks else None
        settings = SimulatorSettings(faults=faults, dns=dns)
        with EmbeddedSimulator(seeds_of(reader.items_known()), settings) as running:
            yield Endpoint(running.url, Purse(time.time, token=running.token), dns=running.dns)

"""How a run reaches a simulator that knows its plan, instead of the API."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
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
        with ExitStack() as stack:
            endpoints = []
            for name in [one.name for one in job.accounts] or [""]:
                items = (pair for pair in reader.items_known() if pair[0].account == name)
                running = stack.enter_context(EmbeddedSimulator(seeds_of(items), settings))
                purse = Purse(time.time, token=running.token)
                endpoints.append(Endpoint(running.url, purse, dns=running.dns, account=name))
            yield _whole(endpoints) if job.accounts else endpoints[0]


def _whole(endpoints: Sequence[Endpoint]) -> Endpoint:
    """Return the endpoint of a run with several accounts."""
    url = ", ".join(one.url for one in endpoints)
    return Endpoint(url, Purse(time.time), dns=endpoints[0].dns, accounts=tuple(endpoints))

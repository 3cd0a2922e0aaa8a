"""Where the calls of a run go: the real API, or a simulator that knows the plan."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass

from bulkip.errors import UsageError
from bulkip.purse import Purse
from bulkip.run.asking import free_ips
from bulkip.run.engine import Endpoint
from bulkip.run.freeips import rehearsed_free_ips
from bulkip.run.options import RunOptions
from bulkip.run.planning import AskFreeIps, Prepared, overridden
from bulkip.run.rehearsal import seeds_of
from bulkip.run.secret import purse_secrets
from bulkip.settings import Job
from bulkip.simulator import EmbeddedSimulator, Fault, SimulatorSettings, read_faults
from bulkip.store import RunReader

OpenEndpoint = Callable[[Prepared], AbstractContextManager[Endpoint]]


@dataclass(frozen=True, slots=True)
class Reach:
    """How a run gets to its API: for its calls, and for what only the API knows while a plan is made."""

    open: OpenEndpoint
    ask_free_ips: AskFreeIps


def reach_of(job: Job, options: RunOptions, warn: Callable[[str], None]) -> Reach:
    """Return how to reach the API; raises UsageError when a secret or a fault file is missing or wrong."""
    if options.simulate:
        faults = read_faults(options.faults) if options.faults else ()
        return Reach(lambda prepared: _simulated(prepared, faults), rehearsed_free_ips)
    if options.faults:
        raise UsageError(f"--faults {options.faults}: the real API takes no faults; add --simulate")
    token, key = purse_secrets(job.api, os.environ, warn)
    endpoint = Endpoint(job.api.url, Purse(time.time, token=token, key=key))
    asked = overridden(job, options.overrides)
    return Reach(lambda _prepared: nullcontext(endpoint), lambda source: free_ips(asked, endpoint, source))


@contextmanager
def _simulated(prepared: Prepared, faults: tuple[Fault, ...]) -> Iterator[Endpoint]:
    with RunReader(prepared.run_dir) as reader:
        simulator = EmbeddedSimulator(seeds_of(reader.items_known()), SimulatorSettings(faults=faults))
        with simulator as running:
            yield Endpoint(running.url, Purse(time.time, token=running.token))

"""Where the calls of a run go: the real API, or a simulator that knows the plan."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from bulkip.errors import UsageError
from bulkip.purse import Purse
from bulkip.run.engine import Endpoint
from bulkip.run.options import RunOptions
from bulkip.run.planning import Prepared
from bulkip.run.rehearsal import seeds_of
from bulkip.run.secret import purse_secrets
from bulkip.settings import Job
from bulkip.simulator import EmbeddedSimulator, Fault, SimulatorSettings, read_faults
from bulkip.store import RunReader

OpenEndpoint = Callable[[Prepared], AbstractContextManager[Endpoint]]


def endpoint_of(job: Job, options: RunOptions, warn: Callable[[str], None]) -> OpenEndpoint:
    """Return how to reach the API; raises UsageError when a secret or a fault file is missing or wrong."""
    if options.simulate:
        faults = read_faults(options.faults) if options.faults else ()
        return lambda prepared: _simulated(prepared, faults)
    if options.faults:
        raise UsageError(f"--faults {options.faults}: the real API takes no faults; add --simulate")
    token, key = purse_secrets(job.api, os.environ, warn)
    return lambda prepared: _real(prepared, Purse(time.time, token=token, key=key))


@contextmanager
def _real(prepared: Prepared, purse: Purse) -> Iterator[Endpoint]:
    yield Endpoint(prepared.job.api.url, purse)


@contextmanager
def _simulated(prepared: Prepared, faults: tuple[Fault, ...]) -> Iterator[Endpoint]:
    with RunReader(prepared.run_dir) as reader:
        simulator = EmbeddedSimulator(seeds_of(reader.items()), SimulatorSettings(faults=faults))
        with simulator as running:
            yield Endpoint(running.url, Purse(time.time, token=running.token))

"""What an operator asks of a cluster as a whole: what is in it, who works, and that a run be stopped."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import anyio

from bulkip.cluster.queue import open_queue
from bulkip.cluster.runs import (
    KeptRun,
    drop,
    found_run,
    holders,
    keep,
    kept_runs,
    live_workers,
    remote_run,
    rest,
)
from bulkip.errors import StoreError, UsageError
from bulkip.model import Counts, ErrorClass
from bulkip.orders import HALTED, stop_told
from bulkip.stops import Stop, StopKind
from bulkip.store import RunReader

SHOWN = 10
"""So many runs are counted; that takes a moment each."""
CANCELLED = Stop(StopKind.HALT, "cancelled with `bulkip cluster cancel`", ErrorClass.CANCELLED)


@dataclass(frozen=True, slots=True)
class RunStanding:
    """A run, its items by status, and who is at its shards."""

    run: KeptRun
    counts: Counts
    holders: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ClusterStanding:
    """The newest runs and the number of all, how many workers live, and what waits and is done by queue."""

    runs: tuple[RunStanding, ...]
    kept: int
    workers: int
    queues: Mapping[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class ClusterDesk:
    """Answers what is asked of the cluster at a URL; raises StoreError when that does not answer."""

    url: str = field(repr=False)

    def standing(self) -> ClusterStanding:
        """Return how the cluster stands."""
        kept = kept_runs(self.url)
        runs = tuple(RunStanding(run, self._counts(run), holders(self.url, run.id)) for run in kept[:SHOWN])
        return ClusterStanding(runs, len(kept), live_workers(self.url), anyio.run(self._queues))

    def cancel(self, name: str) -> tuple[str, int]:
        """Stop a run for everybody, and return its id and how many workers are at it; raises UsageError.

        Calls in flight get their grace. What was not done can be resumed.
        """
        run = found_run(self.url, name).name
        at_it = holders(self.url, run)
        keep(self.url, run, HALTED, json.dumps(stop_told(CANCELLED)))
        rest(self.url, run)
        return run, len(at_it)

    def remove(self, name: str) -> str:
        """Remove a run and return its id; raises UsageError while somebody is at it."""
        run = found_run(self.url, name).name
        if at_it := holders(self.url, run):
            raise UsageError(f"{run}: {at_it[0]} is at it; `bulkip cluster cancel {run}` stops it first")
        drop(self.url, run)
        return run

    async def _queues(self) -> Mapping[str, tuple[int, int]]:
        async with open_queue(self.url) as queue:
            return await queue.waiting()

    def _counts(self, run: KeptRun) -> Counts:
        try:
            with RunReader(remote_run(self.url, run.id)) as reader:
                return reader.counts()
        except StoreError:
            return Counts()

"""What an operator asks of a cluster as a whole: what is in it, who works, and that a run be stopped."""

from collections.abc import Mapping
from dataclasses import dataclass

import anyio

from bulkip.cluster.queue import open_queue
from bulkip.cluster.runs import (
    KeptRun,
    drop,
    found_run,
    halt,
    holders,
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


def standing(url: str) -> ClusterStanding:
    """Return how a cluster stands; raises StoreError."""
    kept = kept_runs(url)
    runs = tuple(RunStanding(run, _counts(url, run), holders(url, run.id)) for run in kept[:SHOWN])
    return ClusterStanding(runs, len(kept), live_workers(url), anyio.run(_queues, url))


def cancel(url: str, name: str) -> tuple[str, int]:
    """Stop a run for everybody, and return its id and how many workers are at it; raises UsageError.

    Calls in flight get their grace. What was not done can be resumed.
    """
    run = found_run(url, name).name
    at_it = holders(url, run)
    halt(url, run, HALTED, stop_told(CANCELLED))
    rest(url, run)
    return run, len(at_it)


def remove(url: str, name: str) -> str:
    """Remove a run and return its id; raises UsageError while somebody is at it."""
    run = found_run(url, name).name
    if at_it := holders(url, run):
        raise UsageError(f"{run}: {at_it[0]} is at it; `bulkip cluster cancel {run}` stops it first")
    drop(url, run)
    return run


async def _queues(url: str) -> Mapping[str, tuple[int, int]]:
    async with open_queue(url) as queue:
        return await queue.waiting()


def _counts(url: str, run: KeptRun) -> Counts:
    try:
        with RunReader(remote_run(url, run.id)) as reader:
            return reader.counts()
    except StoreError:
        return Counts()

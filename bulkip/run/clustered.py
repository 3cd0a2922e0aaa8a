"""A run whose store and work are shared: how a plan gets into a cluster, and who may coordinate it."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from threading import Event

from bulkip.cluster.claims import claim
from bulkip.cluster.runs import (
    drop,
    fence,
    found_run,
    kept_runs,
    remote_run,
    rest,
    runs_under_way,
    upload,
)
from bulkip.errors import Locked, StoreError, UsageError
from bulkip.queues import AccountQueue, queues_told
from bulkip.run.clusterextra import OPTION
from bulkip.run.crew import Crew
from bulkip.run.endpoints import endpoint_of_job
from bulkip.run.locking import Locks
from bulkip.run.options import RunOptions
from bulkip.run.planning import Prepared, RunPlace
from bulkip.run.rolling import Dispatch
from bulkip.run.shortlived import short_lived
from bulkip.settings import Job
from bulkip.store import Home, RemoteRun
from bulkip.store.harvest import plan_digest

POLL_S = 0.2
Say = Callable[[str], None]


@dataclass(slots=True)
class Cluster:
    """A database that keeps runs and their work, and what this process does there.

    `place` is where a plan is made before it is brought over; nothing of it
    stays. `brought` are the runs that this process has to do with. Once it is
    `stopping`, nobody waits long for a database that went away.
    """

    url: str = field(repr=False)
    queues: tuple[AccountQueue, ...]
    say: Say
    works: bool
    place: RunPlace | None = None
    stopping: Event = field(default_factory=Event)
    brought: list[str] = field(default_factory=list)

    def bring(self, prepared: Prepared) -> Prepared:
        """Bring a frozen plan into the cluster."""
        self._stop_older(prepared)
        upload(self.url, prepared.run_dir, prepared.header, queues_told(self.queues))
        self.brought.append(prepared.header.id)
        return replace(prepared, remote=self.home(prepared.header.id))

    def _stop_older(self, prepared: Prepared) -> None:
        """Stop the workers of another version of the same job, whose coordinator is gone."""
        for run in runs_under_way(self.url):
            if run.job == prepared.header.job_name:
                fence(self.url, run.id)
                rest(self.url, run.id)
                self.say(f"run {run.id} of an older version of this job is left; its workers are stopped")

    def home(self, run_id: str) -> RemoteRun:
        """Return where a run is, for those who stop waiting for it when this run is to stop."""
        return remote_run(self.url, run_id, self.stopping.is_set)

    def unfinished(self, prepared: Prepared, is_unfinished: Callable[[Home], bool]) -> RemoteRun | None:
        """Return the newest run of the very same plan, if it has not come to its end."""
        header, plan = prepared.header, plan_digest(prepared.run_dir)
        for run in kept_runs(self.url):
            if (run.job, run.digest, run.plan) == (header.job_name, header.job_digest, plan):
                found = self.home(run.id)
                return found if is_unfinished(found) else None
        return None

    def take_up(self, run: RemoteRun) -> None:
        """Take a run over: whoever is still at its shards has lost them."""
        fence(self.url, run.name)
        self.brought.append(run.name)

    @property
    def dispatch(self) -> Dispatch:
        """Who carries out the stages of a run: all workers, and this process unless it should not."""
        return Crew(self.url, self.queues, self.say, self.stopping, works=self.works).run_stage

    def drop(self, prepared: Prepared) -> None:
        """Remove a run that was only to be looked at."""
        if prepared.remote is not None:
            drop(self.url, prepared.remote.name)

    def rest(self) -> None:
        """Let workers know that they need not look at these runs any more; who cannot be told finds out."""
        for run in self.brought:
            with suppress(StoreError):
                rest(self.url, run)


def remote_resumable(url: str, run: str, has_work: Callable[[Home], bool]) -> RemoteRun:
    """Return where a run of a cluster is that can go on; `last` is the newest of these. Raises UsageError."""
    if run != "last":
        return found_run(url, run)
    for kept in kept_runs(url):
        if has_work(found := remote_run(url, kept.id)):
            return found
    raise UsageError("no run in this cluster has anything left to do; `bulkip cluster status` lists them")


@contextmanager
def new_in_cluster(options: RunOptions, job: Job, locks: Locks, say: Say) -> Iterator[Cluster]:
    """Give the cluster for a new run, which is planned in a folder of its own.

    Raises Locked when another coordinator is at the same job.
    """
    with _coordinating(job, options, say) as cluster, short_lived(options.run_dir, locks) as place:
        cluster.place = place
        yield cluster


@contextmanager
def again_in_cluster(home: RemoteRun, job: Job, options: RunOptions, say: Say) -> Iterator[Cluster]:
    """Give the cluster for another start of a run; whoever is still at its shards has lost them.

    Raises Locked when another coordinator is at the same job.
    """
    with _coordinating(job, options, say) as cluster:
        cluster.take_up(home)
        yield cluster


@contextmanager
def _coordinating(job: Job, options: RunOptions, say: Say) -> Iterator[Cluster]:
    """Let nobody else coordinate the runs of a job in a cluster; raises Locked."""
    cluster = _cluster(options.cluster or "", job, options, say)
    with _claimed(cluster.url, job, options):
        try:
            yield cluster
        finally:
            cluster.rest()


def _cluster(url: str, job: Job, options: RunOptions, say: Say) -> Cluster:
    _, accounts = endpoint_of_job(job, os.environ, _ignore, None)
    queues = tuple(
        AccountQueue(one.name or job.name, one.lock_name, own.api, one.name, place if one.name else None)
        for place, (one, own) in enumerate(zip(accounts, job.each(), strict=True), start=1)
    )
    return Cluster(url, queues, say, options.works)


@contextmanager
def _claimed(url: str, job: Job, options: RunOptions) -> Iterator[None]:
    """Wait until nobody else coordinates the runs of a job, as long as the caller wants; raises Locked."""
    until = time.monotonic() + options.lock_timeout_s
    with claim(url, job.name) as is_ours:
        while not is_ours():
            if time.monotonic() >= until:
                text = f"{OPTION}: another coordinator is at the job {job.name}"
                raise Locked(f"{text}; wait for it with `--lock-timeout 5m`, or end that one")
            time.sleep(POLL_S)
        yield


def _ignore(_text: str) -> None:
    """Say nothing; what is wrong with a secret was told when the API was reached for."""

"""The queue of shards: procrastinate's tables, asked through its own job manager."""

import logging
from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import psycopg
from anyio import CancelScope
from procrastinate import PsycopgConnector
from procrastinate.exceptions import (
    AlreadyEnqueued,
    ConnectorException,
    ProcrastinateException,
    UniqueViolation,
)
from procrastinate.jobs import Job, Status
from procrastinate.manager import JobManager
from psycopg_pool import PoolClosed, PoolTimeout

from bulkip.cluster.runs import LEASE_S
from bulkip.cluster.server import place_of, reason_of, settings_of
from bulkip.errors import StoreError

TASK: Final = "bulkip.shard"
AT_ONCE: Final = 500
REAPING: Final = 0x62756C6C
"""The advisory lock of whoever looks for dead workers."""
COUNT: Final = "ANALYZE (SKIP_LOCKED) procrastinate_jobs"
"""Until the server knows how many wait, it sorts all of them to find the next: 15 ms of 20,000."""
KNOWN: Final = "SELECT 1 FROM procrastinate_workers WHERE id = %s"
POOL: Final = (1, 4)

logging.getLogger("procrastinate").setLevel(logging.CRITICAL)  # what matters is told by errors of ours
logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)


@dataclass(frozen=True, slots=True)
class Ticket:
    """One shard of a run that this worker was given; `job` is procrastinate's own."""

    run: str
    shard: int
    queue: str
    job: Job


class ShardQueue:
    """Owns a few connections to the queue; made by `open_queue`."""

    def __init__(self, connector: PsycopgConnector, place: str) -> None:
        """Go through this connector, which is open."""
        self._connector = connector
        self._jobs = JobManager(connector)
        self._place = place
        self._worker: int | None = None

    async def defer(self, queue: str, run: str, shards: Sequence[int]) -> None:
        """Put shards into a queue; what waits there already is not put there twice. Raises StoreError."""
        jobs = [_job(queue, run, shard) for shard in shards]
        for begin in range(0, len(jobs), AT_ONCE):
            some = jobs[begin : begin + AT_ONCE]
            with self._errors():
                try:
                    await self._jobs.batch_defer_jobs_async(jobs=some)
                except AlreadyEnqueued:
                    await self._defer_singly(some)
        if len(jobs) > AT_ONCE:
            with self._errors():
                await self._connector.execute_query_async(COUNT)

    async def _defer_singly(self, jobs: Sequence[Job]) -> None:
        for job in jobs:
            with suppress(AlreadyEnqueued):
                await self._jobs.defer_job_async(job)

    async def register(self) -> None:
        """Let this worker be known, so that others notice when it dies; raises StoreError."""
        with self._errors():
            self._worker = await self._jobs.register_worker()

    async def unregister(self) -> None:
        """Be known no more; raises StoreError."""
        if self._worker is not None:
            with self._errors():
                await self._jobs.unregister_worker(self._worker)

    async def beat(self) -> None:
        """Tell that this worker is alive; one that was taken for dead is known anew. Raises StoreError."""
        if self._worker is not None:
            with self._errors():
                await self._jobs.update_heartbeat(self._worker)
                async with self._connector.pool.connection() as connection:
                    found = await (await connection.execute(KNOWN, (self._worker,))).fetchone()
            if found is None:
                await self.register()

    async def take(self, queues: Collection[str]) -> Ticket | None:
        """Take the next shard out of some queues; None when there is none now. Raises StoreError."""
        if self._worker is None or not queues:
            return None
        with self._errors():
            try:
                job = await self._jobs.fetch_job(queues=sorted(queues), worker_id=self._worker)
            except ConnectorException as error:
                if not isinstance(error.__cause__, psycopg.errors.ForeignKeyViolation):
                    raise
                job = None  # this worker was taken for dead
                await self.register()
        if job is None:
            return None
        return Ticket(str(job.task_kwargs.get("run")), int(str(job.task_kwargs.get("shard"))), job.queue, job)

    async def acknowledge(self, ticket: Ticket) -> None:
        """Take a shard that is done out of the queue, unless it was given to another worker meanwhile."""
        with self._errors():
            if await self._is_ours(ticket):
                await self._jobs.finish_job(ticket.job, status=Status.SUCCEEDED, delete_job=True)

    async def give_back(self, ticket: Ticket, after_s: float = 0.0) -> None:
        """Let others have a shard, after so many seconds; raises StoreError."""
        with self._errors():
            if await self._is_ours(ticket):
                await self._again(ticket.job, after_s)

    async def _is_ours(self, ticket: Ticket) -> bool:
        found = await self._jobs.list_jobs_async(id=ticket.job.id)
        return any(job.worker_id == self._worker and job.status == Status.DOING.value for job in found)

    async def reap(self) -> int:
        """Give back what dead workers were doing, one looker at a time, and return how much that was."""
        with self._errors():
            async with self._connector.pool.connection() as connection:
                if not await _locked(connection):
                    return 0
                try:
                    found = await self._jobs.get_stalled_jobs(task_name=TASK, seconds_since_heartbeat=LEASE_S)
                    stalled = [job for job in found if await self._again(job)]
                    await self._jobs.prune_stalled_workers(LEASE_S)
                finally:
                    await connection.execute("SELECT pg_advisory_unlock(%s)", (REAPING,))
        return len(stalled)

    async def _again(self, job: Job, after_s: float = 0.0) -> bool:
        """Let a shard be taken again, unless it waits already."""
        try:
            await self._jobs.retry_job(job, retry_at=datetime.now(UTC) + timedelta(seconds=after_s))
        except UniqueViolation:
            await self._jobs.finish_job(job, status=Status.ABORTED, delete_job=True)
            return False
        return True

    async def missing(self, queue: str, run: str, shards: Collection[int]) -> list[int]:
        """Return which of some shards of a run do not wait in a queue; raises StoreError."""
        with self._errors():
            found = await self._jobs.list_jobs_async(queue=queue, task=TASK, status=Status.TODO.value)
        waiting = {job.task_kwargs.get("shard") for job in found if job.task_kwargs.get("run") == run}
        return [shard for shard in shards if shard not in waiting]

    async def waiting(self) -> dict[str, tuple[int, int]]:
        """Return how many shards wait in each queue, and how many are being done."""
        with self._errors():
            found = await self._jobs.list_queues_async(task=TASK)
        return {row["name"]: (int(row["todo"]), int(row["doing"])) for row in found}

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (ProcrastinateException, psycopg.Error, PoolTimeout, PoolClosed) as error:
            cause = error if isinstance(error, psycopg.Error) else error.__cause__
            reason = (
                reason_of(cause) if isinstance(cause, psycopg.Error) else str(error) or type(error).__name__
            )
            raise StoreError(f"{self._place}: {reason}") from error


@asynccontextmanager
async def open_queue(url: str) -> AsyncIterator[ShardQueue]:
    """Open the queue of a cluster; it is there when `ensure` was content. Raises StoreError."""
    least, most = POOL
    connector = PsycopgConnector(
        conninfo=settings_of(url),
        min_size=least,
        max_size=most,
        timeout=5.0,
        configure=_configure,
    )
    try:
        await connector.open_async()
    except (ProcrastinateException, PoolTimeout) as error:
        raise StoreError(f"{place_of(url)}: the queue cannot be reached: {error}") from error
    try:
        yield ShardQueue(connector, place_of(url))
    finally:
        with CancelScope(shield=True):
            await connector.close_async()


async def _configure(connection: psycopg.AsyncConnection[Any]) -> None:
    await connection.set_autocommit(True)
    await connection.execute("SET search_path TO bulkip")


async def _locked(connection: psycopg.AsyncConnection[Any]) -> bool:
    cursor = await connection.execute("SELECT pg_try_advisory_lock(%s)", (REAPING,))
    row = await cursor.fetchone()
    return bool(row and row[0])


def _job(queue: str, run: str, shard: int) -> Job:
    return Job(
        id=None,
        queue=queue,
        lock=None,
        queueing_lock=f"{run}/{shard}",
        task_name=TASK,
        task_kwargs={"run": run, "shard": shard},
    )

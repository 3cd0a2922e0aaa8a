"""How the parts of the engine are put together for one stage of a run."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import SystemRandom

from anyio import create_task_group, to_thread

from bulkip.access import Access
from bulkip.actions import ACTIONS
from bulkip.brake import Brake
from bulkip.classify import classify
from bulkip.client import Client, Judge
from bulkip.events import Event, Stopping
from bulkip.gate import Gate
from bulkip.limiter import Pacer
from bulkip.logins import LOGIN_ACTIONS
from bulkip.model import ApiRequest, Reply, Verdict
from bulkip.purse import Purse
from bulkip.run.planning import Prepared
from bulkip.settings import Job
from bulkip.store import RunReader, RunWriter, open_writer
from bulkip.transport import Transport
from bulkip.worker import Worker, WorkRules

Tell = Callable[[Event], None]


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the calls go, and with which tokens; those show nowhere.

    `sent` keeps when calls went out that stand in no run store, in Unix seconds.
    """

    url: str
    purse: Purse
    sent: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Engine:
    """The parts of a stage that its rooms need; `start` numbers this execution of the run."""

    worker: Worker
    access: Access
    writer: RunWriter
    reader: RunReader
    brake: Brake
    start: int


@asynccontextmanager
async def open_engine(
    prepared: Prepared, endpoint: Endpoint, start: int | None, tell: Tell
) -> AsyncIterator[Engine]:
    """Open store and connection, and pace the calls until the block ends.

    `start` continues an execution of the run; None begins one.
    """
    brake = Brake(lambda stop: tell(Stopping(stop.reason)))
    async with open_writer(prepared.run_dir) as writer:
        number = await writer.begin_start(time.time()) if start is None else start
        with await to_thread.run_sync(RunReader, prepared.run_dir) as reader:
            async with transport_to(endpoint, prepared.job) as wire, create_task_group() as pacing:
                pacer = await _pacer(prepared, endpoint, reader)
                pacing.start_soon(pacer.run)
                gate = Gate(pacer, prepared.job.limits, tell)
                client = Client(wire, gate, writer, brake, judge_of(endpoint, prepared.job))
                probes = await to_thread.run_sync(reader.last_number, 0)
                access = Access(client, endpoint.purse, brake, number, probes + 1)
                worker = Worker(access, writer, brake, _rules(prepared, number))
                worker.tell = tell
                yield Engine(worker, access, writer, reader, brake, number)
                pacing.cancel_scope.cancel()


def transport_to(endpoint: Endpoint, job: Job) -> Transport:
    """Return the wire to an endpoint, as a job wants it."""
    return Transport(
        endpoint.url,
        token=lambda: endpoint.purse.token,
        timeouts=job.timeouts,
        connections=job.limits.concurrency,
    )


async def _pacer(prepared: Prepared, endpoint: Endpoint, reader: RunReader) -> Pacer:
    """Return a pacer that knows what this run sent within its longest window.

    A call without an end was under way when the run was killed: it was sent
    nobody knows when, so it counts as sent just now.
    """
    limits = prepared.job.limits
    longest_s = max(rate.period_s for rate in limits.rate) * 2
    now = time.time()
    sent = await to_thread.run_sync(reader.sent_since, now - longest_s)
    cut_off = await to_thread.run_sync(reader.in_flight)
    ages = [max(0.0, now - at) for at in (*sent, *endpoint.sent)]
    return Pacer(limits.rate, limits.headroom, [*ages, *[0.0] * cut_off])


def judge_of(endpoint: Endpoint, job: Job) -> Judge:
    """Return what a client needs to understand the replies of an endpoint."""
    purse, actions = endpoint.purse, {**ACTIONS, **LOGIN_ACTIONS}

    def verdict(request: ApiRequest, reply: Reply, now: float) -> Verdict:
        return classify(request, actions[request.action], reply, redactor=purse.redactor, now=now)

    return Judge(verdict, job.limits, job.retry, SystemRandom(), time.time)


def _rules(prepared: Prepared, start: int) -> WorkRules:
    job = prepared.job
    return WorkRules(
        retry=job.retry,
        settle_s=job.verify.settle_s,
        read_again_after_s=job.safety.read_again_after_s,
        start=start,
        rng=SystemRandom(),
        wall=time.time,
    )

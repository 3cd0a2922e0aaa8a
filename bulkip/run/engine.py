"""How the parts of the engine are put together for one stage of a run."""

import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from random import SystemRandom
from types import MappingProxyType

from anyio import create_task_group, to_thread

from bulkip import followups
from bulkip.access import Access
from bulkip.actions import ACTIONS, eq_list, eq_show
from bulkip.actions.action import Action
from bulkip.allowance import Allowance
from bulkip.brake import Brake
from bulkip.ceiling import Ceiling
from bulkip.classify import classify
from bulkip.client import READABLE, Client, Judge
from bulkip.events import Event, Stopping
from bulkip.gate import Gate
from bulkip.logins import LOGIN_ACTIONS
from bulkip.outage import Breaker
from bulkip.purse import Purse
from bulkip.run.halting import storage_stop
from bulkip.run.pacing import SharedRate, pacer_of
from bulkip.run.planning import Prepared
from bulkip.run.seams import remembered_s
from bulkip.settings import Job
from bulkip.store import RunWriter, WorkLeft, open_writer
from bulkip.store.recount import ALLOWED_IN
from bulkip.transport import Transport
from bulkip.wire import ApiRequest, Reply, Verdict
from bulkip.worker import Worker
from bulkip.workrules import WorkRules

LIMITER = "limiter"
"""The fact that a run keeps about the limiter through which its newest start shared the rate."""
Tell = Callable[[Event], None]
BESIDES: Mapping[str, Action] = MappingProxyType(
    {
        followups.CHECK: followups.ACTION,
        eq_list.LIST: eq_list.LIST_ACTION,
        eq_show.SHOW: eq_show.SHOW_ACTION,
    }
)
"""What other scripts of the API are asked, besides logins: how writes went on, where addresses are."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where the calls go, and with which tokens; those show nowhere.

    `sent` keeps when calls went out that stand in no run store, in Unix seconds.
    `shared` is what shares the rate with other processes, if anything does.
    `dns` is where the DNS begins that knows what is written there, as
    address:port; the system's resolvers know it when this is empty.
    """

    url: str
    purse: Purse
    sent: list[float] = field(default_factory=list)
    dns: str = ""
    shared: SharedRate | None = None


@dataclass(frozen=True, slots=True)
class Engine:
    """The parts of a stage that its rooms need; `start` numbers this execution of the run."""

    worker: Worker
    access: Access
    writer: RunWriter
    reader: WorkLeft
    brake: Brake
    start: int


@asynccontextmanager
async def open_engine(
    prepared: Prepared,
    endpoint: Endpoint,
    start: int | None,
    tell: Tell,
    allowance: Allowance,
    *,
    writes: bool = False,
) -> AsyncIterator[Engine]:
    """Open store and connection, and pace the calls until the block ends.

    `start` continues an execution of the run; None begins one, with what
    `allowance` lets it spend. Without `writes` the connection refuses them.
    """
    brake = Brake(lambda stop: tell(Stopping(stop.reason)))
    async with open_writer(prepared.home, tell) as writer:
        writer.halt = lambda error: brake.pull(storage_stop(error))
        number = await begun_start(prepared, endpoint, writer) if start is None else start
        with await to_thread.run_sync(WorkLeft, prepared.home) as reader:
            wire_to = transport_to(endpoint, prepared.job, writes=writes)
            async with wire_to as wire, create_task_group() as pacing:
                ages_s = await _ages_s(prepared, endpoint, reader)
                pacer = pacer_of(prepared.job, endpoint.shared, ages_s, tell, brake)
                pacing.start_soon(pacer.run)
                breaker = Breaker(prepared.job.breaker, tell)
                gate = Gate(pacer, prepared.job.limits, breaker, tell)
                client = Client(wire, gate, writer, brake, judge_of(endpoint, prepared.job))
                if await to_thread.run_sync(reader.remembered, READABLE) is True:
                    client.knows_the_server()
                probes = await to_thread.run_sync(reader.last_number, 0)
                access = Access(client, endpoint.purse, brake, number, probes + 1)
                pacing.start_soon(breaker.watch, brake, access.knock)
                worker = Worker(access, writer, brake, allowance, rules_of(prepared.job, number))
                worker.tell = tell
                yield Engine(worker, access, writer, reader, brake, number)
                pacing.cancel_scope.cancel()


async def begun_start(prepared: Prepared, endpoint: Endpoint, writer: RunWriter) -> int:
    """Begin another start of a run, note what holds in it, and return its number."""
    number = await writer.begin_start(time.time())
    await writer.remember(f"{ALLOWED_IN} {number}", prepared.job.retry.attempts)
    await writer.remember(LIMITER, endpoint.shared.place if endpoint.shared else None)
    return number


def transport_to(endpoint: Endpoint, job: Job, *, writes: bool = False) -> Transport:
    """Return the wire to an endpoint, as a job wants it; without `writes` it refuses them."""
    return Transport(
        endpoint.url,
        token=lambda: endpoint.purse.token,
        timeouts=job.timeouts,
        connections=job.limits.concurrency,
        writes=writes,
    )


def allowance_of(prepared: Prepared) -> Allowance:
    """Return what one start of a run may spend."""
    job, safety = prepared.job, prepared.job.safety
    with WorkLeft(prepared.home) as reader:
        items = reader.items()
    ceiling = Ceiling(safety.max_failed, safety.min_sample, items)
    return Allowance(job.retry.budget, ceiling, job.timeouts.job_s)


async def _ages_s(prepared: Prepared, endpoint: Endpoint, reader: WorkLeft) -> list[float]:
    """Return how many seconds ago calls were sent that still count within the longest window of this run.

    A call without an end was under way when the run was killed: it was sent
    nobody knows when, so it counts as sent just now.
    """
    limits = prepared.job.limits
    now = time.time()
    sent = await to_thread.run_sync(reader.sent_since, now - remembered_s(limits))
    cut_off = await to_thread.run_sync(reader.in_flight)
    ages = [max(0.0, now - at) for at in (*sent, *endpoint.sent)]
    return [*ages, *[0.0] * cut_off]


def judge_of(endpoint: Endpoint, job: Job) -> Judge:
    """Return what a client needs to understand the replies of an endpoint."""
    purse, actions = endpoint.purse, {**ACTIONS, **LOGIN_ACTIONS, **BESIDES}

    def verdict(request: ApiRequest, reply: Reply, now: float) -> Verdict:
        return classify(request, actions[request.action], reply, redactor=purse.redactor, now=now)

    return Judge(verdict, job.limits, job.retry, SystemRandom(), time.time)


def rules_of(job: Job, start: int) -> WorkRules:
    """Return what the workers of a start go by."""
    return WorkRules(
        retry=job.retry,
        settle_s=job.verify.settle_s,
        item_s=job.timeouts.item_s,
        attempt_s=job.timeouts.attempt_s,
        read_again_after_s=job.safety.read_again_after_s,
        start=start,
        rng=SystemRandom(),
        wall=time.time,
    )

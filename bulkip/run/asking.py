"""What only the API knows while a plan is made: which addresses are free."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import count

import anyio
from anyio import create_task_group

from bulkip.access import Access
from bulkip.brake import Brake
from bulkip.client import Client, Judge
from bulkip.errors import AccessError, Halt
from bulkip.gate import Gate
from bulkip.inquiry import Inquiry
from bulkip.model import ErrorClass, Result, Status
from bulkip.outage import Breaker
from bulkip.run.engine import Endpoint, transport_to
from bulkip.run.judging import judge_of
from bulkip.run.pacing import pacer_of
from bulkip.settings import Job
from bulkip.sources import FreeIpsSource, SourceError
from bulkip.stops import Stop, StopKind
from bulkip.store import Attempt, Outcome
from bulkip.wire import ApiRequest

REFUSALS = frozenset(
    {ErrorClass.INVALID, ErrorClass.NOT_FOUND, ErrorClass.PERMISSION, ErrorClass.UNKNOWN_ANSWER}
)
"""These speak of what was asked; anything else speaks of the server or the way to it."""


class NoStore:
    """Keeps only when calls went out: while a plan is made there is no run yet, and the API only reads."""

    def __init__(self, sent: list[float]) -> None:
        """Add the times of calls to this list, in Unix seconds."""
        self._sent = sent

    async def begin_attempt(self, attempt: Attempt, now: float) -> None:
        """Forget a write; a plan makes none."""

    async def withdraw_attempt(self, attempt: Attempt) -> None:
        """Forget that it was not sent."""

    async def finish_attempt(self, attempt: Attempt, outcome: Outcome) -> None:
        """Forget how it ended."""

    async def record_attempt(self, attempt: Attempt, outcome: Outcome) -> None:  # noqa: ARG002 -- as in Books
        """Keep when a read went out, so that the run's own pace counts it."""
        self._sent.append(outcome.sent_at)

    async def remember(self, name: str, value: object) -> None:
        """Forget what became known of the server; the run learns it anew."""


@dataclass(frozen=True, slots=True)
class Line:
    """The way to the API outside of a run; `brake` says what stopped it, if anything did."""

    access: Access
    client: Client
    brake: Brake


def free_ips(job: Job, endpoint: Endpoint, source: FreeIpsSource) -> tuple[str, ...]:
    """Return the addresses that are free now, asked through the same gate as every call.

    Raises SourceError when the API refuses the question, AccessError when it
    refuses the account, Halt when it cannot be had.
    """
    result = anyio.run(_asked, job, endpoint, ApiRequest("list_free_ip", source.form))
    if result.error_class in REFUSALS:
        raise SourceError(f"the API gave no free addresses: {result.message}; check `id` and `location`")
    if result.status is not Status.OK or not isinstance(result.value, dict):
        raise Halt(
            f"{endpoint.url}: free addresses could not be asked for: {result.message}; try again later"
        )
    found = result.value.get("ips")
    entries = found if isinstance(found, list) else []
    return tuple(str(entry["ip"]) for entry in entries if isinstance(entry, dict))


async def _asked(job: Job, endpoint: Endpoint, request: ApiRequest) -> Result:
    async with line_to(job, endpoint, judge_of(endpoint.purse, job)) as line:
        result = await Inquiry(line.access, line.client.judge, line.brake).answer(request)
    if result is None:
        raise _stopped(line.brake.stop)
    return result


@asynccontextmanager
async def line_to(job: Job, endpoint: Endpoint, judge: Judge) -> AsyncIterator[Line]:
    """Open a connection that is paced and watched as that of a run, until the block ends."""
    brake = Brake(lambda _stop: None)
    async with transport_to(endpoint, job) as wire, create_task_group() as pacing:
        now = judge.wall()
        ages_s = [max(0.0, now - at) for at in endpoint.sent]
        pacer = pacer_of(job, endpoint.shared, ages_s, lambda _event: None, brake)
        pacing.start_soon(pacer.run)
        breaker = Breaker(job.breaker, lambda _event: None)
        gate = Gate(pacer, job.limits, breaker, lambda _event: None)
        client = Client(wire, gate, NoStore(endpoint.sent), brake, judge)
        access = Access(client, endpoint.purse, brake, 0, count(1))
        pacing.start_soon(breaker.watch, brake, access.knock)
        yield Line(access, client, brake)
        pacing.cancel_scope.cancel()


def _stopped(stop: Stop | None) -> AccessError | Halt:
    reason = stop.reason if stop else "stopped"
    return AccessError(reason) if stop and stop.kind is StopKind.ACCESS else Halt(reason)

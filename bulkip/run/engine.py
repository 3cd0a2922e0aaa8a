"""How the parts of the engine are put together for one stage of a run."""

import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import count
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
from bulkip.events import Event, RateSet, Stopping, Waiting
from bulkip.gate import Gate
from bulkip.logins import LOGIN_ACTIONS
from bulkip.outage import Breaker
from bulkip.purse import Purse
from bulkip.run.halting import storage_stop
from bulkip.run.pacing import SharedRate, pacer_of
from bulkip.run.planning import Prepared
from bulkip.run.seams import remembered_s
from bulkip.settings import Job
from bulkip.stops import Stop
from bulkip.store import Beforehand, Part, RunWriter, WorkLeft, open_writer
from bulkip.store.part import WHOLE_RUN
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
    That of a run with several accounts has one for each of them in `accounts`,
    which bears the name of its `account`.
    """

    url: str
    purse: Purse
    sent: list[float] = field(default_factory=list)
    dns: str = ""
    shared: SharedRate | None = None
    account: str = ""
    accounts: tuple["Endpoint", ...] = ()

    @property
    def each(self) -> tuple["Endpoint", ...]:
        """The endpoints that calls go to: those of the accounts, or this one alone."""
        return self.accounts or (self,)

    @property
    def has_logged_in(self) -> bool:
        """Whether tokens were made that are to be given back."""
        return any(one.purse.made for one in self.each)


@dataclass(frozen=True, slots=True)
class Post:
    """What an engine works for: the run, or one of its accounts with its own job, endpoint and allowance."""

    prepared: Prepared
    endpoint: Endpoint
    part: Part
    brake: Brake
    allowance: Allowance
    tell: Tell


@dataclass(frozen=True, slots=True)
class Engine:
    """The parts of a stage that its rooms need; `start` numbers this execution of the run."""

    worker: Worker
    access: Access
    writer: RunWriter
    reader: Beforehand
    brake: Brake
    start: int
    post: Post


@dataclass(frozen=True, slots=True)
class Fleet:
    """The engines of a stage: one, or one for each account that goes on; `brake` stops all of them."""

    engines: tuple[Engine, ...]
    writer: RunWriter
    reader: Beforehand
    brake: Brake
    start: int


@asynccontextmanager
async def open_fleet(
    prepared: Prepared,
    endpoint: Endpoint,
    start: int | None,
    tell: Tell,
    allowance: Allowance,
    *,
    writes: bool = False,
) -> AsyncIterator[Fleet]:
    """Open store and connections, and pace the calls until the block ends.

    `start` continues an execution of the run; None begins one, with what
    `allowance` lets it spend. Without `writes` the connections refuse them.
    """

    def stopped(stop: Stop) -> None:
        tell(Stopping(stop.reason))
        for post in posts:
            post.brake.pull(replace(stop, everywhere=True))

    brake = Brake(stopped)
    posts = _posts(Post(prepared, endpoint, WHOLE_RUN, brake, allowance, tell))
    async with open_writer(prepared.run_dir, tell) as writer, AsyncExitStack() as open_:
        writer.halt = lambda error: brake.pull(storage_stop(error))
        number = await writer.begin_start(time.time()) if start is None else start
        if start is None:
            shared = endpoint.each[0].shared
            await writer.remember(f"{ALLOWED_IN} {number}", prepared.job.retry.attempts)
            await writer.remember(LIMITER, shared.place if shared else None)
        reader = open_.enter_context(await to_thread.run_sync(Beforehand, prepared.run_dir))
        numbers = count(await to_thread.run_sync(reader.last_number, 0) + 1)
        books = _Books(writer, number, numbers)
        engines = [
            await open_.enter_async_context(_open_engine(post, books, reader, writes=writes))
            for post in posts
        ]
        yield Fleet(tuple(engines), writer, reader, brake, number)


def _posts(whole: Post) -> list[Post]:
    """Return the post of the whole run, or those of its accounts that nothing has stopped yet."""
    places = enumerate(whole.endpoint.accounts, start=1)
    posts = [_account_post(whole, endpoint, place) for place, endpoint in places]
    return [post for post in posts if post.allowance.stop is None] if posts else [whole]


def _account_post(whole: Post, endpoint: Endpoint, place: int) -> Post:
    """Return the post of one account, whose own stops and pauses leave the others alone."""
    name, job, allowance = endpoint.account, whole.prepared.job, whole.allowance.of(endpoint.account)

    def stopped(stop: Stop) -> None:
        if stop.everywhere:
            whole.brake.pull(stop)
            return
        allowance.stop = replace(stop, reason=f"account `{name}`: {stop.reason}")
        whole.tell(Stopping(stop.reason, name))

    def tell(event: Event) -> None:
        whole.tell(replace(event, account=name) if isinstance(event, Waiting | RateSet) else event)

    prepared = replace(whole.prepared, job=job.of_account(job.accounts[place - 1]))
    return Post(prepared, endpoint, Part(account=place), Brake(stopped), allowance, tell)


@dataclass(frozen=True, slots=True)
class _Books:
    """Where all engines of a stage write, in which start, and how they number the run's own calls."""

    writer: RunWriter
    start: int
    numbers: Iterator[int]


@asynccontextmanager
async def _open_engine(
    post: Post, books: _Books, whole: Beforehand, *, writes: bool
) -> AsyncIterator[Engine]:
    """Open the connection of a post; who works for the whole run reads what all read."""
    endpoint, job, brake, tell = post.endpoint, post.prepared.job, post.brake, post.tell
    async with AsyncExitStack() as open_:
        reader = whole
        if post.part != WHOLE_RUN:
            run_dir = post.prepared.run_dir
            reader = open_.enter_context(await to_thread.run_sync(Beforehand, run_dir, post.part))
        wire = await open_.enter_async_context(transport_to(endpoint, job, writes=writes))
        pacing = await open_.enter_async_context(create_task_group())
        pacer = pacer_of(job, endpoint.shared, await _ages_s(post.prepared, endpoint, reader), tell, brake)
        pacing.start_soon(pacer.run)
        breaker = Breaker(job.breaker, tell)
        client = Client(
            wire, Gate(pacer, job.limits, breaker, tell), books.writer, brake, judge_of(endpoint, job)
        )
        client.fact = f"{READABLE} {endpoint.account}".rstrip()
        if await to_thread.run_sync(reader.remembered, client.fact) is True:
            client.knows_the_server()
        access = Access(client, endpoint.purse, brake, books.start, books.numbers)
        pacing.start_soon(breaker.watch, brake, access.knock)
        worker = Worker(access, books.writer, brake, post.allowance, _rules(post.prepared, books.start))
        worker.tell = tell
        yield Engine(worker, access, books.writer, reader, brake, books.start, post)
        pacing.cancel_scope.cancel()


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
    with WorkLeft(prepared.run_dir) as reader:
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


def _rules(prepared: Prepared, start: int) -> WorkRules:
    job = prepared.job
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

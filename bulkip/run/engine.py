"""How the parts of the engine are put together for one stage of a run."""

import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import count
from random import SystemRandom

from anyio import create_task_group, to_thread

from bulkip.access import Access
from bulkip.allowance import Allowance
from bulkip.brake import Brake
from bulkip.ceiling import Ceiling
from bulkip.client import READABLE, Client
from bulkip.events import Event, RateSet, Stopping, Waiting
from bulkip.gate import Gate
from bulkip.outage import Breaker
from bulkip.purse import Purse
from bulkip.run.halting import storage_stop
from bulkip.run.judging import judge_of
from bulkip.run.pacing import Running, SharedRate, pacer_of
from bulkip.run.planning import Prepared
from bulkip.run.seams import remembered_s
from bulkip.settings import Job
from bulkip.stops import Stop
from bulkip.store import Beforehand, Part, RunWriter, WorkLeft, open_writer
from bulkip.store.part import WHOLE_RUN
from bulkip.store.recount import ALLOWED_IN
from bulkip.transport import Transport
from bulkip.worker import Worker
from bulkip.workrules import WorkRules

LIMITER = "limiter"
"""The fact that a run keeps about the limiter through which its newest start shared the rate."""
Tell = Callable[[Event], None]
Made = Mapping[int, Mapping[str, int]]
"""How many calls of each purpose were sent for an item."""


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
class Room:
    """What all that is sent for an account shares: tokens, connections, and the pace."""

    endpoint: Endpoint
    wire: Transport
    pacer: Running


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
    async with open_writer(prepared.home, tell) as writer, AsyncExitStack() as open_:
        writer.halt = lambda error: brake.pull(storage_stop(error))
        number = await begun_start(prepared, endpoint, writer) if start is None else start
        reader = open_.enter_context(await to_thread.run_sync(Beforehand, prepared.home))
        numbers = count(await to_thread.run_sync(reader.last_number, 0) + 1)
        books = Books(writer, number, numbers)
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
class Books:
    """Where all engines of a stage write, in which start, and how they number the run's own calls."""

    writer: RunWriter
    start: int
    numbers: Iterator[int]


@asynccontextmanager
async def _open_engine(post: Post, books: Books, whole: Beforehand, *, writes: bool) -> AsyncIterator[Engine]:
    """Open the connection of a post; who works for the whole run reads what all read."""
    endpoint, job, brake, tell = post.endpoint, post.prepared.job, post.brake, post.tell
    async with AsyncExitStack() as open_:
        reader = whole
        if post.part != WHOLE_RUN:
            home = post.prepared.home
            reader = open_.enter_context(await to_thread.run_sync(Beforehand, home, post.part))
        wire = await open_.enter_async_context(transport_to(endpoint, job, writes=writes))
        pacing = await open_.enter_async_context(create_task_group())
        pacer = pacer_of(job, endpoint.shared, await _ages_s(post.prepared, endpoint, reader), tell, brake)
        pacing.start_soon(pacer.run)
        engine = await engine_of(post, books, reader, Room(endpoint, wire, pacer))
        pacing.start_soon(engine.access.breaker.watch, brake, engine.access.knock)
        yield engine
        pacing.cancel_scope.cancel()


async def engine_of(
    post: Post, books: Books, reader: Beforehand, room: Room, made: Made | None = None
) -> Engine:
    """Return the engine of a post in a room; `made` tells of calls that were sent in this start already.

    Somebody has to watch its breaker.
    """
    job, brake, tell = post.prepared.job, post.brake, post.tell
    gate = Gate(room.pacer, job.limits, Breaker(job.breaker, tell), tell)
    client = Client(room.wire, gate, books.writer, brake, judge_of(room.endpoint.purse, job))
    client.fact = f"{READABLE} {room.endpoint.account}".rstrip()
    if await to_thread.run_sync(reader.remembered, client.fact) is True:
        client.knows_the_server()
    access = Access(client, room.endpoint.purse, brake, books.start, books.numbers)
    rules = _rules(job, books.start)
    rules = rules if made is None else replace(rules, made=made)
    worker = Worker(access, books.writer, brake, post.allowance, rules)
    worker.tell = tell
    return Engine(worker, access, books.writer, reader, brake, books.start, post)


async def begun_start(prepared: Prepared, endpoint: Endpoint, writer: RunWriter) -> int:
    """Begin another start of a run, note what holds in it, and return its number."""
    number, shared = await writer.begin_start(time.time()), endpoint.each[0].shared
    await writer.remember(f"{ALLOWED_IN} {number}", prepared.job.retry.attempts)
    await writer.remember(LIMITER, shared.place if shared else None)
    return number


def transport_to(endpoint: Endpoint, job: Job, *, writes: bool = False, sharing: int = 1) -> Transport:
    """Return the wire to an endpoint, for so many gates of a job; without `writes` it refuses them."""
    return Transport(
        endpoint.url,
        token=lambda: endpoint.purse.token,
        timeouts=job.timeouts,
        connections=job.limits.concurrency * sharing,
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


def _rules(job: Job, start: int) -> WorkRules:
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

"""How processes pace their calls together: within the rate, close to it, and not at all without ledger."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest
from anyio import CancelScope, create_task_group, current_time, fail_after, move_on_after, sleep

from bulkip.leases import Ask, Lease, Standing, leased
from bulkip.model import Rate
from bulkip.sharedpacer import LONGEST_WAIT_S, LedgerError, SharedPacer
from tests.virtualtime import stall

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]

HEADROOM = 0.05
FAR_S = 86_400.0
"""How far the ledger's clock is from the loop's."""
RATES = [
    pytest.param((Rate(1, 1),), id="1/s"),
    pytest.param((Rate(5, 1),), id="5/s"),
    pytest.param((Rate(50, 1),), id="50/s"),
    pytest.param((Rate(1000, 1),), id="1000/s"),
    pytest.param((Rate(10, 1), Rate(300, 60)), id="10/s-and-300/m"),
]


class Book:
    """A ledger that all pacers of a test share; each asks it over a way of its own."""

    def __init__(self) -> None:
        """Begin with nothing leased."""
        self.standing = Standing()
        self.asked = self.granted = 0
        self.away = False

    def seen_from(self, trip_s: float) -> "Way":
        """Return the ledger as a process sees it that is so far away."""
        return Way(self, trip_s)


class Way:
    """The way of one process to a ledger, and back in `trip_s`."""

    def __init__(self, book: Book, trip_s: float) -> None:
        self._book = book
        self._trip_s = trip_s

    async def lease(self, ask: Ask) -> Lease:
        """Lease, unless the ledger is away."""
        book = self._book
        await sleep(self._trip_s / 2)
        if book.away:
            raise LedgerError("nobody there")
        book.standing, lease = leased(book.standing, ask, current_time() + FAR_S)
        book.asked += 1
        book.granted += lease.count
        await sleep(self._trip_s / 2)
        return lease

    async def close(self) -> None:
        """Nothing is open."""


def pacer_at(
    book: Book, rates: Sequence[Rate], trip_s: float = 0.001, told: list[tuple[str, float]] | None = None
) -> SharedPacer:
    """Return the pacer of one process."""

    def troubled(reason: str, away_s: float, _wait_s: float) -> None:
        if told is not None:
            told.append((reason, away_s))

    return SharedPacer(rates, HEADROOM, book.seen_from(trip_s), troubled)


def crowded(times: Sequence[float], rate: Rate) -> list[float]:
    """Return the grants that are one too many in the window (t - period, t] that they end."""
    return [
        last for first, last in zip(times, times[rate.calls :], strict=False) if last - first < rate.period_s
    ]


async def ask(pacer: SharedPacer, grants: list[float], times: int, connect_s: float = 0.0) -> None:
    """Ask for so many permissions one after the other, and note when each call left."""
    for _ in range(times):
        await pacer.acquire()
        await sleep(connect_s)
        if (another_turn := pacer.leave()) is not None:
            await another_turn()
        grants.append(current_time())


async def collect(
    pacers: Sequence[SharedPacer], *, waiters: int, each: int, connect_s: float = 0.0
) -> list[float]:
    """Return when calls left that so many waiters of each pacer made."""
    grants: list[float] = []
    async with create_task_group() as pacing:
        for pacer in pacers:
            pacing.start_soon(pacer.run)
        async with create_task_group() as group:
            for pacer in pacers:
                for _ in range(waiters):
                    group.start_soon(ask, pacer, grants, each, connect_s)
        pacing.cancel_scope.cancel()
    return grants


@asynccontextmanager
async def asking(pacers: Sequence[SharedPacer], grants: list[float], waiters: int = 1) -> AsyncIterator[None]:
    """Let so many waiters of each pacer ask over and over until the block ends."""
    async with create_task_group() as pacing:
        for pacer in pacers:
            pacing.start_soon(pacer.run)
            for _ in range(waiters):
                pacing.start_soon(ask, pacer, grants, 1000)
        yield
        pacing.cancel_scope.cancel()


@pytest.mark.parametrize("rates", RATES)
@pytest.mark.parametrize("processes", [1, 3, 8])
@pytest.mark.parametrize("trip_s", [0.0005, 0.02])
async def test_all_together_keep_to_every_rate(
    rates: tuple[Rate, ...], processes: int, trip_s: float
) -> None:
    """However many processes share a rate, no window of it holds more calls than it allows."""
    book, waiters = Book(), 20
    each = max(1, min(rate.calls for rate in rates) * 4 // (processes * waiters))

    grants = await collect(
        [pacer_at(book, rates, trip_s) for _ in range(processes)], waiters=waiters, each=each
    )

    assert [crowded(grants, rate) for rate in rates] == [[] for _ in rates]


@pytest.mark.parametrize("rate", [5, 50, 1000])
@pytest.mark.parametrize("processes", [1, 3])
async def test_long_run_reaches_the_rate(rate: int, processes: int) -> None:
    """Over a long run all together use what the headroom leaves."""
    book = Book()

    grants = await collect(
        [pacer_at(book, (Rate(rate, 1),)) for _ in range(processes)],
        waiters=50,
        each=max(1, rate * 20 // (50 * processes)),
    )

    assert (len(grants) - 1) / (grants[-1] - grants[0]) >= 0.99 * (1 - HEADROOM) * rate


@pytest.mark.parametrize("processes", [1, 3])
async def test_leases_are_taken_in_batches(processes: int) -> None:
    """A thousand calls a second need few questions, and hardly a slot is lost for that."""
    book, waiters, each = Book(), 20, 300

    await collect([pacer_at(book, (Rate(1000, 1),)) for _ in range(processes)], waiters=waiters, each=each)

    calls = processes * waiters * each
    assert book.asked / calls < 0.04
    assert book.granted <= calls + 250 * processes


@pytest.mark.parametrize("rate", [Rate(5, 1), Rate(20, 1), Rate(200, 1)], ids=str)
@pytest.mark.parametrize("connect_s", [0.03, 0.12, 0.3])
async def test_late_calls_do_not_crowd_a_window(rate: Rate, connect_s: float) -> None:
    """Calls that are late for their slots, because each makes a connection first, wait for others."""
    book = Book()

    grants = await collect(
        [pacer_at(book, (rate,)) for _ in range(2)], waiters=8, each=5, connect_s=connect_s
    )

    assert crowded(sorted(grants), rate) == []


async def test_one_late_call_among_many_is_no_exception() -> None:
    """A single call that makes a connection first comes at a slot like all others."""
    book, rate, grants = Book(), Rate(5, 1), list[float]()
    pacers = [pacer_at(book, (rate,)) for _ in range(2)]

    async with create_task_group() as pacing:
        for pacer in pacers:
            pacing.start_soon(pacer.run)
            pacing.start_soon(ask, pacer, grants, 3, 0.12)
            for _ in range(4):
                pacing.start_soon(ask, pacer, grants, 5)
        await sleep(20)
        pacing.cancel_scope.cancel()

    assert len(grants) == 46
    assert crowded(sorted(grants), rate) == []


async def test_slots_far_ahead_are_given_up_for_a_cool_down() -> None:
    """Where many share a low rate, each holds a slot seconds ahead; a cool-down is heeded all the same."""
    book, rate, grants = Book(), Rate(1, 1), list[float]()
    pacers = [pacer_at(book, (rate,)) for _ in range(20)]

    async with asking(pacers, grants):
        await sleep(3)
        begun = current_time()
        pacers[0].hold_until(begun + 60)
        await sleep(70)

    assert [at - begun for at in grants if begun + 0.7 < at < begun + 60] == []
    assert len([at for at in grants if at >= begun + 60]) >= 8


async def test_stalled_process_makes_up_for_nothing() -> None:
    """After a stall of the loop the slots that passed by are lost, and the rate holds."""
    rate, grants = Rate(100, 1), list[float]()
    pacer = pacer_at(Book(), (rate,))

    async with create_task_group() as pacing:
        pacing.start_soon(pacer.run)
        async with create_task_group() as group:
            for _ in range(50):
                group.start_soon(ask, pacer, grants, 10)
            await sleep(1)
            stall(1.5)
        pacing.cancel_scope.cancel()

    assert crowded(grants, rate) == []
    assert max(after - before for before, after in pairwise(grants)) > 1.4


async def test_cool_down_of_one_holds_all() -> None:
    """When the provider asks one process for silence, the others fall silent within what they had leased."""
    book, rate = Book(), Rate(100, 1)
    pacers, grants = [pacer_at(book, (rate,)) for _ in range(3)], list[float]()

    async with asking(pacers, grants, waiters=5):
        await sleep(2)
        begun = current_time()
        pacers[0].hold_until(begun + 10)
        await sleep(12)

    assert [at - begun for at in grants if begun + 0.3 < at < begun + 10] == []
    assert len([at for at in grants if begun + 10 <= at]) > 150


async def test_pace_that_one_halved_is_halved_for_all() -> None:
    """A throttled process slows the others down, too."""
    book, rate = Book(), Rate(100, 1)
    pacers, grants = [pacer_at(book, (rate,)) for _ in range(2)], list[float]()

    async with asking(pacers, grants, waiters=5):
        await sleep(2)
        begun = current_time()
        pacers[0].slow_down()
        await sleep(1)

    assert 0.4 * 70 <= len([at for at in grants if begun + 0.3 <= at < begun + 1]) <= 0.65 * 70


async def test_nothing_goes_out_without_ledger() -> None:
    """While the ledger is away no call is permitted, whoever waits is told of, and afterwards it goes on."""
    book, told, grants = Book(), list[tuple[str, float]](), list[float]()
    pacer = pacer_at(book, (Rate(50, 1),), told=told)

    async with asking([pacer], grants, waiters=5):
        await sleep(2)
        book.away, gone = True, current_time()
        await sleep(60)
        book.away, back = False, current_time()
        await sleep(LONGEST_WAIT_S + 1)

    assert [at for at in grants if gone + 0.3 < at < back] == []
    assert len([at for at in grants if at > back]) >= 40
    assert told[0][0] == "nobody there"
    assert 50 < told[-1][1] <= 61


async def test_slots_far_ahead_are_given_up_without_ledger() -> None:
    """A slot seconds ahead is not used when nobody can say whether all calls are held meanwhile."""
    book, grants = Book(), list[float]()

    async with asking([pacer_at(book, (Rate(1, 1),)) for _ in range(20)], grants):
        await sleep(3)
        book.away, gone = True, current_time()
        await sleep(20)

    assert [at - gone for at in grants if at > gone + 0.7] == []


async def test_trouble_that_passed_unseen_does_not_add_up() -> None:
    """A ledger that was away once, and then not needed for an hour, has not been away for an hour."""
    book, told = Book(), list[tuple[str, float]]()
    pacer = pacer_at(book, (Rate(50, 1),), told=told)

    async with create_task_group() as pacing:
        pacing.start_soon(pacer.run)
        for pause_s in (0.0, 3600.0):
            await sleep(pause_s)
            book.away = True
            with move_on_after(1):
                await pacer.acquire()
            book.away = False
        pacing.cancel_scope.cancel()

    assert len(told) > 2
    assert max(away_s for _, away_s in told) < 10


async def test_given_up_permission_is_no_call() -> None:
    """Whoever is cancelled while waiting leaves neither a place nor a late call behind."""
    pacer, grants = pacer_at(Book(), (Rate(10, 1),)), list[float]()

    async with create_task_group() as pacing:
        pacing.start_soon(pacer.run)
        for _ in range(5):
            with CancelScope() as scope:
                async with create_task_group() as group:
                    group.start_soon(ask, pacer, [], 1000)
                    await sleep(0.25)
                    scope.cancel()
        with fail_after(5):
            await ask(pacer, grants, 20)
        pacing.cancel_scope.cancel()

    assert len(grants) == 20

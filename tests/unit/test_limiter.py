"""How calls are paced: never above any rate in any window, in order, and close to what is allowed."""

from collections.abc import Sequence
from functools import partial
from itertools import pairwise

import anyio
import pytest
from anyio import create_task_group, current_time, sleep, sleep_until
from anyio.lowlevel import checkpoint
from hypothesis import given, settings
from hypothesis import strategies as st

from bulkip.limiter import Pacer
from bulkip.model import Rate
from tests.virtualtime import VirtualLoop, stall

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]

HEADROOM = 0.03
RATES = [
    pytest.param([Rate(1, 1)], id="1/s"),
    pytest.param([Rate(5, 1)], id="5/s"),
    pytest.param([Rate(20, 1)], id="20/s"),
    pytest.param([Rate(100, 1)], id="100/s"),
    pytest.param([Rate(200, 1)], id="200/s"),
    pytest.param([Rate(1000, 1)], id="1000/s"),
    pytest.param([Rate(5, 15)], id="5/15s"),
    pytest.param([Rate(10, 1), Rate(300, 60)], id="10/s-and-300/m"),
    pytest.param([Rate(300, 60), Rate(20, 1), Rate(90, 10)], id="three-windows"),
]


def crowded(times: Sequence[float], rate: Rate) -> list[float]:
    """Return the grants that are one too many in the window (t - period, t] that they end."""
    pairs = zip(times, times[rate.calls :], strict=False)
    return [last for first, last in pairs if last - first < rate.period_s]


async def ask(pacer: Pacer, grants: list[float], times: int) -> None:
    """Ask for so many permissions, one after the other, and note when each came."""
    for _ in range(times):
        await pacer.acquire()
        grants.append(current_time())
        pacer.leave()


async def collect(pacer: Pacer, *, waiters: int, each: int) -> list[float]:
    """Return when permissions came to so many waiters."""
    grants: list[float] = []
    async with create_task_group() as pacing:
        pacing.start_soon(pacer.run)
        async with create_task_group() as group:
            for _ in range(waiters):
                group.start_soon(ask, pacer, grants, each)
        pacing.cancel_scope.cancel()
    return grants


@pytest.mark.parametrize("rates", RATES)
@pytest.mark.parametrize("waiters", [1, 4, 100, 500])
async def test_no_window_holds_more_than_its_rate(rates: list[Rate], waiters: int) -> None:
    """However many ask at once, no sliding window of any rate holds more grants than it allows."""
    pacer = Pacer(rates, HEADROOM)

    grants = await collect(pacer, waiters=waiters, each=max(1, 1500 // waiters))

    assert [crowded(grants, rate) for rate in rates] == [[] for _ in rates]


@pytest.mark.parametrize("rates", RATES)
async def test_long_run_reaches_the_rate(rates: list[Rate]) -> None:
    """Over a long run at least 95 % of the strictest rate is reached."""
    pacer = Pacer(rates, HEADROOM)
    strictest = min(rates, key=lambda rate: rate.per_s)

    grants = await collect(pacer, waiters=4, each=strictest.calls * 5)

    assert (len(grants) - strictest.calls) / (grants[-1 - strictest.calls] - grants[0]) >= (
        0.95 * strictest.per_s
    )


@pytest.mark.parametrize("rates", RATES)
async def test_idle_pause_saves_nothing_up(rates: list[Rate]) -> None:
    """After a pause without calls the windows hold as before: what was not used is gone."""
    pacer = Pacer(rates, HEADROOM)
    grants: list[float] = []

    async with create_task_group() as pacing:
        pacing.start_soon(pacer.run)
        await ask(pacer, grants, 7)
        await sleep(1000)
        await ask(pacer, grants, 1200)
        pacing.cancel_scope.cancel()

    assert [crowded(grants, rate) for rate in rates] == [[] for _ in rates]


@pytest.mark.parametrize("rates", RATES)
@pytest.mark.parametrize("lost_s", [0.02, 0.9, 3600.0])
async def test_stalled_loop_catches_up_on_nothing(rates: list[Rate], lost_s: float) -> None:
    """After the loop stalled the windows hold as before: what it could not use is dropped."""
    pacer = Pacer(rates, HEADROOM)
    grants: list[float] = []

    async with create_task_group() as pacing:
        pacing.start_soon(pacer.run)
        async with create_task_group() as group:
            for _ in range(50):
                group.start_soon(ask, pacer, grants, 20)
            for _ in range(10):
                await sleep(len(rates) / rates[0].per_s)
                stall(lost_s)
        pacing.cancel_scope.cancel()

    assert [crowded(grants, rate) for rate in rates] == [[] for _ in rates]


@pytest.mark.parametrize("turns", range(8))
async def test_stall_between_permission_and_use_is_waited_out(turns: int) -> None:
    """When the loop stalls between a permission and its use, the next call waits from the use on."""
    pacer = Pacer([Rate(1, 1)], HEADROOM)
    grants: list[float] = []

    async with create_task_group() as pacing:
        pacing.start_soon(pacer.run)
        async with create_task_group() as group:
            group.start_soon(ask, pacer, grants, 2)
            for _ in range(turns):
                await checkpoint()
            stall(1.5)
        pacing.cancel_scope.cancel()

    assert crowded(grants, Rate(1, 1)) == []


@pytest.mark.parametrize("rates", RATES)
async def test_calls_go_without_a_burst(rates: list[Rate]) -> None:
    """Within a fiftieth of the fastest rate's window no more goes than its share and one slot."""
    pacer = Pacer(rates, HEADROOM)
    fastest = max(rates, key=lambda rate: rate.per_s)
    stretch_s = fastest.period_s / 50
    share = fastest.per_s * stretch_s + fastest.per_s * 0.015 + 1

    grants = await collect(pacer, waiters=100, each=5)

    assert crowded(grants, Rate(int(share) + 1, stretch_s)) == []


@pytest.mark.parametrize("rates", RATES)
async def test_calls_of_an_earlier_start_count(rates: list[Rate]) -> None:
    """What was sent before this start counts in every window, as if this start had sent it."""
    ages_s = [age / 10 for age in range(40)]
    before = [current_time() - age for age in reversed(ages_s)]
    pacer = Pacer(rates, HEADROOM, ages_s)

    grants = await collect(pacer, waiters=10, each=12)

    for rate in rates:
        crowd = crowded([*before, *grants], rate)
        assert [time for time in crowd if time >= grants[0]] == []


async def test_full_window_of_an_earlier_start_is_waited_out() -> None:
    """A start right after a full window sends its first call when the window has moved on."""
    pacer = Pacer([Rate(300, 60)], HEADROOM, [10.0] * 300)
    begun = current_time()

    grants = await collect(pacer, waiters=1, each=1)

    assert grants[0] - begun == pytest.approx(60 / (1 - HEADROOM) - 10, abs=0.1)


async def test_call_counts_from_when_it_leaves() -> None:
    """Calls whose connections take their time count when they leave, as the server counts them."""
    pacer = Pacer([Rate(5, 1)], HEADROOM)
    left: list[float] = []

    async def call(connecting_s: float) -> None:
        await pacer.acquire()
        await sleep(connecting_s)
        left.append(current_time())
        pacer.leave()

    async with create_task_group() as pacing:
        pacing.start_soon(pacer.run)
        async with create_task_group() as group:
            for number in range(40):
                group.start_soon(call, 0.7 if number < 4 else 0.0)
        pacing.cancel_scope.cancel()

    assert crowded(sorted(left), Rate(5, 1)) == []


async def test_window_full_of_calls_that_do_not_leave_opens_when_they_do() -> None:
    """While all that a window allows is permitted and not on its way, nobody else is; then it goes on."""
    pacer = Pacer([Rate(2, 1)], HEADROOM)
    grants: list[float] = []

    async with create_task_group() as pacing:
        pacing.start_soon(pacer.run)
        for _ in range(2):
            await pacer.acquire()
        async with create_task_group() as group:
            group.start_soon(ask, pacer, grants, 1)
            await sleep(30)
            held = len(grants)
            pacer.leave()
            pacer.leave()
            left = current_time()
        pacing.cancel_scope.cancel()

    assert held == 0
    assert grants[0] - left == pytest.approx(1 / (1 - HEADROOM), abs=0.02)


async def test_permission_that_nobody_takes_any_more_is_given_back() -> None:
    """A waiter that is cancelled with its permission in hand blocks no window."""
    pacer = Pacer([Rate(1, 1)], HEADROOM)
    grants: list[float] = []

    async with create_task_group() as pacing:
        pacing.start_soon(pacer.run)
        await ask(pacer, grants, 1)
        async with create_task_group() as leaving:
            leaving.start_soon(pacer.acquire)
            await sleep(1 / (1 - HEADROOM))
            for _ in range(6):
                leaving.cancel_scope.cancel()
                await checkpoint()
        await ask(pacer, grants, 2)
        pacing.cancel_scope.cancel()

    assert len(grants) == 3


async def test_grants_come_in_the_order_of_asking() -> None:
    """Who asked first goes first."""
    pacer = Pacer([Rate(1000, 1)], HEADROOM)
    order: list[int] = []

    async def wait(number: int) -> None:
        await pacer.acquire()
        order.append(number)
        pacer.leave()

    async with create_task_group() as pacing:
        pacing.start_soon(pacer.run)
        async with create_task_group() as group:
            for number in range(200):
                group.start_soon(wait, number)
                await checkpoint()
        pacing.cancel_scope.cancel()

    assert order == list(range(200))


async def test_cancelled_waiter_takes_nobody_elses_turn() -> None:
    """When a waiter gives up, those behind it move up: their grants come as if it had never asked."""
    begun = current_time()
    pacer = Pacer([Rate(1, 1)], HEADROOM)
    grants: list[float] = []

    async with create_task_group() as pacing:
        pacing.start_soon(pacer.run)
        async with create_task_group() as group, create_task_group() as leaving:
            group.start_soon(ask, pacer, grants, 1)
            await checkpoint()
            leaving.start_soon(ask, pacer, grants, 1)
            await checkpoint()
            group.start_soon(ask, pacer, grants, 2)
            await sleep(0.5)
            leaving.cancel_scope.cancel()
        pacing.cancel_scope.cancel()

    assert [round(time - begun, 1) for time in grants] == [0.0, 1.0, 2.1]


async def test_nothing_goes_while_held() -> None:
    """A hold lets nothing out before its end, whoever asked and whenever."""
    pacer = Pacer([Rate(100, 1)], HEADROOM)
    begun = current_time()
    grants: list[float] = []

    async with create_task_group() as pacing:
        pacing.start_soon(pacer.run)
        async with create_task_group() as group:
            group.start_soon(ask, pacer, grants, 300)
            await sleep_until(begun + 1)
            pacer.hold_until(begun + 10)
            pacer.hold_until(begun + 5)
        pacing.cancel_scope.cancel()

    assert [time for time in grants if begun + 1 < time < begun + 10] == []


async def test_pace_after_a_hold_is_the_pace_before() -> None:
    """Whoever waited through a hold does not go in a burst after it."""
    pacer = Pacer([Rate(100, 1)], HEADROOM)

    pacer.hold_until(current_time() + 30)
    grants = await collect(pacer, waiters=200, each=1)

    assert crowded(grants, Rate(3, 0.02)) == []


async def test_new_asker_after_a_long_idle_time_goes_at_once() -> None:
    """A call that asks when the windows are empty does not wait."""
    pacer = Pacer([Rate(5, 15)], HEADROOM)

    async with create_task_group() as pacing:
        pacing.start_soon(pacer.run)
        await sleep(100)
        asked = current_time()
        await pacer.acquire()
        waited_s = current_time() - asked
        pacing.cancel_scope.cancel()

    assert waited_s < 0.001


async def _storm(rates: list[Rate], storm: list[tuple[str, float]]) -> list[float]:
    """Let waiters come and go, the loop stall and holds begin, and return the grants."""
    pacer = Pacer(rates, HEADROOM)
    grants: list[float] = []
    async with create_task_group() as pacing:
        pacing.start_soon(pacer.run)
        with anyio.move_on_after(1000):
            async with create_task_group() as group:
                for deed, amount in storm:
                    if deed == "ask":
                        group.start_soon(ask, pacer, grants, int(amount * 10) + 1)
                    elif deed == "hold":
                        pacer.hold_until(current_time() + amount)
                    elif deed == "stall":
                        stall(amount)
                    elif deed == "leave":
                        with anyio.move_on_after(amount / 10):
                            await ask(pacer, grants, 10)
                    await sleep(amount / 7)
        pacing.cancel_scope.cancel()
    return grants


DEEDS = st.tuples(st.sampled_from(["ask", "ask", "hold", "stall", "leave"]), st.floats(0, 5))
ANY_RATE = st.builds(Rate, st.integers(1, 50), st.sampled_from([0.5, 1.0, 2.0, 15.0]))


@settings(max_examples=60, deadline=None)
@given(rates=st.lists(ANY_RATE, min_size=1, max_size=3), storm=st.lists(DEEDS, max_size=15))
def test_no_storm_breaks_a_window(rates: list[Rate], storm: list[tuple[str, float]]) -> None:
    """Whatever comes together - waiters, cancellations, holds, stalls - every window holds."""
    work = partial(_storm, rates, storm)

    grants = anyio.run(work, backend_options={"loop_factory": VirtualLoop})

    assert [crowded(grants, rate) for rate in rates] == [[] for _ in rates]


async def test_pace_is_even() -> None:
    """At a rate of a few per second the calls are spread over the second."""
    pacer = Pacer([Rate(5, 1)], HEADROOM)

    grants = await collect(pacer, waiters=3, each=10)

    gaps = [after - before for before, after in pairwise(grants)]
    assert min(gaps) > 0.19

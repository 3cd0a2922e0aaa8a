"""How the pace follows a server that throttles."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from anyio import create_task_group, current_time, sleep

from bulkip.limiter import Pacer
from bulkip.model import Rate

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]


@asynccontextmanager
async def pacing(rates: list[Rate]) -> AsyncIterator[Pacer]:
    """Run a pacer for these rates."""
    pacer = Pacer(rates, 0.0)
    async with create_task_group() as group:
        group.start_soon(pacer.run)
        yield pacer
        group.cancel_scope.cancel()


async def test_pace_is_halved_and_comes_back() -> None:
    """A throttled answer halves the pace; a tenth of the rate comes back each second."""
    async with pacing([Rate(100, 1)]) as pacer:
        pacer.slow_down()
        shares = [pacer.share()]
        await sleep(3)
        shares.append(pacer.share())
        await sleep(3)
        shares.append(pacer.share())

    assert shares == pytest.approx([0.5, 0.8, 1.0])


async def test_pace_never_falls_below_a_tenth() -> None:
    """However often the server throttles, a tenth of the rate goes out."""
    async with pacing([Rate(100, 1)]) as pacer:
        for _ in range(20):
            pacer.slow_down()

        assert pacer.share() == pytest.approx(0.1)


async def test_nothing_is_regained_while_everyone_pauses() -> None:
    """The pace comes back per second without throttling; a pause is none."""
    async with pacing([Rate(100, 1)]) as pacer:
        pacer.slow_down()
        pacer.hold_until(current_time() + 60)
        await sleep(60)

        assert pacer.share() == pytest.approx(0.5)


async def test_halved_pace_spaces_the_calls() -> None:
    """At half the pace twice the time lies between the calls."""
    async with pacing([Rate(10, 1)]) as pacer:
        await pacer.acquire()
        pacer.leave()
        pacer.slow_down()
        await pacer.acquire()
        pacer.leave()
        begun = current_time()
        await pacer.acquire()
        pacer.leave()

        assert current_time() - begun == pytest.approx(0.2, rel=0.1)


async def test_halved_pace_holds_for_those_who_ask_one_by_one() -> None:
    """A call that asks when the full pace would let it go waits for the halved one."""
    async with pacing([Rate(10, 1)]) as pacer:
        pacer.slow_down()
        await pacer.acquire()
        pacer.leave()
        begun = current_time()
        await sleep(0.12)
        await pacer.acquire()
        pacer.leave()

        assert current_time() - begun == pytest.approx(0.2, rel=0.1)


async def test_gap_of_a_halved_pace_is_waited_out() -> None:
    """A gap that was set while the pace was halved holds, although the pace is whole again before its end."""
    async with pacing([Rate(1, 10)]) as pacer:
        pacer.slow_down()
        await pacer.acquire()
        pacer.leave()
        begun = current_time()
        await sleep(12)
        await pacer.acquire()
        pacer.leave()

        assert current_time() - begun == pytest.approx(20, rel=0.1)

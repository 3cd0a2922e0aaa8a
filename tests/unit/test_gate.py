"""Which call may go now: places, the shared cool-down, and how throttled answers add up."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial

import pytest
from anyio import create_task_group, current_time, move_on_after, sleep

from bulkip.events import Event, Waiting
from bulkip.gate import Gate
from bulkip.limiter import Pacer
from bulkip.model import Rate
from bulkip.outage import Breaker
from bulkip.policy import Breaker as BreakerRules
from bulkip.policy import Limits

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]


def hear(heard: list[Waiting], event: Event) -> None:
    """Keep what is told about waiting."""
    if isinstance(event, Waiting):
        heard.append(event)


@asynccontextmanager
async def opened(places: int = 4, told: list[Waiting] | None = None) -> AsyncIterator[Gate]:
    """Open a gate with a fast limiter, and keep what it tells."""
    pacer = Pacer([Rate(1000, 1)], 0.03)
    heard = [] if told is None else told
    async with create_task_group() as pacing:
        pacing.start_soon(pacer.run)
        tell = partial(hear, heard)
        yield Gate(pacer, Limits(concurrency=places), Breaker(BreakerRules(), tell), tell)
        pacing.cancel_scope.cancel()


@asynccontextmanager
async def placed(gate: Gate) -> AsyncIterator[None]:
    """Hold an in-flight place."""
    await gate.enter()
    try:
        yield
    finally:
        gate.leave()


@pytest.mark.parametrize("places", [1, 3, 10])
async def test_no_more_in_flight_than_places(places: int) -> None:
    """However many calls want to go, no more than `places` are between asking and answer."""
    inside, most = 0, 0

    async def call(gate: Gate) -> None:
        nonlocal inside, most
        async with placed(gate):
            await gate.turn()
            gate.send_off()
            inside += 1
            most = max(most, inside)
            await sleep(0.5)
            inside -= 1

    async with opened(places) as gate, create_task_group() as group:
        for _ in range(40):
            group.start_soon(call, gate)

    assert most == places


async def test_place_of_a_cancelled_call_is_free_again() -> None:
    """A call that is cancelled, waiting or in flight, gives its place back."""
    async with opened(places=1) as gate:
        with move_on_after(1):
            async with placed(gate):
                await sleep(10)
        async with placed(gate):
            with move_on_after(1):
                async with placed(gate):
                    pass

        with move_on_after(1) as reached:
            async with placed(gate):
                pass

    assert not reached.cancelled_caught


async def test_call_goes_at_once_only_where_nothing_is_to_be_waited_for() -> None:
    """A call takes place and turn without a wait, but none while places are full or everyone pauses."""
    async with opened(places=1) as gate:
        taken = await gate.enter_now()
        gate.send_off()
        full = await gate.enter_now()
        gate.leave()
        gate.pause(60, "throttled")
        paused = await gate.enter_now()

    assert (taken, full, paused) == (True, False, False)


async def test_pause_holds_everyone_up() -> None:
    """During a cool-down nobody gets a turn, and neither does who had asked before it."""
    turns: list[float] = []

    async def call(gate: Gate) -> None:
        for _ in range(20):
            await gate.cooled_down()
            await gate.turn()
            gate.send_off()
            turns.append(current_time())

    async with opened() as gate, create_task_group() as group:
        for _ in range(5):
            group.start_soon(call, gate)
        await sleep(0.01)
        gate.pause(60, "throttled")
        begun = current_time()

    assert [turn for turn in turns if begun < turn < begun + 60] == []
    assert len(turns) == 100


async def test_longer_pause_extends_the_present_one() -> None:
    """A pause that ends later than the present one moves the end for those who wait already."""
    async with opened() as gate:
        begun = current_time()
        gate.pause(10, "throttled")
        async with create_task_group() as group:
            group.start_soon(gate.cooled_down)
            await sleep(5)
            gate.pause(30, "Retry-After")

    assert current_time() - begun == pytest.approx(35, abs=0.01)


async def test_shorter_pause_changes_nothing_and_is_not_told() -> None:
    """A pause that would end before the present one neither shortens it nor is told."""
    told: list[Waiting] = []
    async with opened(told=told) as gate:
        begun = current_time()
        gate.pause(30, "Retry-After")
        gate.pause(10, "throttled")
        await gate.cooled_down()

    assert current_time() - begun == pytest.approx(30, abs=0.01)
    assert told == [Waiting("Retry-After", 30)]


async def test_answers_of_calls_from_before_the_pause_are_one_strike() -> None:
    """Four calls in flight that are all throttled are one cool-down, not four."""
    async with opened() as gate:
        sent_at = current_time()
        await sleep(0.2)
        strikes = []
        for _ in range(4):
            strikes.append(gate.strikes(sent_at))
            gate.pause(1, "throttled")

    assert strikes == [1, 1, 1, 1]


async def test_throttled_again_after_the_pause_is_the_next_strike() -> None:
    """A call that was sent after the cool-down and is throttled makes the next one longer."""
    async with opened() as gate:
        strikes = []
        for _ in range(3):
            await gate.cooled_down()
            sent_at = current_time()
            await sleep(0.2)
            strikes.append(gate.strikes(sent_at))
            gate.pause(1, "throttled")

    assert strikes == [1, 2, 3]


async def test_passed_call_begins_the_count_anew() -> None:
    """After a call that passed, the next throttled answer is a first one."""
    async with opened() as gate:
        gate.strikes(current_time())
        gate.pause(1, "throttled")
        await gate.cooled_down()
        gate.passed(current_time())
        await sleep(0.1)
        strikes = gate.strikes(current_time())

    assert strikes == 1


async def test_call_from_before_the_pause_proves_nothing() -> None:
    """A call that was sent before the cool-down and passed does not begin the count anew."""
    async with opened() as gate:
        sent_at = current_time()
        await sleep(0.1)
        gate.strikes(sent_at)
        gate.pause(1, "throttled")
        gate.passed(sent_at)
        await gate.cooled_down()
        strikes = gate.strikes(current_time())

    assert strikes == 2

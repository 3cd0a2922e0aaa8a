"""When the clock of a test may jump."""

import threading
import time

import anyio
import pytest
from anyio import create_task_group, current_time, move_on_after, sleep, to_thread

from tests.virtualtime import stall

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]


async def test_wait_takes_no_time() -> None:
    """An hour's sleep takes a moment, and the loop's clock shows the hour."""
    begun, really_begun = current_time(), time.monotonic()

    await sleep(3600)

    assert current_time() - begun == pytest.approx(3600, abs=0.001)
    assert time.monotonic() - really_begun < 1


async def test_timers_fire_in_their_order() -> None:
    """Sleepers wake in the order of their times."""
    woken: list[int] = []

    async def wait(seconds: int) -> None:
        await sleep(seconds)
        woken.append(seconds)

    async with create_task_group() as group:
        for seconds in (30, 10, 20):
            group.start_soon(wait, seconds)

    assert woken == [10, 20, 30]


async def test_clock_stands_still_while_a_thread_works() -> None:
    """A slow disk fires no time-out: while a thread works, no timer is jumped to."""
    with move_on_after(0.001) as deadline:
        await to_thread.run_sync(threading.Event().wait, 0.05)

    assert not deadline.cancel_called


async def test_answer_that_is_on_its_way_comes_before_the_time_out() -> None:
    """What one socket of the test has sent reaches the other before a timer is jumped to."""

    async def echo(stream: anyio.abc.SocketStream) -> None:
        async with stream:
            await stream.send(await stream.receive())

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra_attributes[anyio.abc.SocketAttribute.local_port]()
    async with listener, create_task_group() as group:
        group.start_soon(listener.serve, echo)
        with move_on_after(0.01) as deadline:
            async with await anyio.connect_tcp("127.0.0.1", port) as stream:
                await stream.send(b"?")
                answer = await stream.receive()
        group.cancel_scope.cancel()

    assert not deadline.cancel_called
    assert answer == b"?"


async def test_stall_loses_time_at_once() -> None:
    """A stalled loop finds its clock far ahead, and timers late."""
    begun = current_time()

    stall(5)
    await sleep(1)

    assert current_time() - begun == pytest.approx(6, abs=0.001)

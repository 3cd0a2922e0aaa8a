"""How much of large answers is held at once."""

import pytest
from anyio import CancelScope, create_task_group, fail_after, sleep

from bulkip.room import Room

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]

MOST = 100


class Readers:
    """Answers that are read piece by piece into one room."""

    def __init__(self) -> None:
        """Begin with an empty room."""
        self.room = Room(MOST)
        self.held = self.most = self.done = 0

    async def read(self, pieces: int, size: int = 20, pause_s: float = 1.0) -> None:
        """Hold piece after piece, for a while each, and give all of them back."""
        mine = 0
        try:
            with self.room.part() as grow:
                for _ in range(pieces):
                    await grow(size)
                    mine += size
                    self.held += size
                    self.most = max(self.most, self.held)
                    await sleep(pause_s)
                self.done += 1
        finally:
            self.held -= mine


async def test_small_ones_are_read_side_by_side() -> None:
    """As long as there is room, nobody waits."""
    readers = Readers()

    with fail_after(2.5):
        async with create_task_group() as group:
            for _ in range(2):
                group.start_soon(readers.read, 2)

    assert (readers.done, readers.most) == (2, 80)


@pytest.mark.parametrize("count", [2, 16])
async def test_many_hold_no_more_than_the_room_and_the_eldest(count: int) -> None:
    """However many grow beyond the room at once, all come to their end, within the room and one answer."""
    readers = Readers()

    with fail_after(count * 10 + 1):
        async with create_task_group() as group:
            for _ in range(count):
                group.start_soon(readers.read, 10)

    assert readers.done == count
    assert MOST <= readers.most <= MOST + 10 * 20


async def test_what_a_cancelled_one_held_is_free_again() -> None:
    """The next goes on as soon as the eldest is gone, however it ended."""
    readers, eldest = Readers(), CancelScope()

    async def cancelled() -> None:
        with eldest:
            await readers.read(1, size=500, pause_s=3600)

    with fail_after(20):
        async with create_task_group() as group:
            group.start_soon(cancelled)
            await sleep(1)
            group.start_soon(readers.read, 5)
            await sleep(1)
            eldest.cancel()

    assert readers.done == 1

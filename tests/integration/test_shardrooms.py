"""The rooms that shards share: nobody enters one that is being closed, or from which nothing can be sent."""

from types import SimpleNamespace
from typing import Any, Self

import anyio
import pytest

from bulkip.model import ErrorClass
from bulkip.run import shardrooms
from bulkip.run.shardrooms import ShardRooms
from bulkip.stops import Stop, StopKind

KEY = ("run", 1, "")
OVER = Stop(StopKind.HALT, "nothing can be sent", ErrorClass.BREAKER)
CLOSING_S = 0.2


class SlowPacer:
    """A pacer whose end takes a while, as that of a ledger does."""

    def __init__(self, brake: Any) -> None:
        self.brake = brake
        self.alive = True
        self.ending = anyio.Event()

    async def run(self) -> None:
        """Live until cancelled, and then a little longer."""
        try:
            await anyio.sleep_forever()
        finally:
            self.ending.set()
            with anyio.CancelScope(shield=True):
                await anyio.sleep(CLOSING_S)
            self.alive = False


class Wire:
    """A transport that does nothing."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        return


@pytest.fixture
def pacers(monkeypatch: pytest.MonkeyPatch) -> list[SlowPacer]:
    """Return the pacers of the rooms that are opened; an idle room is closed soon."""
    made: list[SlowPacer] = []

    def pacer_of(*arguments: Any) -> SlowPacer:
        made.append(SlowPacer(arguments[-1]))
        return made[-1]

    monkeypatch.setattr(shardrooms, "IDLE_S", 0.05)
    monkeypatch.setattr(shardrooms, "LOOK_S", 0.01)
    monkeypatch.setattr(shardrooms, "pacer_of", pacer_of)
    monkeypatch.setattr(shardrooms, "transport_to", lambda *_arguments, **_options: Wire())
    return made


ENDPOINT: Any = SimpleNamespace(shared=None, purse=SimpleNamespace(made=False))


async def nothing() -> None:
    """Do nothing on leaving."""


def entered(rooms: ShardRooms, heard: list[Stop]) -> Any:
    """Return what enters the room of the account; who is in it hears of stops."""
    job: Any = None
    return rooms.room(KEY, ENDPOINT, job, heard.append, nothing)


def test_closing_room_is_entered_by_nobody(pacers: list[SlowPacer]) -> None:
    """Whoever comes while a room is being closed gets one whose pacer lives."""

    async def main() -> None:
        async with anyio.create_task_group() as group:
            rooms = ShardRooms(group, 2)
            async with entered(rooms, []):
                pass
            await pacers[0].ending.wait()
            async with entered(rooms, []) as room:
                await anyio.sleep(CLOSING_S * 2)
                assert not pacers[0].alive
                assert room.pacer is pacers[1]
                assert pacers[1].alive
            group.cancel_scope.cancel()

    anyio.run(main)


def test_next_shard_gets_a_room_that_works(pacers: list[SlowPacer]) -> None:
    """When nothing can be sent from a room, all in it stop, and the next one gets another."""

    async def main() -> None:
        first: list[Stop] = []
        second: list[Stop] = []
        async with anyio.create_task_group() as group:
            rooms = ShardRooms(group, 2)
            async with entered(rooms, first), entered(rooms, first):
                pacers[0].brake.pull(OVER)
                async with entered(rooms, second) as room:
                    assert room.pacer is pacers[1]
            group.cancel_scope.cancel()
        assert (first, second) == ([OVER, OVER], [])

    anyio.run(main)

"""A door in front of a server in this loop, that can be shut: what a client meets when a server goes away."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import StrEnum

import anyio
from anyio import CancelScope, create_task_group
from anyio.abc import SocketAttribute, SocketStream, TaskGroup

GONE = (anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream, OSError)


class Door(StrEnum):
    """What becomes of a connection: led on, refused, closed at once, or left without an answer."""

    OPEN = "open"
    REFUSING = "refusing"
    CLOSING = "closing"
    SILENT = "silent"


class Doorway:
    """Owns the address that a client calls, in front of the server at another port."""

    def __init__(self, server_port: int, group: TaskGroup) -> None:
        """Lead connections on to this port of the loopback."""
        self._server_port = server_port
        self._group = group
        self._port = 0
        self._listening = CancelScope()
        self._visits = set[CancelScope]()
        self._door = Door.OPEN
        self.knocks = 0

    @property
    def url(self) -> str:
        """The URL to call."""
        return f"http://127.0.0.1:{self._port}/ip.php"

    async def turn(self, door: Door) -> None:
        """Treat connections so from now on; those that are there are cut off."""
        for scope in (self._listening, *self._visits):
            scope.cancel()
        self._door = door
        if door is not Door.REFUSING:
            await self._listen()

    async def _listen(self) -> None:
        listener = await anyio.create_tcp_listener(
            local_host="127.0.0.1", local_port=self._port, reuse_port=True
        )
        self._port = listener.extra_attributes[SocketAttribute.local_port]()
        self._listening = CancelScope()

        async def listen(scope: CancelScope) -> None:
            with scope:
                async with listener:
                    await listener.serve(self._visited, self._group)

        self._group.start_soon(listen, self._listening)

    async def _visited(self, client: SocketStream) -> None:
        self.knocks += 1
        with CancelScope() as visit, suppress(*GONE):
            self._visits.add(visit)
            async with client:
                match self._door:
                    case Door.OPEN:
                        await self._lead_on(client)
                    case Door.SILENT:
                        await anyio.sleep_forever()
        self._visits.discard(visit)

    async def _lead_on(self, client: SocketStream) -> None:
        async with (
            await anyio.connect_tcp("127.0.0.1", self._server_port) as server,
            create_task_group() as both,
        ):
            both.start_soon(_copy, client, server, both.cancel_scope)
            both.start_soon(_copy, server, client, both.cancel_scope)


async def _copy(source: SocketStream, sink: SocketStream, until: CancelScope) -> None:
    """Pass on what comes until either side is gone."""
    with suppress(*GONE):
        async for piece in source:
            await sink.send(piece)
    until.cancel()


@asynccontextmanager
async def doorway(server_port: int) -> AsyncIterator[Doorway]:
    """Open a door in front of the server at this port of the loopback."""
    async with create_task_group() as group:
        door = Doorway(server_port, group)
        await door.turn(Door.OPEN)
        yield door
        group.cancel_scope.cancel()

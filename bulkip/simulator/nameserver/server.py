"""The provider's name servers, as long as they run."""

from contextlib import AsyncExitStack, suppress
from types import TracebackType
from typing import Literal, Self

import anyio
from anyio.abc import ByteStream
from anyio.streams.buffered import BufferedByteReceiveStream

from bulkip.simulator.nameserver.clocks import Clocks
from bulkip.simulator.nameserver.querydesk import Arrival, QueryDesk, Reply
from bulkip.simulator.nameserver.settings import DnsSettings
from bulkip.simulator.nameserver.sockets import Bound, bind

_MOST_CONNECTIONS = 200
_MOST_LATE = 2000
_IDLE_S = 10.0
_GONE = (anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError, anyio.ClosedResourceError)


class NameServers:
    """Owns the sockets of the name servers and who waits at them, for as long as the block lasts."""

    def __init__(self, settings: DnsSettings, desk: QueryDesk, clocks: Clocks) -> None:
        self._settings = settings
        self._desk = desk
        self._clocks = clocks
        self._connections = anyio.CapacityLimiter(_MOST_CONNECTIONS)
        self._late = 0
        self._open = AsyncExitStack()
        self.endpoints: tuple[str, ...] = ()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            bound = await bind(self._settings.hosts, self._settings.port, stack)
            self._tasks = await stack.enter_async_context(anyio.create_task_group())
            stack.callback(self._tasks.cancel_scope.cancel)
            for number, each in enumerate(bound, 1):
                self._tasks.start_soon(self._serve_udp, each, number)
                self._tasks.start_soon(self._serve_tcp, each, number)
            self.endpoints = tuple(each.endpoint for each in bound)
            self._open = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._open.__aexit__(kind, error, trace)

    async def _serve_udp(self, bound: Bound, number: int) -> None:
        """Answer datagrams one after the other; late answers do not hold up the others."""
        async for packet, sender in bound.udp:
            reply = self._settle(packet, number, "udp")
            if reply.packet is None:
                continue
            if not reply.delay_s:
                await bound.udp.sendto(reply.packet, *sender)
            elif self._late < _MOST_LATE:
                self._tasks.start_soon(self._send_late, bound, reply, sender)

    async def _send_late(self, bound: Bound, reply: Reply, sender: tuple[str, int]) -> None:
        self._late += 1
        try:
            await anyio.sleep(reply.delay_s)
            await bound.udp.sendto(reply.packet or b"", *sender)
        finally:
            self._late -= 1

    async def _serve_tcp(self, bound: Bound, number: int) -> None:
        async def answer(stream: ByteStream) -> None:
            async with self._connections, stream:
                with suppress(*_GONE), anyio.move_on_after(_IDLE_S) as idle:
                    await self._converse(stream, number, idle)

        await bound.tcp.serve(answer, self._tasks)

    async def _converse(self, stream: ByteStream, number: int, idle: anyio.CancelScope) -> None:
        """Answer the queries of a connection in order (RFC 7766), until it ends or falls silent."""
        received = BufferedByteReceiveStream(stream)
        while True:
            length = int.from_bytes(await received.receive_exactly(2))
            reply = self._settle(await received.receive_exactly(length), number, "tcp")
            idle.deadline = anyio.current_time() + reply.delay_s + _IDLE_S
            await anyio.sleep(reply.delay_s)
            if reply.packet is not None:
                await stream.send(len(reply.packet).to_bytes(2) + reply.packet)

    def _settle(self, packet: bytes, number: int, transport: Literal["udp", "tcp"]) -> Reply:
        clocks = self._clocks
        return self._desk.settle(Arrival(clocks.monotonic(), clocks.wall(), number, transport, packet))

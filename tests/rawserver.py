"""A server of raw sockets that sends whatever a script says, and the calls made to it."""

import re
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
from anyio.abc import ByteStream, SocketAttribute
from anyio.lowlevel import checkpoint
from anyio.streams.tls import TLSListener

from bulkip.policy import Timeouts
from bulkip.transport import Transport
from bulkip.wire import ApiRequest, Reply

TOKEN = "tok/4f3c+2b"
QUICK = Timeouts(connect_s=0.3, attempt_s=0.4)
PATIENT = Timeouts(connect_s=5.0, attempt_s=10.0)
READ = ApiRequest("get_ip", {"ip": "203.0.113.7"})
FINE = b'HTTP/1.1 200 OK\r\nContent-Length: 15\r\n\r\n{"result":"OK"}'
HEAD = b"HTTP/1.1 200 OK\r\n"
GONE = (anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream)


@dataclass
class Caller:
    """One connection, seen from the server."""

    stream: ByteStream
    number: int
    seen: list[bytes]

    async def request(self) -> bytes:
        """Wait for a whole request and keep it."""
        text = b""
        while not (found := re.match(rb"(?is)(.*?content-length: (\d+).*?\r\n\r\n)(.*)", text)) or len(
            found[3]
        ) < int(found[2]):
            text += await self.stream.receive()
        self.seen.append(text)
        return text

    async def answer(self, *pieces: bytes) -> None:
        """Take a request, then send these bytes."""
        await self.request()
        for piece in pieces:
            await self.stream.send(piece)

    async def reset(self) -> None:
        """Close the connection with a TCP reset."""
        raw = self.stream.extra(SocketAttribute.raw_socket)  # noqa: S610 - no Django here
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        await self.stream.aclose()

    async def silence(self) -> None:
        """Wait until the client goes away."""
        with anyio.move_on_after(5):
            await self.stream.receive()


Script = Callable[[Caller], Awaitable[None]]


@dataclass
class RawServer:
    """A server that sends whatever its script says, and keeps what it was sent."""

    url: str
    seen: list[bytes] = field(default_factory=list)
    connections: int = 0


@asynccontextmanager
async def serving(script: Script, tls: ssl.SSLContext | None = None) -> AsyncIterator[RawServer]:
    """Run a script for every connection."""
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra_attributes[SocketAttribute.local_port]()
    server = RawServer(f"{'https' if tls else 'http'}://localhost:{port}/ip.php")

    async def connected(stream: ByteStream) -> None:
        server.connections += 1
        try:
            await script(Caller(stream, server.connections, server.seen))
        except GONE:
            pass
        finally:
            await stream.aclose()

    secured = TLSListener(listener, tls, standard_compatible=False) if tls else listener
    async with secured, anyio.create_task_group() as tasks:
        tasks.start_soon(secured.serve, connected)
        yield server
        tasks.cancel_scope.cancel()


def one(*pieces: bytes) -> Script:
    """Answer each request with these bytes, then close."""

    async def script(caller: Caller) -> None:
        await caller.answer(*pieces)

    return script


def held(*pieces: bytes) -> Script:
    """Answer with these bytes and keep the connection open."""

    async def script(caller: Caller) -> None:
        await caller.answer(*pieces)
        await caller.silence()

    return script


async def arrived() -> None:
    """Let what the server has sent reach the client's side of its sockets."""
    await anyio.wait_all_tasks_blocked()
    for _ in range(5):
        await checkpoint()


async def ask(url: str, timeouts: Timeouts = PATIENT, request: ApiRequest = READ) -> Reply:
    """Send one request over a transport of its own."""
    async with Transport(url, token=lambda: TOKEN, timeouts=timeouts) as transport:
        return await transport.send(request)


async def asked(script: Script, timeouts: Timeouts = PATIENT) -> Reply:
    """Send one request to a server with this script."""
    async with serving(script) as server:
        return await ask(server.url, timeouts)

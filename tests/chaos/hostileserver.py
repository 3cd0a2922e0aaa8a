"""An account at a provider that misbehaves on the wire: what it holds, what it was asked, what it did.

It listens in a thread of its own and speaks ip.php as far as a run needs it.
What is asked of it about one address can be answered by a `Kind` of misbehaviour;
its state and its log are the truth that reports are compared with.
"""

import asyncio
import json
import re
import socket
import ssl
import struct
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any
from urllib.parse import parse_qsl

GONE = (ConnectionError, TimeoutError, OSError, asyncio.IncompleteReadError)
LINGER_NOT = struct.pack("ii", 1, 0)
PATIENCE_S = 30
CLIENT_HELLO = b"\x16"
"""How a client begins who takes this for a TLS port."""
WRITES = frozenset({"update_ptr"})
ROWS = [{"timestamp": "2026-09-01T00:00:00Z", "in": 1.25, "out": 0.85}]
_LENGTH = re.compile(rb"(?i)\r\ncontent-length: (\d+)")


class Closing(StrEnum):
    """How a server ends a connection on which it has answered often enough."""

    SAYING_SO = "saying so"  # with `Connection: close` in its last answer
    SILENTLY = "silently"  # right after its last answer
    UNDER_A_REQUEST = "under a request"  # which it takes, carries out, and never answers


class Claim(StrEnum):
    """What a strict reader makes of an answer."""

    NOTHING = "nothing"  # it proves neither success nor refusal
    SUCCESS = "success"
    DENIAL = "denial"  # a refusal by we know not whom, or in words that nobody knows
    REFUSAL = "refusal"  # in so many words, or by a status that says "at the door"


@dataclass(slots=True)
class Call:
    """A request that has arrived, and the way to answer it.

    `fine` is the honest answer, `trap` the origin of another server, which
    nothing should ever reach.
    """

    form: Mapping[str, str]
    fine: dict[str, Any]
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    trap: str

    @property
    def token(self) -> str:
        """The secret that came with the request."""
        return self.form["token"]

    @property
    def body(self) -> bytes:
        """The honest answer as bytes."""
        return json.dumps(self.fine).encode()

    async def send(self, *pieces: bytes) -> None:
        """Send bytes, and wait until there is room for more."""
        for piece in pieces:
            self.writer.write(piece)
            await self.writer.drain()

    async def endless(self, *pieces: bytes, pause_s: float = 0) -> None:
        """Send bytes over and over until the client goes away."""
        while not self.reader.at_eof():
            await self.send(*pieces)
            await asyncio.sleep(pause_s)

    async def hold(self) -> None:
        """Keep the connection open until the client goes away."""
        await self.reader.read()

    def reset(self) -> None:
        """End the connection with a TCP reset."""
        raw = self.writer.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_NOT)
        self.writer.transport.abort()


Play = Callable[[Call], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Kind:
    """A way to misbehave; after `play` the connection is closed unless `keeps` says otherwise.

    `slow` ones take the whole time of an attempt; `actions` are those that it makes sense for.
    """

    name: str
    play: Play
    claim: Claim = Claim.NOTHING
    keeps: bool = False
    slow: bool = False
    actions: tuple[str, ...] = ("get_ptr", "update_ptr")


@dataclass(frozen=True, slots=True)
class Fault:
    """A kind of misbehaviour towards one address, after some honest calls; `times` None is for ever."""

    kind: Kind
    applied: bool = False
    times: int | None = None
    honest: int = 0

    def strikes(self, call: int) -> bool:
        """Say whether the call of this number, from 1, meets it."""
        return call > self.honest and (self.times is None or call <= self.honest + self.times)


@dataclass(frozen=True, slots=True)
class Seen:
    """One request as it arrived."""

    connection: int
    action: str
    ip: str
    form: Mapping[str, str]


def http(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    """Return an answer with its length and these headers."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


@dataclass
class HostileServer:
    """Owns the account: PTR names by address, faults by action and address, and the log.

    With `answers_per_connection` it closes every connection after so many.
    """

    names: dict[str, str]
    faults: dict[tuple[str, str], Fault] = field(default_factory=dict)
    answers_per_connection: int | None = None
    closing: Closing = Closing.SILENTLY
    trap: str = "http://127.0.0.1:9"
    log: list[Seen] = field(default_factory=list)
    heads: list[bytes] = field(default_factory=list)
    connections: int = 0
    url: str = ""

    def __post_init__(self) -> None:
        self._calls: Counter[tuple[str, str]] = Counter()

    def count(self, action: str) -> int:
        """Return how often an action was asked for."""
        return sum(seen.action == action for seen in self.log)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        number, answers = self.connections, 0
        with suppress(*GONE):
            while answers != self.answers_per_connection:
                call = await self._receive(number, reader, writer)
                answers += 1
                last = answers == self.answers_per_connection and self.closing is Closing.SAYING_SO
                if not await self._answer(call, last=last):
                    return
            if self.closing is Closing.UNDER_A_REQUEST:
                self._carry_out(await self._receive(number, reader, writer), applied=True)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection, and close it."""
        await self._converse(reader, writer)
        with suppress(*GONE):
            writer.close()
            await writer.wait_closed()

    async def _receive(self, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Call:
        first = await reader.readexactly(1)
        if first == CLIENT_HELLO:
            writer.write(http(b"", "400 Bad Request"))
            raise ConnectionAbortedError
        head = first + await reader.readuntil(b"\r\n\r\n")
        self.heads.append(head)
        length = _LENGTH.search(head)
        body = await reader.readexactly(int(length[1]) if length else 0)
        form = dict(parse_qsl(body.decode(), keep_blank_values=True))
        self.log.append(Seen(number, form.get("action", ""), form.get("ip", ""), form))
        return Call(form, {}, reader, writer, self.trap)

    async def _answer(self, call: Call, *, last: bool) -> bool:
        """Answer a call, and say whether the connection goes on."""
        action, ip = call.form.get("action", ""), call.form.get("ip", "")
        self._calls[action, ip] += 1
        fault = self.faults.get((action, ip))
        if fault is not None and not fault.strikes(self._calls[action, ip]):
            fault = None
        self._carry_out(call, applied=fault is None or fault.applied)
        call.fine = self._fine(action, ip)
        if fault is not None:
            await fault.kind.play(call)
            return fault.kind.keeps
        await call.send(http(call.body, "200 OK", *(["Connection: close"] if last else [])))
        return True

    def _carry_out(self, call: Call, *, applied: bool) -> None:
        if call.form["action"] in WRITES and applied:
            self.names[call.form["ip"]] = call.form["ptr"]

    def _fine(self, action: str, ip: str) -> dict[str, Any]:
        match action:
            case "get_ptr":
                return {"result": "OK", "message": self.names[ip]}
            case "get_traffic":
                return {"result": "OK", "traffic": ROWS}
            case "get_ip":
                network = {"network": "10.0.0.0", "netmask": "255.0.0.0", "gateway": "10.0.0.1"}
                return {"result": "OK", "data": {**network, "broadcast": "10.255.255.255"}}
            case "get_client_ip":
                return {"ip": "127.0.0.1"}
            case "update_ptr":
                return {"result": "OK", "message": ""}
            case _:
                return {"code": -1, "message": "unknown action"}


@contextmanager
def serving(server: HostileServer, tls: ssl.SSLContext | None = None) -> Iterator[HostileServer]:
    """Run the server in a thread with a loop of its own until the block ends."""
    loop = asyncio.new_event_loop()
    listening = threading.Event()

    async def serve() -> None:
        # a backlog and a buffer wide enough that the server is never the one who waits
        listener = await asyncio.start_server(
            server.serve, "127.0.0.1", 0, backlog=1024, limit=2**20, ssl=tls
        )
        server.url = f"{'https' if tls else 'http'}://127.0.0.1:{listener.sockets[0].getsockname()[1]}/ip.php"
        stopping.append((asyncio.current_task(), loop))
        listening.set()
        with suppress(asyncio.CancelledError):
            await listener.serve_forever()
        everyone = asyncio.all_tasks() - {asyncio.current_task()}
        for task in everyone:
            task.cancel()
        await asyncio.gather(*everyone, return_exceptions=True)

    stopping: list[Any] = []
    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    try:
        assert listening.wait(PATIENCE_S)
        yield server
    finally:
        loop.call_soon_threadsafe(stopping[0][0].cancel)
        thread.join(PATIENCE_S)
        loop.close()

"""A name server that answers whatever a script says, byte by byte if need be, and replies for it."""

import struct
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
import dns.flags
import dns.message
import dns.rcode
import dns.rrset
from anyio.abc import ByteStream, SocketAttribute, UDPSocket
from anyio.streams.buffered import BufferedByteReceiveStream

LOCALHOST = "127.0.0.1"
GONE = (anyio.BrokenResourceError, anyio.ClosedResourceError, anyio.EndOfStream, anyio.IncompleteRead)


@dataclass(frozen=True, slots=True)
class Question:
    """A question as it arrived, and from where."""

    message: dns.message.Message
    tcp: bool = False
    client: tuple[str, int] = (LOCALHOST, 0)

    @property
    def name(self) -> str:
        """The name that is asked for."""
        return self.message.question[0].name.to_text()

    @property
    def kind(self) -> str:
        """The type that is asked for, such as `PTR`."""
        return str(self.message.question[0].rdtype.name)

    @property
    def recursive(self) -> bool:
        """Whether the server is asked to look further."""
        return bool(self.message.flags & dns.flags.RD)

    @property
    def edns(self) -> bool:
        """Whether the question has EDNS."""
        return self.message.edns >= 0


Reply = dns.message.Message | bytes
Script = Callable[[Question], Iterable[Reply]]
"""What is sent for a question, one datagram or message each; nothing is silence."""


@dataclass
class NameServer:
    """A running server, and what it was asked."""

    address: str
    port: int
    seen: list[Question] = field(default_factory=list)

    @property
    def endpoint(self) -> str:
        """Where it listens, as a job file writes it."""
        return f"{self.address}:{self.port}"


@asynccontextmanager
async def answering(
    script: Script, *, address: str = LOCALHOST, port: int = 0, tcp: bool = True
) -> AsyncIterator[NameServer]:
    """Answer questions by a script, over UDP and, unless told otherwise, over TCP."""
    listener = await anyio.create_tcp_listener(local_host=address, local_port=port)
    server = NameServer(address, listener.extra_attributes[SocketAttribute.local_port]())

    async def connected(stream: ByteStream) -> None:
        try:
            if tcp:
                await _converse(stream, server, script)
        except GONE:
            pass
        finally:
            await stream.aclose()

    datagrams = await anyio.create_udp_socket(local_host=address, local_port=server.port)
    async with listener, datagrams, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, connected)
        tasks.start_soon(_serve, datagrams, server, script)
        yield server
        tasks.cancel_scope.cancel()


async def _serve(datagrams: UDPSocket, server: NameServer, script: Script) -> None:
    async for wire, (host, port) in datagrams:
        question = Question(dns.message.from_wire(wire), client=(host, port))
        server.seen.append(question)
        for reply in script(question):
            await datagrams.sendto(_wire(reply), host, port)


async def _converse(stream: ByteStream, server: NameServer, script: Script) -> None:
    received = BufferedByteReceiveStream(stream)
    while True:
        (length,) = struct.unpack("!H", await received.receive_exactly(2))
        question = Question(dns.message.from_wire(await received.receive_exactly(length)), tcp=True)
        server.seen.append(question)
        for reply in script(question):
            wire = _wire(reply)
            await stream.send(wire if isinstance(reply, bytes) else struct.pack("!H", len(wire)) + wire)


def _wire(reply: Reply) -> bytes:
    return reply if isinstance(reply, bytes) else reply.to_wire(max_size=65535)


def reply_to(
    question: Question,
    *,
    answer: Sequence[str] = (),
    authority: Sequence[str] = (),
    additional: Sequence[str] = (),
    rcode: dns.rcode.Rcode = dns.rcode.NOERROR,
    flags: dns.flags.Flag = dns.flags.AA,
) -> dns.message.Message:
    """Return a reply; records are written `name. TYPE value`."""
    reply = dns.message.make_response(question.message)
    reply.flags |= flags
    reply.set_rcode(rcode)
    sections = ((reply.answer, answer), (reply.authority, authority), (reply.additional, additional))
    for section, records in sections:
        for record in records:
            owner, kind, value = record.split(" ", 2)
            (rdata,) = one = dns.rrset.from_text(owner, 60, "IN", kind, value)
            reply.find_rrset(section, one.name, one.rdclass, one.rdtype, create=True).add(rdata, 60)
    return reply

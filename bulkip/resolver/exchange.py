"""How does one question reach one server, and what comes back? UDP first, TCP where UDP is too small."""

from errno import EADDRNOTAVAIL, EAFNOSUPPORT, ENETUNREACH
from socket import AF_INET, AF_INET6, SOCK_DGRAM, AddressFamily, socket

from anyio import CapacityLimiter, move_on_after
from dns.asyncbackend import get_backend
from dns.asyncquery import tcp
from dns.exception import DNSException
from dns.flags import RD, TC
from dns.message import QueryMessage, from_wire, make_query
from dns.name import Name
from dns.rcode import BADVERS, FORMERR, NOTIMP
from dns.rdatatype import RdataType

from bulkip.proof import Trouble
from bulkip.resolver.servers import NO_ROUTE, Server

PAYLOAD = 1232
"""So many bytes of a UDP answer pass every usual path unbroken (DNS flag day 2020)."""
LARGEST = 65535
SILENT_AFTER = 3
"""A server that gave no answer to so many questions in a row is tried once, and for less long."""
MOST_REMEMBERED = 10_000

_BACKEND = get_backend("asyncio")
_WITHOUT_ROUTE = (EADDRNOTAVAIL, EAFNOSUPPORT, ENETUNREACH)
_WITHOUT_EDNS = (BADVERS, FORMERR, NOTIMP)
_NO_ANSWER = "broke off, or sent what is no DNS answer"
_LOST_BY = (OSError, EOFError, DNSException)


class Exchange:
    """Owns how many questions are on their way at once, and who has been silent lately.

    A try without an answer is followed by one without EDNS, which some old
    servers and firewalls drop.
    """

    def __init__(self, timeout_s: float, tries: int, in_flight: int) -> None:
        """Wait so long for each try, and have at most so many questions on their way."""
        self._timeout_s = timeout_s
        self._tries = tries
        self._places = CapacityLimiter(in_flight)
        self._silent: dict[Server, int] = {}
        self._plain: set[Server] = set()

    def silence(self, server: Server) -> int:
        """Return how many questions in a row a server left without an answer."""
        return self._silent.get(server, 0)

    async def ask(
        self, server: Server, name: Name, kind: RdataType, *, recursive: bool
    ) -> QueryMessage | Trouble:
        """Return the server's reply, whatever it says, or why there is none."""
        is_silent = self.silence(server) >= SILENT_AFTER
        tries, timeout_s = (1, self._timeout_s / 3) if is_silent else (self._tries, self._timeout_s)
        edns = server not in self._plain
        async with self._places:
            for _ in range(tries):
                reply = await self._try(server, _query(name, kind, recursive=recursive, edns=edns), timeout_s)
                if reply is not None:
                    self._note_answer(server, edns=edns)
                    return reply
                edns = not edns
        self._note_silence(server)
        return Trouble(f"no answer within {timeout_s:g} s, asked {_times(tries)}")

    async def _try(
        self, server: Server, query: QueryMessage, timeout_s: float
    ) -> QueryMessage | Trouble | None:
        """Ask once; None when nothing came in time."""
        reply: QueryMessage | Trouble | None = None
        with move_on_after(timeout_s):
            reply = await _heard(server, query)
        if isinstance(reply, QueryMessage) and reply.flags & TC:
            return await self._whole(server, query)
        return reply

    async def _whole(self, server: Server, query: QueryMessage) -> QueryMessage | Trouble:
        """Ask again over TCP, because the answer did not fit."""
        reply: QueryMessage | Trouble = Trouble(f"gave no answer within {self._timeout_s:g} s")
        with move_on_after(self._timeout_s):
            reply = await _over_tcp(server, query)
        if isinstance(reply, Trouble):
            return Trouble(f"its answer needs TCP, and over TCP it {reply.reason}")
        return reply

    def _note_answer(self, server: Server, *, edns: bool) -> None:
        self._silent.pop(server, None)
        if edns:
            self._plain.discard(server)
        elif len(self._plain) < MOST_REMEMBERED:
            self._plain.add(server)

    def _note_silence(self, server: Server) -> None:
        if len(self._silent) < MOST_REMEMBERED:
            self._silent[server] = self.silence(server) + 1


async def _heard(server: Server, query: QueryMessage) -> QueryMessage | Trouble:
    """Ask over UDP, and without EDNS when the server takes offence at it."""
    try:
        reply = await _over_udp(server, query)
        if reply.rcode() in _WITHOUT_EDNS and query.edns >= 0:
            query.use_edns(-1)
            reply = await _over_udp(server, query)
    except _LOST_BY as error:
        return _lost(error)
    return reply


async def _over_udp(server: Server, query: QueryMessage) -> QueryMessage:
    """Ask through a connected socket: the kernel drops what others send, and tells when nobody listens."""
    family, place = AF_INET6 if ":" in server.address else AF_INET, (server.address, server.port)
    _check_route(family, place)
    make_socket = _BACKEND.make_socket
    datagrams = await make_socket(family, SOCK_DGRAM, destination=place)  # type: ignore[no-untyped-call] # theirs
    async with datagrams:
        await datagrams.sendto(query.to_wire(), None, None)
        while True:
            wire, _ = await datagrams.recvfrom(LARGEST, None)
            if (reply := reply_in(wire, query)) is not None:
                return reply


def _check_route(family: AddressFamily, place: tuple[str, int]) -> None:
    """Raise `OSError` when the machine cannot send there; uvloop would leave its socket open."""
    with socket(family, SOCK_DGRAM) as probe:
        probe.settimeout(0)
        probe.connect(place)


async def _over_tcp(server: Server, query: QueryMessage) -> QueryMessage | Trouble:
    try:
        reply = await tcp(query, server.address, port=server.port, backend=_BACKEND)
    except _LOST_BY as error:
        return _lost(error)
    return reply if isinstance(reply, QueryMessage) else Trouble(_NO_ANSWER)


def reply_in(wire: bytes, query: QueryMessage) -> QueryMessage | None:
    """Return the reply in a datagram; one that does not answer this query may be forged and is no reply."""
    try:
        reply = from_wire(wire, ignore_trailing=True, continue_on_error=True)
    except DNSException:
        return None
    if not isinstance(reply, QueryMessage) or not query.is_response(reply):
        return None
    return reply if reply.flags & TC or not reply.errors else None


def _query(name: Name, kind: RdataType, *, recursive: bool, edns: bool) -> QueryMessage:
    return make_query(
        name, kind, flags=RD if recursive else 0, use_edns=edns, payload=PAYLOAD if edns else None
    )


def _lost(error: Exception) -> Trouble:
    """Return what became of a question, as the end of a sentence about its server."""
    match error:
        case ConnectionRefusedError():
            return Trouble("refused the connection; no name server listens there")
        case OSError(errno=number) if number in _WITHOUT_ROUTE:
            return NO_ROUTE
        case OSError(strerror=text):
            return Trouble(f"could not be reached: {text or type(error).__name__}")
        case _:
            return Trouble(_NO_ANSWER)


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count} times"

"""Which connection may carry the next request? One on which nothing has happened since its last answer."""

import asyncio
import select
from collections.abc import Callable
from functools import partial
from math import inf
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.http import RawResponseMessage
from aiohttp.http_exceptions import HttpProcessingError

MOST_STATUS_LINES = 32
"""More in one reading are not the answer to one request."""
IDLE_MOST_S = 15.0
"""An idle connection is not used again after so long: what lies between may have forgotten it."""
INTERIM = range(100, 200)
SWITCHING = 101
"""The one interim status after which no HTTP follows."""


class StaleConnectionError(aiohttp.ClientConnectionError):
    """Raised when a new connection holds an answer, or an end, before the request was sent."""


class Receiver(ResponseHandler):
    """Takes what arrives on one connection, but no flood of interim answers.

    aiohttp parses all that one reading brought before it lets go of any: ten
    thousand answers `100 Continue` fit into a quarter of a mebibyte, and are a
    hundred times as large once they are parsed.
    """

    requests = 0
    is_waiting = False
    tell_loss: Callable[[int], None] | None = None
    _news: "select.poll | None" = None
    _due = inf
    _alarm: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, and keep what asks the socket: making it costs more than asking."""
        super().connection_made(transport)
        if (socket := transport.get_extra_info("socket")) is not None:
            self._news = select.poll()
            self._news.register(socket.fileno(), select.POLLIN)

    def has_news(self) -> bool:
        """Ask the socket whether bytes or an end have arrived that nobody has read yet."""
        return self._news is None or bool(self._news.poll(0))

    def begin(self, deadline: float) -> None:
        """Count a request that is about to be sent; its answer has until `deadline`, in loop time."""
        if not self.requests:
            self.set_response_params(read_until_eof=True)
        self.requests += 1
        self.is_waiting = True
        self._due = deadline
        if self._alarm is None:
            self._alarm = self._loop.call_at(deadline, self._look_at_clock)

    def end(self) -> None:
        """Forget the deadline; the timer stays for the next one: setting it costs more than a look."""
        self._due = inf

    def _look_at_clock(self) -> None:
        """End the wait for an answer whose time is up, however far it has come."""
        self._alarm = None
        if self._due == inf:
            return
        if self._due > self._loop.time():
            self._alarm = self._loop.call_at(self._due, self._look_at_clock)
            return
        error = TimeoutError()
        if self._payload is not None:
            self._payload.set_exception(error)
        self.set_exception(error)

    def resume_reading(self, resume_parser: bool = True) -> None:  # noqa: FBT001, FBT002 -- as aiohttp calls it
        """Go on reading after a pause; where there was none, aiohttp would wake its parser for nothing."""
        if self._reading_paused:
            super().resume_reading(resume_parser)

    def data_received(self, data: bytes) -> None:
        """Hand bytes on to the parser, or end the connection."""
        self.is_waiting = False
        if data.count(b"HTTP/") <= MOST_STATUS_LINES:
            super().data_received(data)
        elif self.transport is not None:
            self.transport.close()
            self.set_exception(HttpProcessingError(message="too many status lines"))

    def connection_lost(self, exc: BaseException | None) -> None:
        """End, and tell after how many answers, where a request got none."""
        if self.is_waiting and self.tell_loss is not None:
            self.tell_loss(self.requests - 1)
        self.is_waiting = False
        if self._alarm is not None:
            self._alarm.cancel()
        super().connection_lost(exc)


class Line:
    """Owns one connection, for one request at a time; only a whole answer lets others use it."""

    def __init__(self, connection: Connection, receiver: Receiver, owner: "Connector") -> None:
        """Take over a connection that the connector found fit."""
        self.receiver = receiver
        self.idle_since = 0.0
        self._connection = connection
        self._owner = owner
        self._is_answered = False

    def __enter__(self) -> Self:
        self._is_answered = False
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Keep the connection for others, or close it when its answer is still to come."""
        self.receiver.end()
        if not self._is_answered or self.receiver.should_close:
            self.close()
        elif self._owner.is_asked:
            self._connection.release()
        else:
            self._owner.keep(self)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def send(self, request: bytes, deadline: float) -> None:
        """Send a whole request; its answer has until `deadline`, in loop time.

        Raises StaleConnectionError, and nothing is sent, when the connection is gone.
        """
        transport = self.receiver.transport
        if transport is None or transport.is_closing():
            raise StaleConnectionError
        self.receiver.begin(deadline)
        transport.write(request)

    async def answer(self) -> tuple[RawResponseMessage, aiohttp.StreamReader]:
        """Return the head of the answer and its content; interim answers are passed over."""
        while True:
            head, content = await self.receiver.read()
            if head.code not in INTERIM or head.code == SWITCHING:
                self._is_answered = True
                return head, content


class Connector(aiohttp.TCPConnector):
    """Owns the connections to one server.

    aiohttp keeps what arrives on an idle connection, and hands it out as the
    answer to the next request: a write would succeed without having happened.
    And a server that closes an idle connection may be quicker than the loop,
    which would send a write to nobody. So the socket is asked every time.

    Some servers close under the next request. When two connections in a row
    died so after the same number of answers, no connection gets more requests.
    """

    def __init__(self, limit: int) -> None:
        """Keep at most so many connections."""
        super().__init__(limit=limit)
        self._factory = partial(self._receiver)
        self._last_loss = self._most_requests = 0
        self._idle: list[Line] = []
        self._asking = 0

    @property
    def is_asked(self) -> bool:
        """Whether somebody waits for a connection of aiohttp's."""
        return self._asking > 0

    def _receiver(self) -> ResponseHandler:
        receiver = Receiver(self._loop)
        receiver.tell_loss = self._learn
        return receiver

    def _learn(self, answers: int) -> None:
        if answers and answers == self._last_loss:
            self._most_requests = min(answers, self._most_requests or answers)
        self._last_loss = answers

    async def line(self, request: aiohttp.ClientRequest, patience: aiohttp.ClientTimeout) -> Line:
        """Return an idle connection or a new one, unless the server has spoken on that already."""
        while self._idle:
            line = self._idle.pop()
            if self._loop.time() - line.idle_since < IDLE_MOST_S and self._is_fit(line.receiver, request):
                return line
            line.close()
        while True:
            line = await self._of_aiohttp(request, patience)
            if self._is_fit(line.receiver, request):
                return line
            line.close()
            if not line.receiver.requests:
                raise StaleConnectionError

    def keep(self, line: Line) -> None:
        """Keep a connection for the next request; aiohttp's own keeping costs three times as much."""
        line.idle_since = self._loop.time()
        self._idle.append(line)

    async def close_all(self) -> None:
        """Close every connection."""
        while self._idle:
            self._idle.pop().close()
        await self.close()

    async def _of_aiohttp(self, request: aiohttp.ClientRequest, patience: aiohttp.ClientTimeout) -> Line:
        self._asking += 1
        try:
            connection = await self.connect(request, [], patience)
        finally:
            self._asking -= 1
        if not isinstance(connection.protocol, Receiver):
            raise TypeError("aiohttp makes its connections in another way now")
        return Line(connection, connection.protocol, self)

    def _is_fit(self, receiver: Receiver, request: aiohttp.ClientRequest) -> bool:
        if receiver.should_close or (self._most_requests and receiver.requests >= self._most_requests):
            return False
        # a TLS server begins to talk of its own accord; on a new connection only decoded bytes are news
        return (not receiver.requests and request.is_ssl()) or not receiver.has_news()

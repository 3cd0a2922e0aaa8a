"""Which connection may carry the next request? One on which nothing has happened since its last answer."""

import select
from collections.abc import Callable
from functools import partial

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.tracing import Trace

MOST_STATUS_LINES = 32
"""More in one reading are not the answer to one request."""


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

    def begin(self) -> None:
        """Count a request that is about to be sent."""
        self.requests += 1
        self.is_waiting = True

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
        super().connection_lost(exc)


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

    def _receiver(self) -> ResponseHandler:
        receiver = Receiver(self._loop)
        receiver.tell_loss = self._learn
        return receiver

    def _learn(self, answers: int) -> None:
        if answers and answers == self._last_loss:
            self._most_requests = min(answers, self._most_requests or answers)
        self._last_loss = answers

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109 -- aiohttp names it
    ) -> Connection:
        """Return an idle connection or a new one, unless the server has spoken on that already."""
        while True:
            connection = await super().connect(req, traces, timeout)
            receiver = connection.protocol
            if not isinstance(receiver, Receiver):
                raise TypeError("aiohttp makes its connections in another way now")
            if self._is_fit(receiver, is_tls=req.is_ssl()):
                receiver.begin()
                return connection
            connection.close()
            if not receiver.requests:
                raise StaleConnectionError

    def _is_fit(self, receiver: Receiver, *, is_tls: bool) -> bool:
        if receiver.should_close or (self._most_requests and receiver.requests >= self._most_requests):
            return False
        # a TLS server begins to talk of its own accord; on a new connection only decoded bytes are news
        return (is_tls and not receiver.requests) or not _has_news(receiver)


def _has_news(receiver: Receiver) -> bool:
    """Ask the socket whether bytes or an end have arrived that nobody has read yet."""
    socket = receiver.transport.get_extra_info("socket") if receiver.transport else None
    if socket is None:
        return True
    asked = select.poll()
    asked.register(socket.fileno(), select.POLLIN)
    return bool(asked.poll(0))

"""How does a request reach the server, and what comes back?

The connections, their TLS and the reading of answers are aiohttp's; the one
request that this API knows is written here, because a session prepares every
request anew for cookies, redirects, proxies and traces that bulkip must not
have: that took two thirds of what a call costs.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from urllib.parse import urljoin

import aiohttp
from anyio import fail_after
from yarl import URL

from bulkip.actions import ACTIONS
from bulkip.clock import loop_clock
from bulkip.connections import Connector, Line, StaleConnectionError
from bulkip.formdata import encoded
from bulkip.losses import LOST_BY, after_sending, before_sending
from bulkip.policy import Timeouts
from bulkip.room import Room
from bulkip.version import __version__
from bulkip.wire import Answer, ApiRequest, Failure, FailureKind, Reply, SendOff

BODY_CAP = 8 * 2**20
"""So many decoded bytes of an answer are read; more is no answer of this API."""
LARGE_BODY = 2**18
"""From so many bytes on an answer is large."""
LARGE_AT_ONCE = 2**22
"""So many bytes of large answers are held at once; the rest waits on the wire, where it costs nothing."""
USER_AGENT = f"bulkip/{__version__}"

_OWN_SCRIPT = "ip.php"
_KEPT_HEADERS = ("content-type", "date", "location", "retry-after")
_HEADERS = {
    "User-Agent": USER_AGENT,
    "Accept": "application/json",
    "Accept-Encoding": "gzip, deflate",  # what is decoded without further packages
    "Content-Type": "application/x-www-form-urlencoded",
}


@dataclass(frozen=True, slots=True)
class _Script:
    """A script of the API: how its connections are told apart, and what a request to it begins with."""

    connecting: aiohttp.ClientRequest
    head: bytes


class Transport:
    """Sends requests to one API and owns the connections to it.

    Never follows a redirect, keeps a cookie, or heeds a proxy of the
    environment: each could carry the token to somebody else. Without `writes`
    it refuses whatever could change something.
    """

    def __init__(
        self,
        url: str,
        *,
        token: Callable[[], str],
        timeouts: Timeouts,
        connections: int = 4,
        writes: bool = True,
    ) -> None:
        """Speak to the API at this URL; `token` is asked before every call, because it may be renewed."""
        self._url = url
        self._token = token
        self._timeouts = timeouts
        connect_s = min(timeouts.connect_s, timeouts.attempt_s)  # with name resolution
        self._patience = aiohttp.ClientTimeout(connect=connect_s, sock_connect=connect_s)
        self._connections = connections
        self._writes = writes
        self._connector: Connector | None = None
        self._scripts: dict[str, _Script] = {}
        self._room = Room(LARGE_AT_ONCE)

    async def __aenter__(self) -> Self:
        """Begin; connections follow on demand."""
        self._connector = Connector(self._connections)
        return self

    async def __aexit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        """Close every connection."""
        connector, self._connector = self._connector, None
        if connector is not None:
            await connector.close_all()

    async def send(self, request: ApiRequest, send_off: SendOff = lambda: None) -> Reply:
        """Post a request once and return the answer, or where on the way it was lost.

        Nothing is sent a second time here, whatever happens to the connection.
        `send_off` is called once: when the request is about to leave on a
        connection that is there, or when there is none for it. What it returns is
        waited for before the request leaves.
        Raises RuntimeError for a write where none may be sent.
        """
        if not self._writes and _is_write(request):
            raise RuntimeError(f"{request.action} writes, and nothing may be written here; nothing was sent")
        if self._connector is None:
            raise RuntimeError("the transport is closed; send inside `async with`")
        body = encoded(request.action, request.form, self._token() if request.needs_token else None)
        deadline = loop_clock()() + self._timeouts.attempt_s
        try:
            script = self._scripts.get(request.script) or self._learned(request.script)
            line = await self._connector.line(script.connecting, self._patience)
        except LOST_BY as error:
            return before_sending(error, self._timeouts)
        finally:
            another_turn = send_off()
        with line:
            if another_turn is not None:
                await another_turn()
                deadline = loop_clock()() + self._timeouts.attempt_s
            return await self._exchange(line, b"%b%d\r\n\r\n%b" % (script.head, len(body), body), deadline)

    async def _exchange(self, line: Line, request: bytes, deadline: float) -> Reply:
        answered = False
        try:
            line.send(request, deadline)
            head, content = await line.answer()
            answered = True
            body = await self._read(content)
        except StaleConnectionError as error:
            return before_sending(error, self._timeouts)
        except LOST_BY as error:
            error.__traceback__ = None  # leads to what was read, which leads back here: megabytes in a circle
            return after_sending(error, self._timeouts, answered=answered)
        if body is None:
            text = f"the answer is longer than {BODY_CAP // 2**20} MiB; this is not the API's"
            return Failure(FailureKind.PROTOCOL, sent=True, message=text, answered=True)
        return Answer(head.code, _kept(head.headers), body)

    async def _read(self, content: aiohttp.StreamReader) -> bytes | None:
        """Read a decoded body to its end; None when it is over the cap."""
        first = await content.readany()
        if content.at_eof() and len(first) <= LARGE_BODY:
            return first
        chunks, size, asked = [first], len(first), 0
        with self._room.part() as grow:
            while True:
                if size > LARGE_BODY:
                    with fail_after(self._timeouts.attempt_s):
                        await grow(size - asked)
                    asked = size
                if not (chunk := await content.readany()):
                    return b"".join(chunks)
                chunks.append(chunk)
                size += len(chunk)
                if size > BODY_CAP:
                    return None

    def _learned(self, name: str) -> _Script:
        """Return what a request to a script begins with; those of other modules stand beside `ip.php`."""
        url = URL(self._url if name == _OWN_SCRIPT else urljoin(self._url, name))
        if url.scheme not in {"http", "https"}:
            raise aiohttp.NonHttpUrlClientError(url)
        request = aiohttp.ClientRequest("POST", url, headers=_HEADERS)
        request.headers.popall("Content-Length", None)
        lines = (f"{name}: {value}\r\n" for name, value in request.headers.items())
        head = f"POST {url.raw_path_qs} HTTP/1.1\r\n{''.join(lines)}Content-Length: "
        self._scripts[name] = _Script(request, head.encode("ascii"))
        return self._scripts[name]


def _is_write(request: ApiRequest) -> bool:
    """Say whether a request may change something, whatever it says of itself."""
    action = ACTIONS.get(request.action)
    return request.writes or (action is not None and action.writes)


def _kept(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that say something of an answer, names in lower case."""
    return {name: value for name in _KEPT_HEADERS if (value := headers.get(name)) is not None}

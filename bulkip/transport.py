"""How does a request reach the server, and what comes back? Beside `connections` aiohttp's only door."""

import os
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from ssl import SSLCertVerificationError, SSLError
from types import TracebackType
from typing import Self
from urllib.parse import urlencode, urljoin

import aiohttp
from aiohttp.http_exceptions import ContentLengthError, TransferEncodingError
from anyio import Semaphore, fail_after

from bulkip.actions import ACTIONS
from bulkip.connections import Connector, StaleConnectionError
from bulkip.policy import Timeouts
from bulkip.version import __version__
from bulkip.wire import Answer, ApiRequest, Failure, FailureKind, Reply

BODY_CAP = 8 * 2**20
"""So many decoded bytes of an answer are read; more is no answer of this API."""
LARGE_BODY = 2**18
"""From so many bytes on an answer is large."""
LARGE_AT_ONCE = 2
"""So many large answers are held at once; the others wait on the wire, where they cost nothing."""
USER_AGENT = f"bulkip/{__version__}"

_OWN_SCRIPT = "ip.php"
_KEPT_HEADERS = ("content-type", "date", "location", "retry-after")
_NO_TLS = ("WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "HTTP_REQUEST")  # OpenSSL's words for it
_LOST_BY = (aiohttp.ClientError, OSError, ValueError)  # TimeoutError is an OSError
_CUT_SHORT = (ContentLengthError, TransferEncodingError)


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
        self._connections = connections
        self._writes = writes
        self._session: aiohttp.ClientSession | None = None
        self._large = Semaphore(LARGE_AT_ONCE)

    async def __aenter__(self) -> Self:
        """Open the session; connections follow on demand."""
        self._session = aiohttp.ClientSession(
            connector=Connector(self._connections),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=_headers(),
            timeout=_client_timeout(self._timeouts),
            trust_env=False,
        )
        return self

    async def __aexit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        """Close every connection."""
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def send(self, request: ApiRequest) -> Reply:
        """Post a request once and return the answer, or where on the way it was lost.

        Nothing is sent a second time here, whatever happens to the connection.
        Raises RuntimeError for a write where none may be sent.
        """
        if not self._writes and _is_write(request):
            raise RuntimeError(f"{request.action} writes, and nothing may be written here; nothing was sent")
        if self._session is None:
            raise RuntimeError("the transport is closed; send inside `async with`")
        form = [("action", request.action), *request.form.items()]
        if request.needs_token:
            form.append(("token", self._token()))
        body = urlencode(form).encode("ascii")
        try:
            return await self._exchange(self._session, _address(self._url, request.script), body)
        except _LOST_BY as error:
            return _failure(error, self._timeouts)

    async def _exchange(self, session: aiohttp.ClientSession, url: str, form: bytes) -> Reply:
        async with session.post(url, data=form, allow_redirects=False) as response:
            try:
                body = await self._read(response.content)
            except _LOST_BY as error:
                return replace(_after_sending(error, self._timeouts), answered=True)
            if body is None:
                text = f"the answer is longer than {BODY_CAP // 2**20} MiB; this is not the API's"
                return Failure(FailureKind.PROTOCOL, sent=True, message=text, answered=True)
            names = (name for name in _KEPT_HEADERS if name in response.headers)
            return Answer(response.status, {name: response.headers[name] for name in names}, body)

    async def _read(self, content: aiohttp.StreamReader) -> bytes | None:
        """Read a decoded body to its end; None when it is over the cap."""
        chunks, size, is_large = [], 0, False
        async with AsyncExitStack() as stack:
            while chunk := await content.readany():
                chunks.append(chunk)
                size += len(chunk)
                if size > BODY_CAP:
                    return None
                if size > LARGE_BODY and not is_large:
                    with fail_after(self._timeouts.attempt_s):
                        await stack.enter_async_context(self._large)
                    is_large = True
            return b"".join(chunks)


def _is_write(request: ApiRequest) -> bool:
    """Say whether a request may change something, whatever it says of itself."""
    action = ACTIONS.get(request.action)
    return request.writes or (action is not None and action.writes)


def _headers() -> dict[str, str]:
    return {
        "User-Agent": USER_AGENT,
        "Accept": "application/json",
        "Accept-Encoding": "gzip, deflate",  # what is decoded without further packages
        "Content-Type": "application/x-www-form-urlencoded",
    }


def _client_timeout(timeouts: Timeouts) -> aiohttp.ClientTimeout:
    """Bound the whole attempt, because a time-out between reads never fires on a dripping server."""
    return aiohttp.ClientTimeout(
        total=timeouts.attempt_s,
        connect=timeouts.connect_s,  # with name resolution, which `sock_connect` leaves out
        sock_connect=timeouts.connect_s,
    )


def _address(url: str, script: str) -> str:
    """Return the URL of a script; those of other modules stand beside `ip.php`."""
    return url if script == _OWN_SCRIPT else urljoin(url, script)


def _failure(error: Exception, timeouts: Timeouts) -> Failure:
    """Translate what ended a call; our own words only, for the server's may hold the token."""
    return _before_sending(error, timeouts) or _after_sending(error, timeouts)


def _before_sending(error: Exception, timeouts: Timeouts) -> Failure | None:
    match error:
        case aiohttp.ClientConnectorDNSError() | UnicodeError():
            kind, text = FailureKind.DNS, "the host name does not resolve"
        case aiohttp.ClientConnectorCertificateError():
            kind, text = FailureKind.CERTIFICATE, _distrust(error.certificate_error)
        case aiohttp.ClientSSLError() if _speaks_no_tls(error.os_error):
            kind, text = FailureKind.NO_TLS, "the server does not speak TLS on this port"
        case aiohttp.ClientSSLError():
            kind, text = FailureKind.TLS, "the TLS handshake failed"
        case aiohttp.ConnectionTimeoutError():
            kind, text = FailureKind.CONNECT, f"no connection within {timeouts.connect_s:g} s"
        case aiohttp.ClientConnectorError():
            kind, text = FailureKind.CONNECT, f"no connection: {_reason(error.os_error)}"
        case StaleConnectionError():
            kind, text = FailureKind.NETWORK, "the server did not wait for the request; nothing was sent"
        case aiohttp.InvalidURL() | aiohttp.NonHttpUrlClientError():
            kind, text = FailureKind.CONNECT, "the URL of the API cannot be called; check `api.url`"
        case _:
            return None
    return Failure(kind, sent=False, message=text)


def _after_sending(error: Exception, timeouts: Timeouts) -> Failure:
    match error:
        case TimeoutError():
            kind, text = FailureKind.TIMEOUT, f"no complete answer within {timeouts.attempt_s:g} s"
        case aiohttp.ClientPayloadError() if isinstance(error.__cause__, _CUT_SHORT):
            kind, text = FailureKind.NETWORK, "the connection ended in the middle of the answer"
        case aiohttp.ServerDisconnectedError():
            kind, text = FailureKind.NETWORK, "the server closed the connection without an answer"
        case OSError():
            kind, text = FailureKind.NETWORK, f"the connection broke: {_reason(error)}"
        case aiohttp.ClientConnectionError():
            kind, text = FailureKind.NETWORK, "the connection broke"
        case _:
            kind, text = FailureKind.PROTOCOL, "the answer is not valid HTTP"
    return Failure(kind, sent=True, message=text)


def _speaks_no_tls(error: OSError) -> bool:
    return isinstance(error, SSLError) and error.reason in _NO_TLS


def _distrust(error: Exception) -> str:
    reason = error.verify_message if isinstance(error, SSLCertVerificationError) else "not valid"
    return f"the server's certificate is not trusted: {reason}"


def _reason(error: OSError) -> str:
    return os.strerror(error.errno) if error.errno else type(error).__name__

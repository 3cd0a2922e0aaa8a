"""What is on the wire, who sees it, and what has not been sent when nothing connects."""

import socket
import ssl
import threading
from contextlib import suppress
from pathlib import Path

import anyio
import pytest
from anyio.lowlevel import checkpoint

from bulkip import connections
from bulkip.policy import Timeouts
from bulkip.transport import Transport
from bulkip.wire import Answer, ApiRequest, Failure, FailureKind, Reply
from tests.rawserver import (
    FINE,
    PATIENT,
    QUICK,
    READ,
    TOKEN,
    Caller,
    arrived,
    ask,
    asked,
    held,
    one,
    serving,
)

pytestmark = pytest.mark.anyio


async def test_request_on_the_wire_is_exactly_this() -> None:
    """A call is one POST with action, fields and token as a form, and an honest user agent."""
    async with serving(one(FINE)) as server:
        form = {"id": "17", "ptr": "a.example.net\nb.example.net", "description": "a&b=c é"}
        await ask(server.url, request=ApiRequest("update_ptr", form, writes=True))

    host = server.url.split("/")[2]
    assert server.seen[0].decode() == (
        "POST /ip.php HTTP/1.1\r\n"
        f"Host: {host}\r\n"
        "User-Agent: bulkip/0.1.0\r\n"
        "Accept: application/json\r\n"
        "Accept-Encoding: gzip, deflate\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\n"
        "Content-Length: 108\r\n"
        "\r\n"
        "action=update_ptr&id=17&ptr=a.example.net%0Ab.example.net&description=a%26b%3Dc+%C3%A9"
        "&token=tok%2F4f3c%2B2b"
    )


@pytest.mark.parametrize("script", ["auth.php", "eq.php"])
async def test_other_modules_stand_beside_the_base_url(script: str) -> None:
    """A request of another module goes to the script of that name in the same folder."""
    async with serving(one(FINE)) as server:
        await ask(server.url, request=ApiRequest("list", {}, script=script))

    assert server.seen[0].startswith(f"POST /{script} HTTP/1.1\r\n".encode())


async def test_answer_keeps_status_body_and_the_headers_that_matter() -> None:
    """Of the headers only those are kept that a verdict depends on, in lower case."""
    head = b"HTTP/1.1 503 No\r\nRETRY-AFTER: 7\r\nServer: x\r\ncontent-Type: text/html\r\n"
    reply = await asked(one(head + b"Content-Length: 2\r\n\r\nno"))

    assert reply == Answer(503, {"content-type": "text/html", "retry-after": "7"}, b"no")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirect_is_not_followed(status: int) -> None:
    """The server that a redirect names sees nothing, and so no token."""
    async with serving(one(FINE)) as other:
        location = f"Location: {other.url}\r\n".encode()
        head = f"HTTP/1.1 {status} Moved\r\n".encode() + location + b"Content-Length: 0\r\n\r\n"
        reply = await asked(one(head))

    assert isinstance(reply, Answer)
    assert (reply.status, reply.headers["location"]) == (status, other.url)
    assert other.connections == 0


async def test_proxy_variables_do_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy in the environment sees neither the call nor the token."""
    async with serving(one(FINE)) as proxy, serving(one(FINE)) as server:
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url)
        monkeypatch.setenv("NO_PROXY", "")
        await ask(server.url)

    assert (proxy.connections, len(server.seen)) == (0, 1)


async def test_netrc_does_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A password for the host in a netrc file is not sent."""
    netrc = tmp_path / "netrc"
    netrc.write_text("default login me password mine\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    async with serving(one(FINE)) as server:
        await ask(server.url)

    assert b"uthorization" not in server.seen[0]


async def test_cookies_are_not_returned() -> None:
    """A cookie that the server sets does not come back with the next call."""

    async def script(caller: Caller) -> None:
        while True:
            await caller.answer(FINE.replace(b"\r\n", b"\r\nSet-Cookie: a=b\r\n", 1))

    async with (
        serving(script) as server,
        Transport(server.url, token=lambda: TOKEN, timeouts=PATIENT) as transport,
    ):
        await transport.send(READ)
        await transport.send(READ)

    assert (server.connections, len(server.seen)) == (1, 2)
    assert b"ookie" not in server.seen[1]


async def test_answer_nobody_asked_for_is_not_taken() -> None:
    """Bytes that arrive on an idle connection answer no later request: it goes out on another one."""

    async def script(caller: Caller) -> None:
        await caller.answer(FINE.replace(b"OK", b"%02d" % caller.number))
        await released.wait()
        await caller.stream.send(FINE)
        await caller.silence()

    released = anyio.Event()
    async with (
        serving(script) as server,
        Transport(server.url, token=lambda: TOKEN, timeouts=PATIENT) as transport,
    ):
        await transport.send(READ)
        released.set()
        await arrived()
        reply = await transport.send(READ)

    assert isinstance(reply, Answer)
    assert (reply.body, server.connections) == (b'{"result":"02"}', 2)


async def test_answer_before_the_request_is_not_taken() -> None:
    """Where a server has answered a connection before a request was sent on it, none is sent."""
    hasty = HastyServer()
    replies = []

    async def call() -> None:
        replies.append(await ask(hasty.url))

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(call)
        while not hasty.answered.wait(0.2):  # the loop stands still, as a busy one does
            await checkpoint()

    text = "the server did not wait for the request; nothing was sent"
    assert replies == [Failure(FailureKind.NETWORK, sent=False, message=text)]
    assert hasty.received() == b""


async def test_end_of_a_connection_is_seen_before_it_is_used_again() -> None:
    """A connection that the server has closed takes no request, even when the loop has not heard of it."""

    async def script(caller: Caller) -> None:
        await caller.answer(FINE)

    async with (
        serving(script) as server,
        Transport(server.url, token=lambda: TOKEN, timeouts=PATIENT) as transport,
    ):
        replies = [await transport.send(READ) for _ in range(50)]

    assert [type(reply) for reply in replies] == [Answer] * 50
    assert len(server.seen) == 50


class HastyServer:
    """A server in a thread of its own that answers a connection and not a request."""

    def __init__(self) -> None:
        """Listen, and answer the first connection as soon as it is there."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/ip.php"
        self.answered = threading.Event()
        self._received = b""
        self._thread = threading.Thread(target=self._answer)
        self._thread.start()

    def _answer(self) -> None:
        with self._listener, self._listener.accept()[0] as connection:
            connection.sendall(FINE)
            self.answered.set()
            with suppress(ConnectionResetError):  # the client leaves without having read the answer
                self._received = connection.recv(65_536)

    def received(self) -> bytes:
        """Return what arrived until the client was gone."""
        self._thread.join(5)
        return self._received


async def test_server_that_closes_after_each_answer_costs_nothing() -> None:
    """A connection closed between two calls is replaced."""
    async with (
        serving(one(FINE)) as server,
        Transport(server.url, token=lambda: TOKEN, timeouts=PATIENT) as transport,
    ):
        replies = []
        for _ in range(3):
            replies.append(await transport.send(READ))
            await arrived()

    assert [type(reply) for reply in replies] == [Answer] * 3
    assert len(server.seen) == 3


async def test_kept_alive_connection_that_dies_under_a_request_is_not_tried_again() -> None:
    """A request on a connection that breaks may have arrived; it is sent once and never repeated."""

    async def script(caller: Caller) -> None:
        await caller.answer(FINE)
        await caller.request()
        await caller.reset()

    async with (
        serving(script) as server,
        Transport(server.url, token=lambda: TOKEN, timeouts=PATIENT) as transport,
    ):
        await transport.send(READ)
        reply = await transport.send(READ)

    assert isinstance(reply, Failure)
    assert (reply.kind, reply.sent, len(server.seen)) == (FailureKind.NETWORK, True, 2)


async def test_server_that_closes_under_a_request_is_found_out() -> None:
    """When connections die again and again after so many answers, none is used for more."""

    async def script(caller: Caller) -> None:
        for _ in range(2):
            await caller.answer(FINE)
        await caller.request()

    async with (
        serving(script) as server,
        Transport(server.url, token=lambda: TOKEN, timeouts=PATIENT) as transport,
    ):
        replies = [await transport.send(READ) for _ in range(50)]

    assert [reply for reply in replies if isinstance(reply, Failure)] == [replies[2], replies[5]]
    assert len(server.seen) == 50


async def test_single_death_of_a_connection_proves_nothing() -> None:
    """Connections that die after different numbers of answers are used as long as they live."""

    async def script(caller: Caller) -> None:
        for _ in range(caller.number):
            await caller.answer(FINE)
        await caller.request()

    async with (
        serving(script) as server,
        Transport(server.url, token=lambda: TOKEN, timeouts=PATIENT) as transport,
    ):
        for _ in range(27):
            await transport.send(READ)

    assert server.connections == 6  # 2 + 3 + 4 + 5 + 6 + 7 requests


async def kept(caller: Caller) -> None:
    """Answer one request after the other on a connection."""
    while True:
        await caller.answer(FINE)


async def test_connections_are_kept_alive() -> None:
    """Calls one after the other share a connection."""
    async with (
        serving(kept) as server,
        Transport(server.url, token=lambda: TOKEN, timeouts=PATIENT) as transport,
    ):
        for _ in range(5):
            await transport.send(READ)

    assert (server.connections, len(server.seen)) == (1, 5)


async def test_refused_connection_has_sent_nothing() -> None:
    """Where nobody listens, nothing was sent."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        reply = await ask(f"http://127.0.0.1:{unused.getsockname()[1]}/ip.php")

    assert reply == Failure(FailureKind.CONNECT, sent=False, message="no connection: Connection refused")


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        pytest.param("http://nobody.invalid/ip.php", FailureKind.DNS, id="unknown-name"),
        pytest.param(f"http://{'a' * 70}.invalid/ip.php", FailureKind.DNS, id="label-too-long"),
        pytest.param("http://127.0.0.1:99999/ip.php", FailureKind.CONNECT, id="no-port"),
        pytest.param("http://[::1/ip.php", FailureKind.CONNECT, id="no-url"),
        pytest.param("ftp://127.0.0.1/ip.php", FailureKind.CONNECT, id="other-scheme"),
    ],
)
async def test_url_that_leads_nowhere_has_sent_nothing(url: str, kind: FailureKind) -> None:
    """A name that does not resolve, or no URL at all, is a failure and no exception."""
    reply = await ask(url)

    assert isinstance(reply, Failure)
    assert (reply.kind, reply.sent) == (kind, False)


async def test_plain_http_behind_https_is_a_tls_failure() -> None:
    """A server that does not speak TLS never sees the request."""

    async def script(caller: Caller) -> None:
        caller.seen.append(await caller.stream.receive())
        await caller.stream.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with serving(script) as server:
        reply = await ask(server.url.replace("http:", "https:"))

    assert isinstance(reply, Failure)
    assert (reply.kind, reply.sent) == (FailureKind.NO_TLS, False)
    assert TOKEN.encode() not in b"".join(server.seen)


async def test_tls_handshake_that_hangs_is_bounded_by_the_connect_time() -> None:
    """A server that accepts and says nothing costs the time for connecting, and nothing was sent."""

    async def script(caller: Caller) -> None:
        while True:
            await caller.stream.receive()

    async with serving(script) as server:
        reply = await ask(server.url.replace("http:", "https:"), Timeouts(connect_s=0.3, attempt_s=10))

    assert reply == Failure(FailureKind.CONNECT, sent=False, message="no connection within 0.3 s")


async def test_certificate_that_does_not_verify_is_named(tmp_path: Path) -> None:
    """A self-signed certificate ends the call before the token is sent."""
    pem = tmp_path / "server.pem"
    pem.write_text(PEM)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    async with serving(one(FINE), tls=context) as server:
        reply = await ask(server.url)

    assert reply == Failure(
        FailureKind.CERTIFICATE,
        sent=False,
        message="the server's certificate is not trusted: self-signed certificate",
    )
    assert server.seen == []


async def test_cancellation_passes_through() -> None:
    """A cancelled call ends at once and is no failure."""
    replies = []
    async with (
        serving(held()) as server,
        Transport(server.url, token=lambda: TOKEN, timeouts=PATIENT) as transport,
    ):
        with anyio.move_on_after(0.1) as scope:
            replies.append(await transport.send(READ))

    assert scope.cancelled_caught
    assert replies == []


async def test_answer_of_a_cancelled_call_is_no_other_calls() -> None:
    """A connection whose answer is still to come carries no further request."""

    async def script(caller: Caller) -> None:
        await caller.request()
        if caller.number == 1:
            await caller.request()  # comes only where the connection is used again
        await caller.stream.send(FINE.replace(b"OK", b"NO") if caller.number == 1 else FINE)

    async with (
        serving(script) as server,
        Transport(server.url, token=lambda: TOKEN, timeouts=PATIENT) as transport,
    ):
        with anyio.move_on_after(0.1):
            await transport.send(READ)
        reply = await transport.send(READ)

    assert isinstance(reply, Answer)
    assert (reply.status, reply.body, server.connections) == (200, b'{"result":"OK"}', 2)


async def test_deadline_of_an_answered_call_is_no_other_calls() -> None:
    """The next call on a connection has its own time, whenever the time of the one before it is up."""
    timeouts = Timeouts(connect_s=5.0, attempt_s=1.0)

    async def script(caller: Caller) -> None:
        await caller.answer(FINE)
        await caller.request()
        await anyio.sleep(0.5)
        await caller.stream.send(FINE)

    async with (
        serving(script) as server,
        Transport(server.url, token=lambda: TOKEN, timeouts=timeouts) as transport,
    ):
        await transport.send(READ)
        await anyio.sleep(0.7)
        reply = await transport.send(READ)

    assert isinstance(reply, Answer)
    assert server.connections == 1


async def test_closed_transport_sends_nothing() -> None:
    """A call outside `async with` is a mistake of ours, not an outage."""
    transport = Transport("http://127.0.0.1:1/ip.php", token=lambda: TOKEN, timeouts=QUICK)

    with pytest.raises(RuntimeError, match="async with"):
        await transport.send(READ)


PEM = """\
-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgJNxuNVOwWQvlvOs+
rJZSi/9LWzZw0j13OWZDfmUhhhehRANCAATybjKpnOWvAy2KundXcTrQ7yY9R8NM
x+PPvssAUEyjN+JvPTKlOXSlqRcDB2PibUsppMFG4XOQQErT7+amXNpD
-----END PRIVATE KEY-----
-----BEGIN CERTIFICATE-----
MIIBlTCCATugAwIBAgIUIL3XHboh7+pjiBp6d8kCCBBy0VQwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyMzE1MjMzN1oYDzIxMjYxMDMw
MTUyMzM3WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAATybjKpnOWvAy2KundXcTrQ7yY9R8NMx+PPvssAUEyjN+JvPTKlOXSl
qRcDB2PibUsppMFG4XOQQErT7+amXNpDo2kwZzAdBgNVHQ4EFgQUza8Nal+ICYFo
eiUf8F1XSoy0zCgwHwYDVR0jBBgwFoAUza8Nal+ICYFoeiUf8F1XSoy0zCgwDwYD
VR0TAQH/BAUwAwEB/zAUBgNVHREEDTALgglsb2NhbGhvc3QwCgYIKoZIzj0EAwID
SAAwRQIhAIumCee7+05bGLNaCCZBCjm3McDqpxSXFhA8UR9gZJNBAiAHyvOBkMjQ
V5Fkxnz6VdnksyIWwZI+wRhF6kgxFriuUA==
-----END CERTIFICATE-----
"""


async def test_connection_that_was_idle_for_long_is_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """What lies between may have forgotten a connection, and a write on it would be lost without a word."""
    monkeypatch.setattr(connections, "IDLE_MOST_S", 0.05)
    async with (
        serving(kept) as server,
        Transport(server.url, token=lambda: TOKEN, timeouts=PATIENT) as transport,
    ):
        for pause_s in (0.0, 0.0, 0.1):
            await anyio.sleep(pause_s)
            assert isinstance(await transport.send(READ), Answer)

    assert server.connections == 2


async def test_calls_beyond_the_connections_wait_for_one() -> None:
    """Whoever finds every connection in use gets the next that is given back, and none is made for it."""
    replies: list[Reply] = []

    async with (
        serving(kept) as server,
        Transport(server.url, token=lambda: TOKEN, timeouts=PATIENT, connections=2) as transport,
        anyio.create_task_group() as group,
    ):

        async def send() -> None:
            replies.append(await transport.send(READ))

        for _ in range(20):
            group.start_soon(send)

    assert [type(reply) for reply in replies] == [Answer] * 20
    assert server.connections <= 2

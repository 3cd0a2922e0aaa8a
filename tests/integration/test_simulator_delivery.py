"""How the simulated provider mangles answers on their way back; seen byte by byte."""

import gzip
import json
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from time import monotonic
from urllib.parse import urlencode, urlsplit

import pytest

from bulkip.simulator import EmbeddedSimulator, Fault, Seed, Simulator, SimulatorSettings

IP = "203.0.113.7"
PTR = b'{"result": "OK", "message": "old.example.net"}'
PATIENCE_S = 5


@contextmanager
def provider(*faults: Fault) -> Iterator[Simulator]:
    """Serve one address, with these faults."""
    with EmbeddedSimulator(
        [Seed(IP, 4711, "NL", "old.example.net")], SimulatorSettings(faults=faults)
    ) as api:
        yield api


@contextmanager
def connection(api: Simulator) -> Iterator[socket.socket]:
    """Open a connection to the simulator."""
    parts = urlsplit(api.url)
    with socket.create_connection((parts.hostname, parts.port), PATIENCE_S) as client:
        yield client


def send(client: socket.socket, action: str = "get_ptr", *, last: bool = True) -> None:
    """Send a call over a connection, the last one or not."""
    body = urlencode({"token": "simulated", "action": action, "ip": IP, "id": "4711", "ptr": "x.example.net"})
    lines = ["POST /ip.php HTTP/1.1", "Host: x", "Content-Type: application/x-www-form-urlencoded"]
    lines += [f"Content-Length: {len(body)}", *(["Connection: close"] if last else []), "", body]
    client.sendall("\r\n".join(lines).encode())


def answered(api: Simulator, *, last: bool = True) -> tuple[bytes, bytes]:
    """Return head and body of what a call is answered with, up to the end of the connection."""
    with connection(api) as client:
        send(client, last=last)
        raw = client.makefile("rb").read()
    head, _, body = raw.partition(b"\r\n\r\n")
    return head, body


def test_cut_answer_breaks_its_promise() -> None:
    """A truncated body is shorter than its Content-Length, and the connection ends there."""
    with provider(Fault(truncate=10)) as api:
        head, body = answered(api, last=False)

    assert f"Content-Length: {len(PTR)}".encode() in head
    assert body == PTR[:10]


def test_cleanly_cut_answer_looks_whole() -> None:
    """A clean truncation tells the shorter length, so that only the JSON is broken."""
    with provider(Fault(truncate=10, clean=True)) as api:
        head, body = answered(api)

    assert b"Content-Length: 10" in head
    assert body == PTR[:10]


def test_cut_that_is_longer_than_the_answer_cuts_nothing() -> None:
    """A truncation behind the end of the body leaves answer and connection alone."""
    with provider(Fault(truncate=1000)) as api, connection(api) as client:
        for last in (False, True):
            send(client, last=last)
        raw = client.makefile("rb").read()

    assert raw.count(PTR) == 2


def test_dripping_answer_is_slow_and_right() -> None:
    """A drip takes its time: 46 bytes at 230 a second are two tenths of a second."""
    with provider(Fault(drip=230)) as api:
        began = monotonic()
        _, body = answered(api)

    assert body == PTR
    assert monotonic() - began >= 0.19


def test_stop_does_not_wait_for_drips() -> None:
    """A simulator that stops lets the rest of a drip go."""
    with ExitStack() as stack:
        with provider(Fault(drip=1)) as api:
            client = stack.enter_context(connection(api))
            send(client)
            received = client.recv(4096)
        began = monotonic()
        received += client.makefile("rb").read()

    assert received.startswith(b"HTTP/1.1 200")
    assert not received.endswith(PTR)
    assert monotonic() - began < PATIENCE_S


def test_client_that_leaves_a_drip_disturbs_nobody(caplog: pytest.LogCaptureFixture) -> None:
    """A client that breaks off in the middle of a drip leaves no trace and costs no other call anything."""
    with provider(Fault(drip=200)) as api:
        with connection(api) as client:
            send(client)
            client.recv(1)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        _, body = answered(api)

    assert body == PTR
    assert caplog.records == []


def test_bomb_is_small_until_it_is_unpacked() -> None:
    """A bomb of 3 MiB of spaces travels as a few kilobytes of gzip."""
    with provider(Fault(bomb_mib=3)) as api:
        head, body = answered(api)

    assert b"Content-Encoding: gzip" in head
    assert len(body) < 10_000
    assert gzip.decompress(body) == b" " * 3 * 2**20


@pytest.mark.parametrize(
    ("fault", "lines"),
    [
        pytest.param(Fault(redirect=307), [b"HTTP/1.1 307 ", b"Location: /elsewhere.php"], id="to itself"),
        pytest.param(
            Fault(redirect=302, to="http://127.0.0.1:9/x"),
            [b"HTTP/1.1 302 ", b"Location: http://127.0.0.1:9/x"],
            id="to a URL",
        ),
    ],
)
def test_redirect_names_a_place(fault: Fault, lines: list[bytes]) -> None:
    """A redirect has its status and a Location, and nothing is carried out."""
    with provider(fault) as api:
        head, _ = answered(api)

    assert all(line in head for line in lines)


def test_last_key_comes_twice() -> None:
    """`duplicate_keys` lets a lenient reader lose the answer of a success."""
    with provider(Fault(duplicate_keys=True)) as api:
        _, body = answered(api)

    assert body == PTR[:-1] + b', "message": null}'
    assert json.loads(body) == {"result": "OK", "message": None}


def test_page_that_is_no_object_keeps_its_keys() -> None:
    """`duplicate_keys` leaves alone what has no keys."""
    with provider(Fault(body="<html>", duplicate_keys=True)) as api:
        _, body = answered(api)

    assert body == b"<html>"


def test_kept_alive_connection_ends_unannounced() -> None:
    """`keep_alive: close` answers rightly, promises nothing, and closes."""
    with provider(Fault(keep_alive="close")) as api:
        head, body = answered(api, last=False)

    assert b"Connection: close" not in head
    assert body == PTR


def test_mangled_answer_of_a_write_has_its_effect() -> None:
    """A write whose right answer is cut off has been carried out."""
    with provider(Fault(truncate=3)) as api:
        with connection(api) as client:
            send(client, "update_ptr")
            client.makefile("rb").read()

        assert api.state.ptr_of(IP) == ("x.example.net",)
        assert [(entry.fault, entry.effect) for entry in api.log.entries()] == [("truncate 3", True)]


@pytest.mark.parametrize(
    "junk",
    [
        pytest.param(b"\x16\x03\x01\x02\x00\r\n\r\n", id="TLS"),
        pytest.param(b"POST /ip.php HTTP/1.1\r\nContent-Length: -5\r\n\r\n", id="a negative length"),
    ],
)
def test_unreadable_request_is_logged(junk: bytes) -> None:
    """What is no HTTP gets a 400 and a line in the log."""
    with provider() as api:
        with connection(api) as client:
            client.sendall(junk)
            answer = client.makefile("rb").read()

        assert b" 400 " in answer.splitlines()[0]
        assert [(entry.method, entry.status) for entry in api.log.entries()] == [("UNKNOWN", 400)]

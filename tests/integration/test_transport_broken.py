"""What a misbehaving server can do to a call that has left."""

import gc
import gzip
import tracemalloc

import anyio
import pytest

from bulkip.transport import BODY_CAP
from bulkip.wire import Answer, Failure, FailureKind
from tests.rawserver import (
    FINE,
    HEAD,
    QUICK,
    TOKEN,
    Caller,
    Script,
    asked,
    held,
    one,
)

pytestmark = pytest.mark.anyio


async def dripping(caller: Caller) -> None:
    """Send an endless answer byte by byte, each well within any time between reads."""
    await caller.answer(HEAD + b"Content-Length: 100000\r\n\r\n")
    while True:
        await caller.stream.send(b"x")
        with anyio.move_on_after(0.02):
            await caller.stream.receive()


async def dripping_headers(caller: Caller) -> None:
    """Never come to the end of the headers."""
    await caller.answer(HEAD)
    while True:
        await caller.stream.send(b"x")
        with anyio.move_on_after(0.02):
            await caller.stream.receive()


async def endless(caller: Caller) -> None:
    """Never come to the end of the body."""
    await caller.answer(HEAD + b"\r\n")
    while True:
        await caller.stream.send(b"x" * 65_536)


async def continuing(caller: Caller) -> None:
    """Send interim answers and never a final one."""
    await caller.request()
    while True:
        await caller.stream.send(b"HTTP/1.1 100 Continue\r\n\r\n")
        with anyio.move_on_after(0.02):
            await caller.stream.receive()


async def flooding(caller: Caller) -> None:
    """Send interim answers as fast as they can be taken."""
    await caller.request()
    while True:
        await caller.stream.send(b"HTTP/1.1 100 Continue\r\n\r\n" * 1000)


async def resetting(caller: Caller) -> None:
    """Reset the connection instead of answering."""
    await caller.request()
    await caller.reset()


async def resetting_midway(caller: Caller) -> None:
    """Reset the connection in the middle of the answer."""
    await caller.answer(HEAD + b"Content-Length: 20\r\n\r\n{")
    await caller.reset()


BOMB = gzip.compress(b"\0" * (40 * 2**20))
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
MANY = b"".join(b"X-%d: y\r\n" % number for number in range(20_000))


def encoded(encoding: bytes, body: bytes) -> bytes:
    """Build an answer with a content encoding."""
    return HEAD + b"Content-Encoding: %s\r\nContent-Length: %d\r\n\r\n" % (encoding, len(body)) + body


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        pytest.param(dripping, FailureKind.TIMEOUT, id="dripping-body"),
        pytest.param(dripping_headers, FailureKind.TIMEOUT, id="dripping-headers"),
        pytest.param(continuing, FailureKind.TIMEOUT, id="interim-answers-only"),
        pytest.param(held(), FailureKind.TIMEOUT, id="silence"),
        pytest.param(held(HEAD), FailureKind.TIMEOUT, id="silence-in-the-headers"),
    ],
)
async def test_slow_answer_ends_with_the_attempt(script: Script, kind: FailureKind) -> None:
    """The whole attempt is bounded, however busy the server looks."""
    with anyio.fail_after(2):
        reply = await asked(script, QUICK)

    assert isinstance(reply, Failure)
    assert (reply.kind, reply.sent, reply.message) == (kind, True, "no complete answer within 0.4 s")


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        pytest.param(resetting, FailureKind.NETWORK, id="reset"),
        pytest.param(resetting_midway, FailureKind.NETWORK, id="reset-in-the-body"),
        pytest.param(one(), FailureKind.NETWORK, id="closed"),
        pytest.param(one(HEAD), FailureKind.NETWORK, id="closed-in-the-headers"),
        pytest.param(one(HEAD + b"Content-Length: 20\r\n\r\n{}"), FailureKind.NETWORK, id="body-too-short"),
        pytest.param(one(CHUNKED + b"5\r\nhe"), FailureKind.NETWORK, id="chunk-too-short"),
        pytest.param(endless, FailureKind.PROTOCOL, id="endless-body"),
        pytest.param(flooding, FailureKind.PROTOCOL, id="flood-of-interim-answers"),
        pytest.param(held(encoded(b"gzip", BOMB)), FailureKind.PROTOCOL, id="gzip-bomb"),
        pytest.param(held(CHUNKED + b"zz\r\nhe\r\n"), FailureKind.PROTOCOL, id="chunked-garbage"),
        pytest.param(
            held(HEAD + b"Content-Length: 2\r\nContent-Length: 5\r\n\r\n{}   "),
            FailureKind.PROTOCOL,
            id="two-content-lengths",
        ),
        pytest.param(
            held(HEAD + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"),
            FailureKind.PROTOCOL,
            id="length-and-chunks",
        ),
        pytest.param(
            held(HEAD + b"Content-Length: -2\r\n\r\n{}"), FailureKind.PROTOCOL, id="negative-length"
        ),
        pytest.param(held(HEAD + MANY + b"\r\n"), FailureKind.PROTOCOL, id="20000-headers"),
        pytest.param(
            held(HEAD + b"X: " + b"y" * 10**6 + b"\r\n\r\n"), FailureKind.PROTOCOL, id="long-header"
        ),
        pytest.param(one(b'{"result":"OK"}'), FailureKind.PROTOCOL, id="http-0.9"),
        pytest.param(held(b"SSH-2.0-OpenSSH_9.2\r\n"), FailureKind.PROTOCOL, id="ssh"),
        pytest.param(held(encoded(b"gzip", b"hello")), FailureKind.PROTOCOL, id="no-gzip"),
        pytest.param(held(encoded(b"deflate", b"\xff" * 9)), FailureKind.PROTOCOL, id="no-deflate"),
        pytest.param(held(b"HTTP/1.1 1000 OK\r\n\r\n"), FailureKind.PROTOCOL, id="status-1000"),
    ],
)
async def test_broken_answer_may_have_been_executed(script: Script, kind: FailureKind) -> None:
    """Once the request has left, every broken answer says so, and where it broke."""
    with anyio.fail_after(5):
        reply = await asked(script)

    assert isinstance(reply, Failure)
    assert (reply.kind, reply.sent) == (kind, True)


@pytest.mark.parametrize(
    "size", [pytest.param(BODY_CAP, id="at-the-cap"), pytest.param(BODY_CAP + 1, id="over-the-cap")]
)
async def test_cap_counts_decoded_bytes(size: int) -> None:
    """A compressed answer is taken up to the cap exactly, counted after decoding."""
    reply = await asked(held(encoded(b"gzip", gzip.compress(b" " * size))))

    assert isinstance(reply, Answer) == (size <= BODY_CAP)


async def test_message_of_a_broken_answer_shows_nothing_of_the_server() -> None:
    """A server that echoes the token in broken HTTP does not get it into a message."""
    reply = await asked(held(b"HTTP/1.1 " + TOKEN.encode() + b"\r\n\r\n"))

    assert isinstance(reply, Failure)
    assert TOKEN not in reply.message


LONG = 2**22
CUT_OFF = HEAD + b"Content-Length: %d\r\n\r\n" % BODY_CAP + b"x" * LONG


@pytest.mark.parametrize(
    "script", [pytest.param(held(CUT_OFF), id="late"), pytest.param(one(CUT_OFF), id="short")]
)
async def test_lost_answer_leaves_nothing_behind(script: Script) -> None:
    """What was read of an answer that never ended is let go at once, not when garbage is next collected."""
    await asked(one(FINE))
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        reply = await asked(script, QUICK)
        held_bytes, _peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        gc.enable()

    assert isinstance(reply, Failure)
    assert held_bytes < LONG / 4

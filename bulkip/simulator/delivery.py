"""How a page goes back: at once, in drips, cut off, or with the end of the connection behind it."""

import socket
import struct
from collections.abc import Iterator
from contextlib import suppress

import anyio
from aiohttp import web

from bulkip.simulator.pages import AT_ONCE, Delivery, Page

_TICKS_PER_S = 10
_LINGER_ZERO = struct.pack("ii", 1, 0)  # closing then sends RST instead of FIN


async def deliver(
    request: web.Request, page: Page, delivery: Delivery, stopping: anyio.Event
) -> web.StreamResponse:
    """Return the response that gives a page back; what is not plain has been sent already by then."""
    if delivery == AT_ONCE:
        return web.Response(body=page.body, status=page.status, headers=page.headers)
    sent = page.body[: delivery.cut]
    told = len(sent) if delivery.clean else len(page.body)
    response = web.StreamResponse(status=page.status, headers=page.headers)
    response.content_length = told
    with suppress(ConnectionError):  # the client may be gone by now, which is its own business
        await response.prepare(request)
        await _write(response, sent, delivery.drip, stopping)
        if told == len(sent):
            await response.write_eof()
    if (delivery.close or told > len(sent)) and request.transport is not None:
        request.transport.close()
    return response


async def _write(
    response: web.StreamResponse, body: bytes, bytes_per_s: int | None, stopping: anyio.Event
) -> None:
    """Write a body, at so many bytes per second where that is given, until the simulator stops."""
    if bytes_per_s is None:
        await response.write(body)
        return
    for piece, pause_s in _drips(body, bytes_per_s):
        await response.write(piece)
        with anyio.move_on_after(pause_s):
            await stopping.wait()
            return


def _drips(body: bytes, bytes_per_s: int) -> Iterator[tuple[bytes, float]]:
    """Yield pieces, each with the time it takes: ten a second, or single bytes when those are too slow."""
    size = max(1, bytes_per_s // _TICKS_PER_S)
    for start in range(0, len(body), size):
        yield body[start : start + size], size / bytes_per_s


def drop(request: web.Request, *, reset: bool) -> web.StreamResponse:
    """End the connection; the response returned is never sent."""
    transport = request.transport
    if transport is not None and not transport.is_closing():
        if reset:
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_ZERO)
        transport.abort()
    return web.Response()

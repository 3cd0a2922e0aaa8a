"""An API that answers at once: the smallest HTTP server that keeps connections alive.

It stands in where no nginx is installed. A GET tells how many calls there were.
"""

import asyncio
import gc
import sys
from typing import cast

import uvloop

from tests.bench.accounts import BODY, page


class Answering(asyncio.Protocol):
    """Answers every request of a connection with the same page."""

    calls = 0
    answer = page(200, BODY)

    def __init__(self) -> None:
        """Begin with nothing received."""
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own are none by name

    def data_received(self, data: bytes) -> None:
        """Answer each whole request."""
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            head = self._received[:end].lower()
            length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
            if len(self._received) < end + 4 + length:
                return
            self._received = self._received[end + 4 + length :]
            self._reply(head)

    def _reply(self, head: bytes) -> None:
        answer = self.answer
        if head.startswith(b"get "):
            answer = page(200, b"%d" % Answering.calls)
        else:
            Answering.calls += 1
        self._transport.write(answer)


async def serve() -> None:
    """Serve on a free port, print it, and go on until killed."""
    gc.disable()
    server = await asyncio.get_running_loop().create_server(Answering, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve())

"""An API that answers at once: the smallest HTTP server that keeps connections alive.

It stands in where no nginx is installed. A GET tells how many calls there were.
"""

import asyncio
import gc
import sys

import uvloop

from tests.bench.accounts import BODY, page
from tests.bench.incoming import Requests


class Answering(Requests):
    """Answers every request of a connection with the same page."""

    calls = 0
    answer = page(200, BODY)

    def reply(self, head: bytes, body: bytes) -> None:  # noqa: ARG002 -- whoever asks, and for what
        """Send the page, or how many were sent."""
        answer = self.answer
        if head.startswith(b"get "):
            answer = page(200, b"%d" % Answering.calls)
        else:
            Answering.calls += 1
        self.transport.write(answer)


async def serve() -> None:
    """Serve on a free port, print it, and go on until killed."""
    gc.disable()
    server = await asyncio.get_running_loop().create_server(Answering, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve())

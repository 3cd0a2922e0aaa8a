"""The server of accounts that count: each listens on a port of its own, all in one process on one core.

Usage: python -m tests.bench.accountserver TERMS, a JSON list. The ports are
printed on one line. A GET of /log returns the log of that account, of
/forget empties it, any other tells how many calls there are in it.
"""

import asyncio
import gc
import json
import sys
import time
from functools import partial
from typing import cast

import uvloop

from tests.bench.accounts import Account, Terms, page


class Listening(asyncio.Protocol):
    """Reads the requests of one connection and passes them on to an account."""

    def __init__(self, account: Account) -> None:
        """Begin with nothing received."""
        self._account = account
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
            body = self._received[end + 4 : end + 4 + length]
            self._received = self._received[end + 4 + length :]
            self._reply(head, body)

    def _reply(self, head: bytes, body: bytes) -> None:
        if head.startswith(b"get "):
            self._transport.write(page(200, self._told(head)))
        elif (answer := self._account.answer(body)) is not None:
            self._transport.write(answer)
        else:
            self._transport.abort()

    def _told(self, head: bytes) -> bytes:
        match head.split()[1]:
            case b"/log":
                return self._account.log()
            case b"/forget":
                return self._account.forget()
            case _:
                return self._account.count()


async def serve(terms: list[Terms]) -> None:
    """Serve every account on a free port, print the ports, and go on until killed."""
    gc.disable()  # nothing here makes circles, and a collection would look like a burst
    loop = asyncio.get_running_loop()
    listeners = [partial(Listening, Account(one, time.monotonic)) for one in terms]
    servers = [await loop.create_server(listen, "127.0.0.1", 0) for listen in listeners]
    ports = (str(server.sockets[0].getsockname()[1]) for server in servers)
    sys.stdout.write(" ".join(ports) + "\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve([Terms(**one) for one in json.loads(sys.argv[1])]))

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

import uvloop

from tests.bench.accounts import Account, Terms, page
from tests.bench.incoming import Requests


class Listening(Requests):
    """Passes the requests of one connection on to an account."""

    def __init__(self, account: Account, delay_s: float) -> None:
        """Answer for this account, so late."""
        super().__init__()
        self._account = account
        self._delay_s = delay_s

    def reply(self, head: bytes, body: bytes) -> None:
        """Answer for the account, or tell what it has seen."""
        if head.startswith(b"get "):
            self.transport.write(page(200, self._told(head)))
        elif (answer := self._account.answer(body)) is not None:
            self._send(answer)
        else:
            self.transport.abort()

    def _send(self, answer: bytes) -> None:
        if self._delay_s:
            asyncio.get_running_loop().call_later(self._delay_s, self.transport.write, answer)
        else:
            self.transport.write(answer)

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
    listeners = [partial(Listening, Account(one, time.monotonic), one.delay_s) for one in terms]
    servers = [await loop.create_server(listen, "127.0.0.1", 0) for listen in listeners]
    ports = (str(server.sockets[0].getsockname()[1]) for server in servers)
    sys.stdout.write(" ".join(ports) + "\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve([Terms(**one) for one in json.loads(sys.argv[1])]))

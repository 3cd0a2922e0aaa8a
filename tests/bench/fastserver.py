"""An API that answers at once: the smallest HTTP server that keeps connections alive."""

import asyncio
import sys

BODY = (
    b'{"result":"OK","module":"ip","action":"get_ip","data":{"network":"10.0.0.0",'
    b'"netmask":"255.255.255.0","gateway":"10.0.0.1","broadcast":"10.0.0.255"}}'
)
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
    len(BODY),
    BODY,
)


class Answering(asyncio.Protocol):
    """Answers every request of a connection with the same page."""

    def __init__(self) -> None:
        """Begin with nothing received."""
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Answer each whole request."""
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            head = self._received[:end].lower()
            length = int(head.partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
            if len(self._received) < end + 4 + length:
                return
            self._received = self._received[end + 4 + length :]
            if isinstance(self._transport, asyncio.WriteTransport):
                self._transport.write(ANSWER)


async def serve() -> None:
    """Serve on a free port, print it, and go on until killed."""
    server = await asyncio.get_running_loop().create_server(Answering, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve())

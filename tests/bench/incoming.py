"""What comes in on a connection: whole requests, one after the other, as far as they are there."""

import asyncio
from typing import cast


class Requests(asyncio.Protocol):
    """Reads the requests of one connection; whoever inherits from it answers them with `reply`."""

    transport: asyncio.Transport

    def __init__(self) -> None:
        """Begin with nothing received."""
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the way back."""
        self.transport = cast("asyncio.Transport", transport)  # uvloop's own are none by name

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
            self.reply(head, body)

    def reply(self, head: bytes, body: bytes) -> None:
        """Answer a request: its head in lower case, and its body."""
        raise NotImplementedError

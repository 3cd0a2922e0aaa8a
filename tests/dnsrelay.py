"""Lends a name server an address of its own: what reaches it is passed on to where the server listens.

BIND listens on addresses of network interfaces alone, so on 127.0.0.1 but not
on 127.0.0.2; NS records name no port. Linux lets any program bind 127.0.0.2.
"""

import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from io import BufferedIOBase

LARGEST = 65535
PATIENCE_S = 15.0
Place = tuple[str, int]


@contextmanager
def relay(address: str, port: int, real_port: int) -> Iterator[None]:
    """Pass questions to `address` on to 127.0.0.1, over UDP and TCP, until the block ends."""
    target = ("127.0.0.1", real_port)

    class Datagram(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            question, here = self.request
            here.sendto(_asked(question, target), self.client_address)

    class Connection(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            with socket.create_connection(target, PATIENCE_S) as onward, onward.makefile("rb") as answers:
                while question := _message(self.rfile):
                    onward.sendall(question)
                    self.wfile.write(_message(answers))

    with ExitStack() as stack:
        servers = (
            socketserver.ThreadingUDPServer((address, port), Datagram),
            socketserver.ThreadingTCPServer((address, port), Connection),
        )
        for server in servers:
            server.daemon_threads = True
            stack.enter_context(server)
            threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
            stack.callback(server.shutdown)
        yield


def _asked(question: bytes, target: Place) -> bytes:
    with socket.socket(type=socket.SOCK_DGRAM) as onward:
        onward.settimeout(PATIENCE_S)
        onward.connect(target)
        onward.send(question)
        return onward.recv(LARGEST)


def _message(stream: BufferedIOBase) -> bytes:
    """Read a message with the length before it; nothing at the end of the connection."""
    length = stream.read(2)
    return length + stream.read(int.from_bytes(length, "big"))

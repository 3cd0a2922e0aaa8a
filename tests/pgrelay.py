"""A relay before a PostgreSQL that can lose what the server says to a COMMIT, as a network does."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

COMMIT = b"COMMIT"
CHUNK = 65_536


@dataclass(slots=True)
class Relay:
    """Passes bytes on between a client and a server; so many clients are cut off behind a COMMIT."""

    target: str
    lose_commits: int = 0
    lost: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def serve(self, listening: socket.socket) -> None:
        """Take connections until the listening socket is closed."""
        with suppress(OSError):
            while True:
                client, _ = listening.accept()
                server = socket.socket(socket.AF_UNIX)
                server.connect(self.target)
                pair = (client, server)
                for work in (self._to_server, self._to_client):
                    threading.Thread(target=work, args=pair, daemon=True).start()

    def _to_server(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError), client:
            while chunk := client.recv(CHUNK):
                cuts = COMMIT in chunk and self._may_lose()
                server.sendall(chunk)
                if cuts:
                    client.shutdown(socket.SHUT_RDWR)  # the client never hears of it
                    break
        with suppress(OSError):
            server.shutdown(socket.SHUT_WR)  # which is sent behind what the server was told

    def _to_client(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError), server:
            while chunk := server.recv(CHUNK):
                client.sendall(chunk)
        with suppress(OSError):
            client.shutdown(socket.SHUT_WR)

    def _may_lose(self) -> bool:
        with self._lock:
            if self.lost >= self.lose_commits:
                return False
            self.lost += 1
            return True


@contextmanager
def relay(folder: Path, url: str) -> Iterator[tuple[Relay, str]]:
    """Relay to the server of a URL; give the relay, and the URL that leads through it."""
    host = parse_qs(urlsplit(url).query)["host"][0]
    found = Relay(f"{host}/.s.PGSQL.5432")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(folder / ".s.PGSQL.5432"))
        listening.listen()
        threading.Thread(target=found.serve, args=(listening,), daemon=True).start()
        yield found, url.replace(host, str(folder))
        listening.shutdown(socket.SHUT_RDWR)

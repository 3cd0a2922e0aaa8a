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
    """Passes bytes on between a client and a server; `lose_commits` cuts so many of them off after sending."""

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
                for source, sink, watched in ((client, server, True), (server, client, False)):
                    threading.Thread(
                        target=self._pass_on, args=(source, sink, pair, watched), daemon=True
                    ).start()

    def _pass_on(
        self, source: socket.socket, sink: socket.socket, pair: tuple[socket.socket, ...], watched: bool
    ) -> None:
        with suppress(OSError):
            while chunk := source.recv(CHUNK):
                cuts = watched and COMMIT in chunk and self._may_lose()
                sink.sendall(chunk)
                if cuts:
                    pair[0].close()  # the client never hears; the server goes on with what it was told
                    pair[1].shutdown(socket.SHUT_WR)
                    return
        with suppress(OSError):
            sink.shutdown(socket.SHUT_WR)

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

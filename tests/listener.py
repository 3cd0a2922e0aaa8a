"""A server on this machine that hooks and messages are sent to, and what it heard."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any


@dataclass(slots=True)
class Listener:
    """What arrived, in order; `status` is the answer, and while it is not `open` there is none."""

    url: str = ""
    status: int = 200
    open: Event = field(default_factory=Event)
    heard: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def bodies(self, path: str) -> list[dict[str, Any]]:
        """Return what was posted to a path."""
        return [body for where, body in self.heard if where == path]

    @property
    def paths(self) -> list[str]:
        """The paths that were called, in order."""
        return [where for where, _ in self.heard]


@contextmanager
def listener(status: int = 200, *, answers: bool = True) -> Iterator[Listener]:
    """Listen on a free port of the loopback interface until the block ends."""
    told = Listener(status=status)
    if answers:
        told.open.set()

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            told.heard.append((self.path, json.loads(body)))
            told.open.wait(20)
            self.send_response(told.status)
            self.send_header("Location", f"{told.url}/elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_told: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        told.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield told
        finally:
            told.open.set()
            server.shutdown()
            thread.join()

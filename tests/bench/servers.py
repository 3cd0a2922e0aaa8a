"""Who answers while something is measured, on a core of its own: nginx, or else a server of our own."""

import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from tests.bench.accounts import BODY, Terms, read_log
from tests.bench.arrivals import Log
from tests.bench.machine import SERVER, pinned
from tests.bench.processes import MeasuringError

ROOT = Path(__file__).parents[2]
PATIENCE_S = 10.0
LONGEST_S = 3600
_TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
_NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log warn;
events {{ worker_connections 4096; }}
http {{
  access_log off; keepalive_requests 1000000000; keepalive_timeout 600s; {temporary}
  server {{
    listen 127.0.0.1:{port}; default_type application/json;
    location / {{ return 200 '{body}'; }}
    location = /calls {{ stub_status; }}
  }}
}}
"""


@dataclass(frozen=True, slots=True)
class Server:
    """A server that answers every call alike, and counts them."""

    name: str
    port: int

    @property
    def url(self) -> str:
        """Where its API is."""
        return f"http://127.0.0.1:{self.port}/ip.php"

    def calls(self) -> int:
        """Return how many calls it has answered, by its own count; for nginx, a question is one, too."""
        text = _get(self.port, "calls").decode()
        if self.name.startswith("nginx"):
            return int(text.splitlines()[2].split()[2])
        return int(text)

    def calls_since(self, before: int) -> int:
        """Return how many calls others have made since `calls` said that."""
        return self.calls() - before - self.name.startswith("nginx")


@dataclass(frozen=True, slots=True)
class Seen:
    """How many calls an account has noted, and when the first and the last came; None without any."""

    calls: int
    first: float | None
    last: float | None


@dataclass(frozen=True, slots=True)
class AccountAt:
    """An account of the server that counts."""

    port: int

    @property
    def url(self) -> str:
        """Where its API is."""
        return f"http://127.0.0.1:{self.port}/ip.php"

    def log(self) -> Log:
        """Return when every call arrived, and what it was."""
        return read_log(_get(self.port, "log"))

    def seen(self) -> Seen:
        """Return how many calls there were, and when the first and the last arrived."""
        return Seen(**json.loads(_get(self.port, "calls")))

    def forget(self) -> None:
        """Begin a new log."""
        _get(self.port, "forget")


@contextmanager
def any_server(folder: Path) -> Iterator[Server]:
    """Serve as fast as can be, for as long as the block lasts."""
    if shutil.which("nginx"):
        port = _free_port()
        with _running(["nginx", "-p", str(folder), "-c", str(_nginx_settings(folder, port))]):
            _wait_for(port)
            yield Server("nginx, one worker process", port)
    else:
        with _running([sys.executable, "-m", "tests.bench.fastserver"]) as process:
            yield Server("uvloop protocol server (no nginx here)", int(_first_line(process)))


@contextmanager
def accounts(terms: Sequence[Terms]) -> Iterator[list[AccountAt]]:
    """Serve accounts that count, all in one process, for as long as the block lasts."""
    told = json.dumps([asdict(one) for one in terms])
    with _running([sys.executable, "-m", "tests.bench.accountserver", told]) as process:
        yield [AccountAt(int(port)) for port in _first_line(process).split()]


@contextmanager
def _running(command: list[str]) -> Iterator[subprocess.Popen[str]]:
    """Run a server, and end it by its own id; in the worst case it ends by itself."""
    with subprocess.Popen(
        pinned(bounded(command), SERVER),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.terminate()


def bounded(command: list[str]) -> list[str]:
    """Return a command that ends after a while, even when nobody is left to end it."""
    return ["timeout", str(LONGEST_S), *command] if shutil.which("timeout") else command


def described() -> str:
    """Return which servers answer in which sections."""
    fast = "nginx, one worker process" if shutil.which("nginx") else "uvloop protocol server (no nginx here)"
    return f"contenders: {fast}; rate and scale: uvloop protocol server that logs every call"


def _first_line(process: subprocess.Popen[str]) -> str:
    line = process.stdout.readline() if process.stdout else ""
    if not line:
        raise MeasuringError("the server did not start")
    return line


def _nginx_settings(folder: Path, port: int) -> Path:
    paths = "".join(f"{name}_temp_path {folder}/{name}; " for name in _TEMPORARY)
    path = folder / "nginx.conf"
    path.write_text(_NGINX.format(folder=folder, port=port, body=BODY.decode(), temporary=paths))
    return path


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise MeasuringError("nginx did not start")


def _get(port: int, path: str) -> bytes:
    with urlopen(f"http://127.0.0.1:{port}/{path}", timeout=PATIENCE_S) as response:
        content: Any = response.read()
    return bytes(content)

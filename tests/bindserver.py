"""Real name servers for tests: BIND's named, each on a loopback address and with zones of its own.

All servers of one test are reached on the same port, on 127.0.0.2, 127.0.0.3
and so on, because NS records carry no port. Debian's package bind9 has named;
without it these tests skip.
"""

import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import dns.message
import dns.opcode
import dns.query
import dns.rcode
import dns.tsigkeyring
import dns.update
import pytest

from tests.dnsrelay import relay

NAMED = shutil.which("named", path="/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin:/usr/bin")
NEEDS_NAMED = pytest.mark.skipif(
    NAMED is None or sys.platform != "linux",
    reason="BIND's named is not installed (`make system-deps` installs it), or this is not Linux",
)
KEY_NAME = "feed"
KEY_SECRET = "c2VjcmV0IG9mIGEgdGVzdCwgbm90IG9mIGEgbWFpbCBzZXJ2ZXI="
PATIENCE_S = 20.0
TRANSFERRED = "Transfer status: success"
SOA = "@ 60 IN SOA ns1.isp.example. hostmaster.isp.example. 1 3600 600 86400 60\n"


@dataclass
class Bind:
    """A running name server, and the lines of its log; `real_port` is where it listens on 127.0.0.1."""

    address: str
    port: int
    real_port: int
    log: list[str] = field(default_factory=list)
    grown: threading.Condition = field(default_factory=threading.Condition)
    ended: bool = False

    @property
    def endpoint(self) -> str:
        """Where it is reached, as a job file writes it."""
        return f"{self.address}:{self.port}"

    def queries(self, name: str) -> list[str]:
        """Return type and flags of the questions for a name that the server saw, such as `PTR -E(0)`."""
        pattern = re.compile(rf"query: {re.escape(name)} IN (\S+ \S+)", re.IGNORECASE)
        return [found[1] for line in self.log if (found := pattern.search(line))]

    def questions(self, domain: str) -> list[str]:
        """Return name and type of the questions for names below a domain that the server saw."""
        pattern = re.compile(rf"query: (\S+\.{re.escape(domain)}) IN (\S+)")
        return [f"{found[1]} {found[2]}" for line in self.log if (found := pattern.search(line))]

    def drain(self, lines: Iterator[str]) -> None:
        """Take in the log as it is written."""
        for line in lines:
            with self.grown:
                self.log.append(line)
                self.grown.notify_all()
        with self.grown:
            self.ended = True
            self.grown.notify_all()

    def wait_for(self, text: str, times: int = 1) -> None:
        """Wait until lines of the log say so."""
        with self.grown:
            self.grown.wait_for(lambda: self.ended or self.said(text) >= times, PATIENCE_S)
        assert self.said(text) >= times, f"named did not say {text!r}:\n{''.join(self.log)}"

    def said(self, text: str) -> int:
        """Return how many lines of the log say so."""
        return sum(text in line for line in self.log)

    def update(self, zone: str, owner: str, kind: str, *values: str) -> None:
        """Replace records by a signed RFC 2136 update."""
        keyring = dns.tsigkeyring.from_text({KEY_NAME: KEY_SECRET})
        message = dns.update.UpdateMessage(zone, keyring=keyring)
        message.delete(owner, kind)
        for value in values:
            message.add(owner, 60, kind, value)
        reply = dns.query.tcp(message, self.address, port=self.port, timeout=PATIENCE_S)
        assert reply.rcode() == dns.rcode.NOERROR, reply

    def notify(self, zone: str) -> None:
        """Tell a secondary that its zone has changed, and wait until it has it."""
        transfers = self.said(TRANSFERRED)
        message = dns.message.make_query(zone, "SOA")
        message.set_opcode(dns.opcode.NOTIFY)
        dns.query.udp(message, "127.0.0.1", port=self.real_port, timeout=PATIENCE_S)
        self.wait_for(TRANSFERRED, transfers + 1)


@dataclass(frozen=True, slots=True)
class Primary:
    """A zone that is edited here; `updatable` takes RFC 2136 updates signed with the key."""

    records: str
    updatable: bool = False

    def statement(self, name: str, file: Path) -> str:
        """Return the zone's part of the configuration."""
        file.write_text(SOA + self.records)
        update = f'allow-update {{ key "{KEY_NAME}"; }};' if self.updatable else ""
        return f'zone "{name}" {{ type primary; file "{file}"; {update} allow-transfer {{ any; }}; }};'


@dataclass(frozen=True, slots=True)
class Secondary:
    """A copy of a zone; it lags until it is notified, because its primary tells nobody."""

    primary: Bind

    def statement(self, name: str, file: Path) -> str:
        """Return the zone's part of the configuration."""
        primary = f"127.0.0.1 port {self.primary.real_port}"
        return f'zone "{name}" {{ type secondary; file "{file}"; primaries {{ {primary}; }}; }};'


@dataclass(frozen=True, slots=True)
class Hints:
    """Where the root is, for a server that resolves recursively."""

    root: str

    def statement(self, name: str, file: Path) -> str:
        """Return the zone's part of the configuration."""
        file.write_text(f". 60 IN NS ns.root.\nns.root. 60 IN A {self.root}\n")
        return f'zone "{name}" {{ type hint; file "{file}"; }};'


Zone = Primary | Secondary | Hints


@contextmanager
def bind(folder: Path, address: str, port: int, zones: Mapping[str, Zone]) -> Iterator[Bind]:
    """Run a name server with these zones until the block ends."""
    assert NAMED is not None
    server = Bind(address, port, free_port())
    folder.mkdir()
    configuration = folder / "named.conf"
    configuration.write_text(_configuration(folder, server, zones))
    command = [NAMED, "-g", "-n", "1", "-c", str(configuration)]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=folder)
    assert process.stderr is not None
    drain = threading.Thread(target=server.drain, args=(process.stderr,))
    drain.start()
    try:
        server.wait_for(" running\n")
        with nullcontext() if address == "::1" else relay(address, port, server.real_port):
            yield server
    finally:
        process.terminate()
        process.wait(PATIENCE_S)
        drain.join(PATIENCE_S)
        process.stderr.close()


def free_port() -> int:
    """Return a port that is free for UDP and TCP at this moment."""
    with socket.socket() as stream, socket.socket(type=socket.SOCK_DGRAM) as datagrams:
        stream.bind(("127.0.0.1", 0))
        port: int = stream.getsockname()[1]
        datagrams.bind(("127.0.0.1", port))
        return port


def _configuration(folder: Path, server: Bind, zones: Mapping[str, Zone]) -> str:
    recursive = any(isinstance(zone, Hints) for zone in zones.values())
    files = {name: folder / f"{number}.zone" for number, name in enumerate(zones)}
    return "\n".join(
        [
            f'options {{ directory "{folder}"; listen-on port {server.real_port} {{ 127.0.0.1; }};',
            f"listen-on-v6 port {server.port} {{ {'::1' if server.address == '::1' else 'none'}; }};",
            f"port {server.port};",
            "pid-file none; lock-file none; querylog yes; notify no; allow-query { any; };",
            "dnssec-validation no; empty-zones-enable no;",
            f'session-keyfile "{folder}/session.key"; recursion {"yes" if recursive else "no"}; }};',
            "controls { };",
            f'key "{KEY_NAME}" {{ algorithm hmac-sha256; secret "{KEY_SECRET}"; }};',
            *(zone.statement(name, files[name]) for name, zone in zones.items()),
        ]
    )

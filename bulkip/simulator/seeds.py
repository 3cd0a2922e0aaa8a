"""What the simulated provider holds at the start: what a caller states; the rest is invented."""

import ipaddress
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from bulkip import addresses

HOUR_S = 3600
_SILENT_ONE_IN = 25
_PREFIXES = {4: 24, 6: 64}


@dataclass(frozen=True, slots=True)
class TrafficPoint:
    """The traffic of the hour that begins at `at` (Unix seconds), in hundredths of a GB: sums are exact."""

    at: int
    inbound: int
    outbound: int


@dataclass(frozen=True, slots=True)
class Seed:
    """One address at the start of a simulation.

    Without `server_id` it accepts the first id that asks for it. `ptr` is the
    record, several separated by newlines, none when empty; None invents one.
    `traffic` is what get_traffic reports, () for nothing; None invents it.
    `forward` are names that lead to it in DNS although no PTR says so yet.
    """

    ip: str
    server_id: int | None = None
    location: str | None = None
    ptr: str | None = None
    traffic: tuple[TrafficPoint, ...] | None = None
    forward: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Subnet:
    """A network of the account; those of its addresses that no seed names are free."""

    id: int
    cidr: str
    location: str


INVENTED_SUBNETS = (Subnet(15, "192.0.2.0/28", "NL"), Subnet(16, "192.0.2.16/28", "US"))


def canonical_ip(text: str) -> str | None:
    """Return an address as the simulator stores it, or None when the text is no address."""
    try:
        return addresses.canonical_ip(text, allow_ipv6=True)
    except ValueError:
        return None


def invented_ptr(ip: str) -> str:
    """Return the name a provider gives by default: the address with dashes, in its own zone."""
    digits = ipaddress.ip_address(ip).exploded.replace(":", "-").replace(".", "-")
    return f"ip-{digits}.static.example.net"


def invented_server(ip: str) -> int:
    """Return the server of an address when nobody said: 16 neighbours share one, numbered from 100000."""
    return 100_000 + zlib.crc32((int(ipaddress.ip_address(ip)) // 16).to_bytes(16)) % 900_000


def invented_network(ip: str) -> str:
    """Return the network an address stands in when nobody said: its /24, or its /64."""
    address = ipaddress.ip_address(ip)
    return str(ipaddress.ip_network((ip, _PREFIXES[address.version]), strict=False))


def has_traffic(ip: str) -> bool:
    """Say whether traffic is invented for an address; one in 25 stays silent."""
    return zlib.crc32(ip.encode()) % _SILENT_ONE_IN != 0


def invented_traffic(ip: str, hours: Iterable[int]) -> Iterator[TrafficPoint]:
    """Yield the traffic of the hours that begin at these Unix times: up to 4 GB in and 2.5 GB out."""
    if not has_traffic(ip):
        return
    base = zlib.crc32(f"{ip}@".encode())
    for at in hours:
        noise = zlib.crc32(str(at // HOUR_S).encode(), base)
        yield TrafficPoint(at, noise % 401, (noise >> 16) % 251)


def invented_account() -> Iterator[Seed]:
    """Yield the account of a simulator that was given none: 203.0.113.0/24, 16 each on servers 4711-4726."""
    for offset, address in enumerate(ipaddress.ip_network("203.0.113.0/24")):
        yield Seed(str(address), 4711 + offset // 16, "NL")

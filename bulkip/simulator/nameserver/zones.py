"""What does a name server of the provider know of a name?

It serves the zones of the networks that the account's addresses stand in (a
/24, a /64), and the root above them: so every walk that starts here ends here,
and what nobody has heard of does not exist.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from itertools import islice

from dns.name import Name, from_text, root
from dns.rdata import Rdata
from dns.rdata import from_text as record
from dns.rdataclass import IN
from dns.rdatatype import AAAA, NS, PTR, SOA, A, RdataType

from bulkip.simulator.nameserver.forward import ForwardNames
from bulkip.simulator.nameserver.names import ZONE_LABELS, address_of, dns_name, zone_of
from bulkip.simulator.nameserver.propagation import Propagation

Records = Mapping[RdataType, tuple[Rdata, ...]]
PtrReader = Callable[[str, float], tuple[str, ...]]

_HOME = from_text("simulator.example.")
_PREFIX = {4: 24, 6: 64}
_IP6 = from_text("ip6.arpa.")
_TOPS = {from_text("in-addr.arpa."): 4, _IP6: 6}
_LONGEST_REVERSE = 35  # labels of an IPv6 address
_MOST_ZONES = 32  # of a subnet: its free addresses, 4,096 at most, lie in fewer


@dataclass(frozen=True, slots=True)
class Node:
    """What a server knows of a name: its zone, its records, and whether the name exists at all.

    `ip` is the address whose reverse name it is; `serial` is that of the zone.
    """

    zone: Name
    serial: int
    records: Records
    exists: bool
    ip: str | None


class Zones:
    """Owns the names of the zones; what is in them is read where it lives, each time."""

    def __init__(
        self, networks: list[str], ptr: PtrReader, forward: ForwardNames, hosts: tuple[str, ...]
    ) -> None:
        self._ptr = ptr
        self._forward = forward
        self._apexes = frozenset(apex for network in networks for apex in _apexes(network))
        self._above = frozenset(above for apex in self._apexes for above in _ancestors(apex))
        self._hosts = {from_text(f"ns{number}", _HOME): host for number, host in enumerate(hosts, 1)}

    def glue(self) -> Iterator[tuple[Name, Records]]:
        """Yield the names of the servers, each with its addresses."""
        for name, host in self._hosts.items():
            yield name, by_version([host])

    def node(self, name: Name, propagation: Propagation, now: float) -> Node:
        """Return what a server knows of a name that has heard of what this propagation let through."""
        zone = self._zone(name)
        serial = propagation.serial(now)
        ip = address_of(name)
        pointers = self._pointers(ip, propagation, now) if ip else ()
        addresses = (self._hosts[name],) if name in self._hosts else self._forward.addresses(name)
        apex = {SOA: (soa(serial),), NS: self._servers()} if name == zone else {}
        records = {**apex, PTR: pointers, **by_version(addresses)}
        found = {kind: values for kind, values in records.items() if values}
        return Node(zone, serial, found, bool(found) or self._goes_on(name, zone), ip)

    def _zone(self, name: Name) -> Name:
        for top, version in _TOPS.items():
            if name.is_subdomain(top) and len(name) >= ZONE_LABELS[version]:
                apex = name.split(ZONE_LABELS[version])[1]
                return apex if apex in self._apexes else root
        return root

    def _servers(self) -> tuple[Rdata, ...]:
        return tuple(record(IN, NS, str(name)) for name in self._hosts)

    def _pointers(self, ip: str, propagation: Propagation, now: float) -> tuple[Rdata, ...]:
        # In this order: a change between the two is on its way already, and shows what was before it.
        current = self._ptr(ip, now)
        shown = propagation.shown(ip, now)
        return pointers_to(current if shown is None else shown)

    def _goes_on(self, name: Name, zone: Name) -> bool:
        """Say whether there are names below this one, so that it exists too (RFC 8020)."""
        within = zone != root and len(name) < _LONGEST_REVERSE  # between a /64 and its addresses
        above = name in self._above or name in (_HOME, _HOME.parent())
        return above or (within and name.is_subdomain(_IP6)) or self._forward.goes_on(name)


def soa(serial: int) -> Rdata:
    """Return the SOA record of every zone."""
    return record(IN, SOA, f"ns1.{_HOME} hostmaster.{_HOME} {serial} 60 10 3600 1")


def pointers_to(names: Iterable[str]) -> tuple[Rdata, ...]:
    """Return the PTR records for names; what cannot be a name in DNS is left out."""
    return tuple(record(IN, PTR, str(name)) for text in names if (name := dns_name(text)) is not None)


def by_version(addresses: Iterable[str]) -> Records:
    """Return the A and AAAA records for addresses."""
    ips = tuple(addresses)
    return {
        A: tuple(record(IN, A, ip) for ip in ips if ":" not in ip),
        AAAA: tuple(record(IN, AAAA, ip) for ip in ips if ":" in ip),
    }


def _apexes(network: str) -> Iterator[Name]:
    """Yield the zones of a network: its own /24s (/64s), or the one that it lies in."""
    whole = ip_network(network)
    longest = max(whole.prefixlen, _PREFIX[whole.version])
    for part in islice(whole.subnets(new_prefix=longest), _MOST_ZONES):
        yield zone_of(str(part).partition("/")[0])


def _ancestors(name: Name) -> Iterator[Name]:
    while name != root:
        name = name.parent()
        yield name

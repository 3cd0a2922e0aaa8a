"""Which zone of the fed server does an address have its reverse name in, and under which name?"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from dns.name import Name
from dns.reversename import from_address

from bulkip.simulator.nameserver.names import zone_of


@dataclass(frozen=True, slots=True)
class Place:
    """A zone, and the name in it that holds the PTR records of an address."""

    zone: Name
    owner: Name


_CLASSLESS = re.compile(rb"([0-9]{1,3})([-/])([0-9]{1,3})")


def place_of(ip: str, zones: Sequence[Name]) -> Place | None:
    """Return where an address belongs: in the zone with the longest suffix, None when no zone fits.

    Without zones it is that of its /24, or its /64.
    """
    name = from_address(ip)
    if not zones:
        return Place(zone_of(ip), name)
    return max(_fitting(name, zones), key=lambda place: len(place.zone), default=None)


def _fitting(name: Name, zones: Iterable[Name]) -> Iterator[Place]:
    for zone in zones:
        if name.is_subdomain(zone):
            yield Place(zone, name)
        elif name.parent() == zone.parent() and _holds(zone[0], name[0]):
            yield Place(zone, Name((name[0], *zone.labels)))


def _holds(label: bytes, octet: bytes) -> bool:
    """Say whether a zone such as `0-15` or `0/28` is for the address that ends so (RFC 2317)."""
    match = _CLASSLESS.fullmatch(label)
    if match is None:
        return False
    first, second = int(match[1]), int(match[3])
    last = second if match[2] == b"-" else first + 2 ** max(0, 32 - second) - 1
    return first <= int(octet) <= last

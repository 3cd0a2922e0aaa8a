"""What is told of a zone whose servers were asked?"""

from collections.abc import Iterator, Sequence

from bulkip.proof import Absent, Finding, Found, Trouble
from bulkip.resolver.names import shown_name
from bulkip.resolver.replies import Reading
from bulkip.resolver.servers import NO_ROUTE, Zone


def findings_of(zone: Zone, read: Sequence[Reading]) -> Iterator[Finding]:
    """Yield what the servers of a zone said, and what is wrong with the zone itself.

    Who only sent us on has said nothing. An address without a route from here
    counts only if its server has no other: most servers have an IPv6 address,
    and many machines no IPv6.
    """
    reached = {server.name for server, one in zip(zone.servers, read, strict=True) if one != NO_ROUTE}
    for server, one in zip(zone.servers, read, strict=True):
        needless = one == NO_ROUTE and server.name in reached
        if isinstance(one, Found | Absent | Trouble) and not needless:
            yield Finding(str(server), one)
    yield from faults_of(zone)


def faults_of(zone: Zone) -> Iterator[Finding]:
    """Yield the servers that nobody can ask, and what keeps the world from asking any."""
    yield from (Finding(shown_name(name), Trouble("no address of it was found")) for name in zone.homeless)
    if not zone.servers and not zone.homeless:
        yield Finding(zone_text(zone), Trouble("no name server of this zone was found"))
    if zone.is_orphan:
        yield Finding(f"zone above {shown_name(zone.apex)}", Absent("it does not delegate this zone"))


def zone_text(zone: Zone) -> str:
    """Return a zone as findings name it."""
    return f"zone {shown_name(zone.apex)}"

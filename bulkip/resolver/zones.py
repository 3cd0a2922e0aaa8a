"""Which zone does a name belong to, and who serves it? Found by walking down the delegations."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

from anyio import current_time
from dns.flags import AA
from dns.message import QueryMessage
from dns.name import Name, root
from dns.rcode import NOERROR, NXDOMAIN
from dns.rdatatype import AAAA, NS, SOA, A, RdataType

from bulkip.characters import quoted
from bulkip.proof import Trouble
from bulkip.resolver.exchange import Exchange
from bulkip.resolver.names import shown_name
from bulkip.resolver.replies import addresses_in, apex_in, is_between, lame, referral, refusal, servers_in
from bulkip.resolver.servers import MOST_NAMES, Cut, Server, Zone
from bulkip.resolver.walks import MOST_QUESTIONS, Quest, Turns, Walk, at_once

KEPT_S = 60.0
"""So long it is remembered who serves a zone; what the servers say is never remembered."""
KEPT_IN_VAIN_S = 5.0
"""So long it is remembered that no server of a zone was found."""
MOST_KEPT = 10_000
MOST_CUTS = 40
"""More zones lie one below the other on no honest way down."""
MOST_DEPTH = 4
FEW = 2
"""So many servers of the zone above are asked whom it names."""
TOO_MANY = Trouble(f"gave up after {MOST_QUESTIONS} questions")


class Zones:
    """Owns what is known for a minute about who serves which zone.

    The starting servers may be recursive resolvers, or serve the zones
    themselves, or only know whom else to ask: each reply is taken for what it is.
    """

    def __init__(self, exchange: Exchange, start: Sequence[Server], port: int) -> None:
        """Begin every way at the starting servers; the servers found on it listen on `port`."""
        self._exchange = exchange
        self._start = Zone(root, tuple(start), is_start=True)
        self._port = port
        self._kept: dict[Name, tuple[float, Zone]] = {}
        self._turns = Turns()

    async def find(self, name: Name, quest: Quest) -> Zone | Trouble:
        """Return the zone that a name belongs to, with all servers that are to know it."""
        walk = Walk(quest)
        zone = self._nearest(name) or await self._scouted(name, walk)
        return zone if isinstance(zone, Trouble) else await self._deepest(name, zone, walk)

    async def behind(self, cut: Cut, quest: Quest) -> Zone:
        """Return the zone of a delegation that a server told about."""
        walk = Walk(quest)
        servers = await self._some_servers(cut, walk)
        return await self._complete(cut.apex, Zone(cut.apex, servers, cut=cut), walk)

    async def _scouted(self, name: Name, walk: Walk) -> Zone | Trouble:
        """Return a zone on the way to a name; neighbours of the name wait for the first one."""
        async with self._turns.scout(name if name == root else name.parent()):
            return self._nearest(name) or await self._enter(name, walk)

    async def _enter(self, name: Name, walk: Walk) -> Zone | Trouble:
        """Return a zone on the way to a name, as the starting servers tell.

        A recursive server cannot say anything below a broken delegation, but
        it can about what is above; the way goes on from there.
        """
        asked = name
        while True:
            zone, reply = await self._descend(asked, SOA, self._start, walk)
            if not zone.is_start:
                return await self._complete(zone.apex, zone, walk)
            if isinstance(reply, QueryMessage) and (apex := apex_in(reply, asked)):
                return await self._complete(apex, zone, walk)
            if asked == root:
                return _not_found(reply)
            asked = asked.parent() if isinstance(reply, QueryMessage) else _much_shorter(asked)

    async def _deepest(self, name: Name, zone: Zone, walk: Walk) -> Zone:
        """Return the zone of a name that lies in a zone or below it, as that zone's servers tell."""
        asked = name
        while asked != zone.apex:
            reached, reply = await self._descend(asked, SOA, zone, walk)
            apex = apex_in(reply, asked) if isinstance(reply, QueryMessage) else None
            if apex is not None and is_between(apex, name, reached.apex):
                return await self._complete(apex, reached, walk)
            if reached is not zone:
                zone = await self._complete(reached.apex, reached, walk)
            if isinstance(reply, Trouble) or apex == zone.apex:
                return zone
            asked = asked.parent()
        return zone

    async def _descend(
        self, name: Name, kind: RdataType, zone: Zone, walk: Walk
    ) -> tuple[Zone, QueryMessage | Trouble]:
        """Follow delegations until somebody answers a question; return where that was."""
        for _ in range(MOST_CUTS):
            reply = await self._first(zone, name, kind, walk)
            cut = referral(reply, name, zone.apex) if isinstance(reply, QueryMessage) else None
            if cut is None:
                return zone, reply
            servers = await self._some_servers(cut, walk)
            zone = Zone(cut.apex, servers, cut=cut)
        return zone, Trouble(f"{quoted(shown_name(name))} is delegated too often")

    async def _first(self, zone: Zone, name: Name, kind: RdataType, walk: Walk) -> QueryMessage | Trouble:
        """Return the first usable reply of a zone's servers, those first that answered lately."""
        trouble = _nobody(zone)
        for server in sorted(zone.servers, key=self._exchange.silence):
            if not walk.quest.spend():
                return TOO_MANY
            reply = await self._exchange.ask(server, name, kind, recursive=zone.is_start)
            said = reply if isinstance(reply, Trouble) else _objection(reply, name, zone)
            if said is None:
                return reply
            trouble = Trouble(f"{server}: {said.reason}")
        return trouble

    async def _some_servers(self, cut: Cut, walk: Walk) -> tuple[Server, ...]:
        """Return servers of a delegation that are enough to go on: those it gives, or one that is found."""
        if glued := self._listed({name: cut.glue.get(name, ()) for name in cut.names}):
            return glued
        for name in cut.names:
            if found := await self._addresses(name, walk):
                return self._listed({name: found})
        return ()

    async def _complete(self, apex: Name, above: Zone, walk: Walk) -> Zone:
        """Return a zone with all its servers: those that the delegation names, and those the zone names."""
        async with self._turns.turn(apex):
            return self._fresh(apex) or self._kept_for_long(await self._gathered(apex, above, walk))

    async def _gathered(self, apex: Name, above: Zone, walk: Walk) -> Zone:
        reached, reply = await self._descend(apex, NS, above, walk)
        cut = _joined(_cut_of(above, apex), _cut_of(reached, apex), _told(reply, apex))
        if not reached.is_start:
            own = _joined(cut, _told(await self._first(reached, apex, NS, walk), apex))
            return await self._inhabited(own, walk)
        delegated = await self._delegated(apex, walk)
        zone = await self._inhabited(_joined(cut, delegated or Cut(apex, ())), walk)
        return replace(zone, is_orphan=delegated is None)

    async def _delegated(self, apex: Name, walk: Walk) -> Cut | None:
        """Return whom the zone above names, as far as it is heard; None when it knows of no such zone.

        The starting servers tell the zone's own view, and may even serve it
        themselves; the world goes by the zone above.
        """
        parent = Zone(apex, ()) if apex == root else await self._above(apex, walk)
        reply = await self._first(parent, apex, NS, walk)
        if isinstance(reply, Trouble):
            return Cut(apex, ())
        is_denied = bool(reply.flags & AA) and not _told(reply, apex).names
        return None if is_denied else referral(reply, apex, parent.apex) or Cut(apex, ())

    async def _above(self, apex: Name, walk: Walk) -> Zone:
        """Return the zone above one, with a few of its servers."""
        parent, reply = await self._descend(apex.parent(), SOA, self._start, walk)
        if not parent.is_start:
            return parent
        above = apex_in(reply, apex.parent()) if isinstance(reply, QueryMessage) else None
        if above is None:
            return Zone(apex, ())
        _, reply = await self._descend(above, NS, self._start, walk)
        servers = await self._some_servers(_told(reply, above), walk)
        return Zone(above, servers[:FEW])

    async def _inhabited(self, cut: Cut, walk: Walk) -> Zone:
        """Find the addresses of all servers of a zone."""
        found = await at_once(partial(self._glued_or_found, name, cut, walk) for name in cut.names)
        places = dict(zip(cut.names, found, strict=True))
        homeless = tuple(name for name, addresses in places.items() if not addresses)
        return Zone(cut.apex, self._listed(places), homeless, cut)

    async def _glued_or_found(self, name: Name, cut: Cut, walk: Walk) -> tuple[str, ...]:
        return cut.glue.get(name) or await self._addresses(name, walk)

    async def _addresses(self, name: Name, walk: Walk) -> tuple[str, ...]:
        """Return the addresses of a name server, IPv4 first; none when the way there is too deep."""
        if walk.depth >= MOST_DEPTH:
            return ()
        deeper = Walk(walk.quest, walk.depth + 1)
        found = await at_once(partial(self._descend, name, kind, self._start, deeper) for kind in (A, AAAA))
        replies = (reply for _, reply in found if isinstance(reply, QueryMessage))
        return tuple(address for reply in replies for address in addresses_in(reply))

    def _listed(self, places: Mapping[Name, Sequence[str]]) -> tuple[Server, ...]:
        """Return servers, each address once."""
        servers = {
            address: Server(address, self._port, shown_name(name))
            for name, addresses in reversed(list(places.items()))
            for address in addresses
        }
        return tuple(
            sorted(servers.values(), key=lambda server: (server.name, ":" in server.address, server.address))
        )

    def _nearest(self, name: Name) -> Zone | None:
        """Return the deepest zone around a name that is known already."""
        ancestors = (Name(name.labels[skipped:]) for skipped in range(len(name)))
        return next((zone for ancestor in ancestors if (zone := self._fresh(ancestor))), None)

    def _fresh(self, apex: Name) -> Zone | None:
        until, zone = self._kept.get(apex, (0.0, self._start))
        return zone if until > current_time() else None

    def _kept_for_long(self, zone: Zone) -> Zone:
        if len(self._kept) >= MOST_KEPT:
            self._kept.clear()
        self._kept[zone.apex] = (current_time() + (KEPT_S if zone.servers else KEPT_IN_VAIN_S), zone)
        return zone


def _objection(reply: QueryMessage, name: Name, zone: Zone) -> Trouble | None:
    """Return why a reply is no way on: an error, or the word of a server that does not serve the zone."""
    if reply.rcode() not in (NOERROR, NXDOMAIN):
        return refusal(reply)
    if zone.is_start or reply.flags & AA or referral(reply, name, zone.apex):
        return None
    return lame(zone.apex)


def _nobody(zone: Zone) -> Trouble:
    if zone.is_start:
        return Trouble("no resolver to begin at is known; the system's configuration names none")
    return Trouble(f"the zone {quoted(shown_name(zone.apex))} has no name server with an address")


def _cut_of(zone: Zone, apex: Name) -> Cut:
    return zone.cut if zone.cut is not None and zone.apex == apex else Cut(apex, ())


def _told(reply: QueryMessage | Trouble, apex: Name) -> Cut:
    return servers_in(reply, apex) if isinstance(reply, QueryMessage) else Cut(apex, ())


def _joined(*cuts: Cut) -> Cut:
    """Return one delegation of several of the same zone; the glue of the first ones counts."""
    names = dict.fromkeys(name for cut in cuts for name in cut.names)
    glue = {name: addresses for cut in reversed(cuts) for name, addresses in cut.glue.items()}
    return Cut(cuts[0].apex, tuple(names)[:MOST_NAMES], glue)


def _much_shorter(name: Name) -> Name:
    """Return the lower half of the name's way up: an IPv6 name has 34 labels."""
    return Name(name.labels[len(name) // 2 :])


def _not_found(reply: QueryMessage | Trouble) -> Trouble:
    why = reply.reason if isinstance(reply, Trouble) else "nobody told"
    return Trouble(f"not to be found: {why}")

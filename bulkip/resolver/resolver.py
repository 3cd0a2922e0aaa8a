"""What does each name server say about an address, or about a name?"""

from collections.abc import Iterable, Sequence
from functools import partial
from types import TracebackType
from typing import Self, assert_never

from anyio import to_thread
from dns.name import Name
from dns.rdata import load_all_types
from dns.rdatatype import AAAA, PTR, A, RdataType
from dns.resolver import NoResolverConfiguration
from dns.resolver import Resolver as SystemResolver

from bulkip.addresses import IPV4, IPV6
from bulkip.characters import quoted
from bulkip.policy import VerifyMode
from bulkip.proof import Finding, Lead, Proof, Trouble, judge_forward, prove_dns, prove_fcrdns
from bulkip.resolver.exchange import Exchange
from bulkip.resolver.findings import findings_of, zone_text
from bulkip.resolver.names import absolute_name, reverse_name, shown_name
from bulkip.resolver.replies import Reading, read_direct, read_recursive
from bulkip.resolver.servers import PORT, Cut, Server, Zone, parse_server
from bulkip.resolver.walks import Quest, at_once
from bulkip.resolver.zones import TOO_MANY, Zones

TIMEOUT_S = 3.0
TRIES = 2
IN_FLIGHT = 32
LONGEST_WAY = 8
"""So many aliases and delegations are followed one after the other."""
MOST_WAYS = 4
"""To so many places the servers of one zone may send us on."""


class Resolver:
    """Asks name servers and owns the questions that are on their way.

    With `resolvers` exactly these are asked. Without, the servers of the zone
    itself are, every one of them, and nobody's cache: they are found from
    `start` (the system's resolvers when None), and listen on `port`. DNS
    trouble is never raised; it is what a server is found to say.
    """

    def __init__(
        self,
        resolvers: Sequence[str] = (),
        *,
        start: Sequence[str] | None = None,
        port: int = PORT,
        timeout_s: float = TIMEOUT_S,
        in_flight: int = IN_FLIGHT,
    ) -> None:
        """Ask at most `in_flight` questions at once, and wait `timeout_s` for each try of two."""
        self._given = tuple(map(parse_server, resolvers))
        self._start = None if start is None else tuple(map(parse_server, start))
        self._port = port
        self._exchange = Exchange(timeout_s, TRIES, in_flight)
        self._zones = Zones(self._exchange, self._start or (), port)

    async def __aenter__(self) -> Self:
        """Read what is in files now, so that no question waits for one."""
        await to_thread.run_sync(partial(load_all_types, disable_dynamic_load=False))
        if self._start is None and not self._given:
            addresses = await to_thread.run_sync(_system_resolvers)
            self._zones = Zones(self._exchange, tuple(map(Server, addresses)), self._port)
        return self

    async def __aexit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        """Keep nothing; every socket is closed with its question."""

    async def pointers(self, ip: str) -> tuple[Finding, ...]:
        """Return which names each server shows for an address."""
        return await self._asked(reverse_name(ip), PTR)

    async def addresses(self, name: str, version: int) -> tuple[Finding, ...]:
        """Return which addresses of IP version 4 or 6 each server shows for a name."""
        known = absolute_name(name)
        if known is None:
            return (Finding(f"zone of {quoted(name)}", Trouble("no name that the DNS can hold")),)
        return await self._asked(known, A if version == IPV4 else AAAA)

    async def lead(self, name: str, ip: str) -> Lead:
        """Return where a name leads, seen from the address that is to be called so."""
        return judge_forward(name, ip, await self.addresses(name, _version(ip)))

    async def proof(self, mode: VerifyMode, ip: str, wanted: Iterable[str]) -> Proof:
        """Look once whether the DNS shows an address as wanted; mode dns or fcrdns."""
        names = tuple(wanted)
        findings = await self.pointers(ip)
        there = prove_dns(names, findings)
        if mode is not VerifyMode.FCRDNS:
            return there
        asked = names if there.holds else ()
        said = await at_once(partial(self.addresses, name, _version(ip)) for name in asked)
        return prove_fcrdns(names, findings, ip, dict(zip(asked, said, strict=True)))

    async def _asked(self, name: Name, kind: RdataType) -> tuple[Finding, ...]:
        if self._given:
            return tuple(await at_once(partial(self._given_says, one, name, kind) for one in self._given))
        return await self._find(name, kind, LONGEST_WAY, Quest())

    async def _given_says(self, server: Server, name: Name, kind: RdataType) -> Finding:
        reply = await self._exchange.ask(server, name, kind, recursive=True)
        shown = reply if isinstance(reply, Trouble) else read_recursive(reply, name)
        return Finding(str(server), shown)

    async def _find(self, name: Name, kind: RdataType, left: int, quest: Quest) -> tuple[Finding, ...]:
        """Find the servers of a name's zone and ask them."""
        zone = await self._zones.find(name, quest)
        if isinstance(zone, Trouble):
            return (Finding(f"zone of {shown_name(name)}", zone),)
        return await self._ask_zone(zone, name, kind, left=left, quest=quest)

    async def _ask_zone(
        self, zone: Zone, name: Name, kind: RdataType, *, left: int, quest: Quest
    ) -> tuple[Finding, ...]:
        """Ask every server of a zone, and those that they send us on to; `left` such steps are left."""
        if left == 0:
            return (Finding(zone_text(zone), Trouble(f"the way to {quoted(shown_name(name))} has no end")),)
        read = await at_once(partial(self._says, one, zone, name, kind, quest) for one in zone.servers)
        found = [*findings_of(zone, read)]
        onward = {_place(one): one for one in read if isinstance(one, Cut | Name)}
        for place in list(onward.values())[:MOST_WAYS]:
            match place:
                case Cut():
                    below = await self._zones.behind(place, quest)
                    found += await self._ask_zone(below, name, kind, left=left - 1, quest=quest)
                case Name():
                    found += await self._find(place, kind, left - 1, quest)
                case _:
                    assert_never(place)
        return tuple(found)

    async def _says(self, server: Server, zone: Zone, name: Name, kind: RdataType, quest: Quest) -> Reading:
        if not quest.spend():
            return TOO_MANY
        reply = await self._exchange.ask(server, name, kind, recursive=False)
        return reply if isinstance(reply, Trouble) else read_direct(reply, name, kind, zone.apex)


def _place(onward: Cut | Name) -> tuple[bool, Name]:
    """Return what makes two delegations, or two aliases, lead to the same place."""
    return (True, onward.apex) if isinstance(onward, Cut) else (False, onward)


def _version(ip: str) -> int:
    return IPV6 if ":" in ip else IPV4


def _system_resolvers() -> list[str]:
    """Read the machine's own configuration."""
    try:
        return [str(server) for server in SystemResolver().nameservers]
    except NoResolverConfiguration:
        return []

"""Which parts of the provider's DNS run beside a simulator, and what do they know of it?"""

from collections.abc import Iterable, Iterator
from contextlib import AsyncExitStack
from itertools import islice
from types import TracebackType
from typing import Self

from bulkip.simulator.desk import Desk
from bulkip.simulator.nameserver.clocks import Clocks
from bulkip.simulator.nameserver.feed import Feed
from bulkip.simulator.nameserver.forward import ForwardNames
from bulkip.simulator.nameserver.propagation import Propagation
from bulkip.simulator.nameserver.querydesk import Books, QueryDesk
from bulkip.simulator.nameserver.server import NameServers
from bulkip.simulator.nameserver.settings import DnsSettings, DnsUpdate
from bulkip.simulator.nameserver.zones import Zones
from bulkip.simulator.seeds import Seed, Subnet, canonical_ip
from bulkip.simulator.settings import SimulatorSettings

_BATCH = 2000


class Naming:
    """Owns what the settings ask for: the name servers, the feed of a real one."""

    def __init__(self, settings: SimulatorSettings) -> None:
        self._settings = settings
        self._forward = ForwardNames(settings.dns.forward if settings.dns else {})
        self._servers: NameServers | None = None
        self._feed: Feed | None = None
        self._open = AsyncExitStack()

    @property
    def endpoints(self) -> tuple[str, ...]:
        """Where the name servers are reached, as ADDRESS:PORT."""
        return self._servers.endpoints if self._servers else ()

    def close(self) -> None:
        """Forget all names."""
        self._forward.close()

    def noting(self, seeds: Iterable[Seed | Subnet]) -> Iterator[Seed | Subnet]:
        """Yield seeds on their way into the state, and remember which names lead to them."""
        stream = iter(seeds)
        while batch := list(islice(stream, _BATCH)):
            named = [seed for seed in batch if isinstance(seed, Seed) and seed.forward]
            self._forward.add((ip, seed.forward) for seed in named if (ip := canonical_ip(seed.ip)))
            yield from batch

    def join(self, desk: Desk, clocks: Clocks) -> None:
        """Learn the names of a state that is seeded by now, and hear of what changes from now on."""
        if self._settings.dns is not None:
            self._servers = self._name_servers(self._settings.dns, desk, clocks)
        if self._settings.dns_update is not None:
            self._feed = _feed(self._settings.dns_update, desk, clocks)

    def _name_servers(self, settings: DnsSettings, desk: Desk, clocks: Clocks) -> NameServers:
        state = desk.account.state
        self._forward.add(state.ptrs())
        self._forward.add((effect.ip, effect.before) for effect in state.writes())
        zones = Zones(state.networks(), desk.account.ptr, self._forward, settings.hosts)
        behind = (0.0,) if settings.secondary_lag_s is None else (0.0, settings.secondary_lag_s)
        propagations = [Propagation(settings.propagation_s, behind_s) for behind_s in behind]
        state.watch(self._forward.note)
        for propagation in propagations:
            state.watch(propagation.hear)
        return NameServers(
            settings, QueryDesk(zones, propagations, Books(desk.faults, state, desk.log)), clocks
        )

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            for part in (self._feed, self._servers):
                if part is not None:
                    await stack.enter_async_context(part)
            self._open = stack.pop_all()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._open.__aexit__(kind, error, trace)


def _feed(update: DnsUpdate, desk: Desk, clocks: Clocks) -> Feed:
    state = desk.account.state
    feed = Feed(update, clocks, desk.log, [*state.ptrs()] if update.seeds else [])
    state.watch(feed.note)
    return feed

"""What a simulator needs to know of its DNS, so that one without DNS loads and does nothing for it."""

from collections.abc import Iterable
from types import TracebackType
from typing import Protocol, Self

from bulkip.simulator.desk import Desk
from bulkip.simulator.nameserver.clocks import Clocks
from bulkip.simulator.seeds import Seed, Subnet
from bulkip.simulator.settings import SimulatorSettings


class Beside(Protocol):
    """What stands beside a simulator: it runs inside of its block."""

    @property
    def endpoints(self) -> tuple[str, ...]:
        """Where name servers are reached, as ADDRESS:PORT."""
        ...

    def noting(self, seeds: Iterable[Seed | Subnet]) -> Iterable[Seed | Subnet]:
        """Return the seeds on their way into the state."""
        ...

    def join(self, desk: Desk, clocks: Clocks) -> None:
        """Learn what the state holds once it is seeded."""
        ...

    def close(self) -> None:
        """Give back what was taken before the block."""
        ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


class NoDns:
    """Does nothing."""

    endpoints: tuple[str, ...] = ()

    def noting(self, seeds: Iterable[Seed | Subnet]) -> Iterable[Seed | Subnet]:
        """Return the seeds as they are."""
        return seeds

    def join(self, desk: Desk, clocks: Clocks) -> None:
        """Learn nothing."""

    def close(self) -> None:
        """Give nothing back."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass


def beside(settings: SimulatorSettings) -> Beside:
    """Return what the settings want to stand beside a simulator."""
    if settings.dns is None and settings.dns_update is None:
        return NoDns()
    from bulkip.simulator.nameserver.naming import Naming  # noqa: PLC0415 - dnspython takes longer to load than all else

    return Naming(settings)

"""Which part of a job a plan is made of: the filters of its caller, which shape it and leave no rows."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from heapq import heappush, heapreplace

from bulkip.addresses import Exclusions as AddressSet
from bulkip.addresses import Expression
from bulkip.shards import Shard


@dataclass(frozen=True, slots=True)
class Selection:
    """Which addresses a plan keeps: all of `only` (None: any) but none of `never`, and of these a sample.

    `sample` says how many, `chosen` which, once they are drawn.
    """

    only: AddressSet | None = None
    never: AddressSet | None = None
    sample: int | None = None
    chosen: frozenset[str] | None = None

    @property
    def everything(self) -> bool:
        """Say whether no address is filtered at all."""
        return self.only is None and self.never is None and self.sample is None and self.chosen is None

    def admits(self, ip: str) -> bool:
        """Say whether an address in canonical form is selected; a sample counts once it is drawn."""
        if self.chosen is not None:
            return ip in self.chosen
        if self.never is not None and ip in self.never:
            return False
        return self.only is None or ip in self.only


@dataclass(frozen=True, slots=True)
class Filters:
    """What the caller wants of a job: these addresses, steps with any of these tags, these variables.

    A `shard` is one of equal parts of what the other filters leave.
    """

    selection: Selection = field(default_factory=Selection)
    tags: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    shard: Shard | None = None


def selection_of(expressions: Iterable[Expression], sample: int | None = None) -> Selection:
    """Return what address expressions select together: those named, or all when there are only exclusions."""
    found = list(expressions)
    only = [one.block for one in found if not one.excluded]
    never = [one.block for one in found if one.excluded]
    return Selection(
        AddressSet(only) if only else None,
        AddressSet(never) if never else None,
        sample,
    )


def sampled(addresses: Iterable[str], most: int) -> frozenset[str]:
    """Return so many of the addresses, each counted once: those whose digests are lowest.

    So the choice depends on the addresses alone, not on their order or on
    chance, and a larger sample holds the smaller one. Memory grows with `most`.
    """
    lowest: list[tuple[int, str]] = []
    kept: set[str] = set()
    for ip in addresses:
        rank = (-_digest(ip), ip)
        if ip in kept:
            continue
        if len(lowest) < most:
            heappush(lowest, rank)
            kept.add(ip)
        elif rank > lowest[0]:
            kept.discard(heapreplace(lowest, rank)[1])
            kept.add(ip)
    return frozenset(kept)


def _digest(ip: str) -> int:
    return int.from_bytes(blake2b(ip.encode(), digest_size=8).digest(), "big")

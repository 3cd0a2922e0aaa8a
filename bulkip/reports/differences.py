"""What is different between two runs: traffic that moved, names that changed, what fails or works by now."""

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from decimal import Decimal, localcontext
from enum import StrEnum
from itertools import groupby

from bulkip.hostnames import same_names
from bulkip.model import JsonValue, Status
from bulkip.reports.pairs import DIGITS, Pair, Side, added
from bulkip.reports.rows import Row

FIELDS = ("kind", "ip", "action", "step", "before", "after", "change", "percent", "message")
BAD = frozenset({Status.FAILED, Status.UNKNOWN, Status.CONFLICT, Status.UNVERIFIED, Status.MISMATCH})
GOOD = frozenset({Status.CHANGED, Status.UNCHANGED, Status.OK, Status.MATCH})
NO_TRAFFIC = "no traffic"
NO_PTR = "no PTR"


class Kind(StrEnum):
    """In which way an item differs."""

    FAILED = "newly_failed"
    FIXED = "newly_fixed"
    STATUS = "status"
    PTR = "ptr"
    ONLY_A = "only_in_a"
    ONLY_B = "only_in_b"
    TRAFFIC = "traffic"


@dataclass(frozen=True, slots=True)
class Mover:
    """The traffic of an address in two runs, in GB; None where the server knew of none."""

    ip: str
    a: Decimal | None
    b: Decimal | None

    @property
    def change(self) -> Decimal:
        """How much more there is in the second run; no traffic counts as nothing."""
        with localcontext(prec=DIGITS):
            return (self.b or Decimal(0)) - (self.a or Decimal(0))

    @property
    def share(self) -> Decimal:
        """The change as a multiple of what there was; beyond all measure where there was nothing."""
        if not self.a:
            return Decimal("Infinity") if self.change else Decimal(0)
        return self.change / self.a

    def row(self) -> Row:
        """Return the mover as programs read it; amounts are texts, exact to the last digit."""
        share = self.share
        percent = f"{share * 100:.1f}" if share.is_finite() else None
        return _row(
            Kind.TRAFFIC,
            ip=self.ip,
            action="get_traffic",
            before=amount_text(self.a),
            after=amount_text(self.b),
            change=f"{self.change:+f}",
            percent=percent,
        )


@dataclass(slots=True)
class Movers:
    """Keeps the addresses whose traffic moved most, absolutely and for their size, and the sums of all."""

    most: int
    total_a: Decimal = Decimal(0)
    total_b: Decimal = Decimal(0)
    moved: int = 0
    seen: int = 0
    _far: list[tuple[Decimal, str, Mover]] = field(default_factory=list)
    _wide: list[tuple[Decimal, str, Mover]] = field(default_factory=list)

    def take(self, mover: Mover) -> None:
        """Count an address."""
        self.seen += 1
        self.total_a = added([self.total_a, mover.a or Decimal(0)])
        self.total_b = added([self.total_b, mover.b or Decimal(0)])
        if mover.a == mover.b:
            return
        self.moved += 1
        self._push(self._far, abs(mover.change), mover)
        self._push(self._wide, abs(mover.share), mover)

    def _push(self, heap: list[tuple[Decimal, str, Mover]], size: Decimal, mover: Mover) -> None:
        heapq.heappush(heap, (size, mover.ip, mover))
        if len(heap) > self.most:
            heapq.heappop(heap)

    def farthest(self) -> list[Mover]:
        """Return those that moved most, in GB."""
        return [mover for _, _, mover in sorted(self._far, reverse=True)]

    def widest(self) -> list[Mover]:
        """Return those that moved most, for what they had before."""
        return [mover for _, _, mover in sorted(self._wide, reverse=True)]

    def both(self) -> list[Mover]:
        """Return those of either list, each once."""
        return list({mover.ip: mover for mover in (*self.farthest(), *self.widest())}.values())


@dataclass(slots=True)
class Comparison:
    """Goes through two runs once: yields the rows of what differs, and keeps counts and movers."""

    movers: Movers
    counts: Counter[Kind] = field(default_factory=Counter)

    def rows(self, pairs: Iterable[Pair]) -> Iterator[Row]:
        """Yield a row for each difference but the traffic, which is known at the end."""
        for ip, of_address in groupby(pairs, key=lambda pair: pair.ip):
            items = list(of_address)
            self._weigh(ip, items)
            for row in (row for pair in items for row in _differences(pair)):
                self.counts[Kind(str(row["kind"]))] += 1
                yield row

    def _weigh(self, ip: str | None, items: list[Pair]) -> None:
        """Compare the traffic of an address, where both runs asked for it and got an answer."""
        read = [pair for pair in items if _weighed(pair.a) and _weighed(pair.b)]
        if ip is not None and read:
            self.movers.take(Mover(ip, _sum(pair.a for pair in read), _sum(pair.b for pair in read)))


def _weighed(side: Side | None) -> bool:
    return side is not None and (side.silent or side.traffic_gb is not None)


def _sum(sides: Iterable[Side | None]) -> Decimal | None:
    amounts = [side.traffic_gb for side in sides if side is not None and side.traffic_gb is not None]
    return added(amounts) if amounts else None


def _differences(pair: Pair) -> Iterator[Row]:
    a, b = pair.a, pair.b
    if a is None or b is None:
        side, kind = (b, Kind.ONLY_B) if a is None else (a, Kind.ONLY_A)
        if side is not None:
            shown = _shown(side)
            yield _about(
                pair, side, kind, before=None if a is None else shown, after=None if b is None else shown
            )
        return
    if a.status != b.status:
        yield _about(pair, b, _turn(a.status, b.status), before=a.status, after=b.status)
    if a.names is not None and b.names is not None and not same_names(a.names, b.names):
        yield _about(pair, b, Kind.PTR, before=names_text(a.names), after=names_text(b.names))


def _turn(a: str, b: str) -> Kind:
    if b in BAD and a not in BAD:
        return Kind.FAILED
    return Kind.FIXED if a in BAD and b in GOOD else Kind.STATUS


def _shown(side: Side) -> str:
    """Return what an item came to, for a run that alone has it."""
    if _weighed(side):
        return amount_text(side.traffic_gb)
    return side.status if side.names is None else names_text(side.names)


def names_text(names: tuple[str, ...]) -> str:
    """Return PTR names as one text."""
    return ", ".join(names) or NO_PTR


def amount_text(amount: Decimal | None) -> str:
    """Return an amount as plain digits, none of them lost."""
    return NO_TRAFFIC if amount is None else f"{amount:f}"


def _about(pair: Pair, side: Side, kind: Kind, **values: JsonValue) -> Row:
    message = side.told if kind in {Kind.FAILED, Kind.STATUS} else None
    return _row(kind, ip=pair.ip, action=side.action, step=pair.step, message=message, **values)


def _row(kind: Kind, **values: JsonValue) -> Row:
    return {**dict.fromkeys(FIELDS), "kind": kind.value, **values}

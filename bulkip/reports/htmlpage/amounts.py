"""How much traffic an answer reports: exact decimals, added without rounding."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Context, Decimal
from typing import Any

from bulkip.model import JsonValue

_EXACT = Context(prec=400, traps=[])  # any sum of amounts that a float can hold has fewer digits
_NOTHING = Decimal(0)


@dataclass(frozen=True, slots=True)
class Amount:
    """What went in and out."""

    inbound: Decimal = _NOTHING
    outbound: Decimal = _NOTHING

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(_EXACT.add(self.inbound, other.inbound), _EXACT.add(self.outbound, other.outbound))

    @property
    def both(self) -> Decimal:
        """Both directions together."""
        return _EXACT.add(self.inbound, self.outbound)


def total(amounts: Iterable[Amount]) -> Amount:
    """Return the exact sum."""
    return sum(amounts, Amount())


@dataclass(frozen=True, slots=True)
class Traffic:
    """What an answer reports: amounts by Unix second, or one amount for the whole period (second None)."""

    points: tuple[tuple[int | None, Amount], ...]

    @property
    def total(self) -> Amount:
        """All points together."""
        return total(amount for _, amount in self.points)

    @property
    def is_series(self) -> bool:
        """Whether there is a course to draw."""
        return len(self.points) > 1 and all(second is not None for second, _ in self.points)


def digits(amount: Decimal) -> str:
    """Return an amount as plain decimal digits, all of them."""
    return format(amount, "f")


def traffic_in(text: str | None) -> Traffic | None:
    """Return what a stored answer reports; None when it reports no amount."""
    value = None if text is None else json.loads(text, parse_float=Decimal)
    if not isinstance(value, dict):
        return None
    rows = value.get("traffic", [value])
    points = [point for row in rows if (point := _point(row))] if isinstance(rows, list) else []
    return Traffic(tuple(points)) if points else None


def _point(row: Any) -> tuple[int | None, Amount] | None:
    match row:
        case {"in": int() | Decimal() as inbound, "out": int() | Decimal() as outbound}:
            return _second(row.get("timestamp")), Amount(Decimal(inbound), Decimal(outbound))
        case _:
            return None


def _second(moment: JsonValue) -> int | None:
    """Return the Unix second of a time stamp as the server wrote it; one without a zone is in UTC."""
    if not isinstance(moment, str):
        return int(moment) if isinstance(moment, int) else None
    try:
        time = datetime.fromisoformat(moment)
    except ValueError:
        return None
    return int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp())

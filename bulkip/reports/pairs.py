"""What two runs say of the same item, side by side, in the order of addresses."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import Any, Final

from bulkip.hostnames import ptr_names
from bulkip.store import Narrowing, RunHistory, StoredRow

BY_ADDRESS: Final = Narrowing(order="item.ip, item.step")
"""The order in which two runs are read side by side; the store has it as an index."""
DIGITS = 100
"""So many digits a sum keeps: more than any amount has."""
LARGEST, FINEST = 30, -60
"""What an amount is beyond these powers of ten, no server ever counted."""


@dataclass(frozen=True, slots=True)
class Side:
    """What one run says of an item; `names` and `traffic_gb` are None where it does not know them.

    `silent` says that the server knew of no traffic, which is not 0.
    """

    action: str
    status: str
    told: str | None
    names: tuple[str, ...] | None = None
    traffic_gb: Decimal | None = None
    silent: bool = False


@dataclass(frozen=True, slots=True)
class Pair:
    """An item of two runs; None on the side of a run that has no such item."""

    ip: str | None
    step: str
    a: Side | None
    b: Side | None


def pairs_of(a: RunHistory, b: RunHistory) -> Iterator[Pair]:
    """Yield the items of both runs by address and step; both must be read in the order of BY_ADDRESS."""
    left, right = _keyed(a), _keyed(b)
    one, other = next(left, None), next(right, None)
    while one is not None or other is not None:
        key = min(found[0] for found in (one, other) if found is not None)
        ours = one if one is not None and one[0] == key else None
        theirs = other if other is not None and other[0] == key else None
        yield from _paired(key, ours[1] if ours else None, theirs[1] if theirs else None)
        one = next(left, None) if ours else one
        other = next(right, None) if theirs else other


def _keyed(history: RunHistory) -> Iterator[tuple[tuple[str, str], Side]]:
    for row in history.rows():
        yield (row["ip"] or "", row["step"]), _side(row)


def _paired(key: tuple[str, str], a: Side | None, b: Side | None) -> Iterator[Pair]:
    """Yield what stands below one key; a step that does something else by now is another item."""
    ip, step = key[0] or None, key[1]
    if a is not None and b is not None and a.action != b.action:
        yield Pair(ip, step, a, None)
        yield Pair(ip, step, None, b)
    else:
        yield Pair(ip, step, a, b)


def _side(row: StoredRow) -> Side:
    value = None if row["value"] is None else json.loads(row["value"], parse_float=Decimal, parse_int=Decimal)
    is_traffic = row["action"] == "get_traffic" and row["settled_at"] is not None
    return Side(
        action=row["action"],
        status=row["status"],
        told=": ".join(filter(None, (row["error_class"], row["message"]))) or None,
        names=_names(row["names"], value),
        traffic_gb=_traffic_gb(value) if is_traffic and not row["empty"] else None,
        silent=bool(is_traffic and row["empty"]),
    )


def _names(stored: str | None, value: Any) -> tuple[str, ...] | None:
    """Return the PTR names that a run left or saw; empty when it saw that there are none."""
    if stored is not None:
        return tuple(json.loads(stored))
    match value:
        case {"ptr": None}:
            return ()
        case {"ptr": list(names)}:
            return tuple(str(name) for name in names)
        case {"ptr": str(name)}:
            return ptr_names(name)
        case _:
            return None


def _traffic_gb(value: Any) -> Decimal | None:
    """Return the sum of in and out over all rows, exactly; None when there is no amount at all."""
    rows = value.get("traffic", [value]) if isinstance(value, dict) else []
    found = [_amount(row.get(way)) for row in rows if isinstance(row, dict) for way in ("in", "out")]
    amounts = [amount for amount in found if amount is not None]
    return added(amounts) if amounts else None


def _amount(value: Any) -> Decimal | None:
    try:
        amount = Decimal(value) if isinstance(value, str | int | Decimal) else None
    except ArithmeticError:
        return None
    if amount is None or not amount.is_finite() or amount.adjusted() > LARGEST:
        return None
    exponent = amount.as_tuple().exponent
    return amount if isinstance(exponent, int) and exponent >= FINEST else None


def added(amounts: list[Decimal]) -> Decimal:
    """Return the sum of amounts to the last digit."""
    with localcontext(prec=DIGITS):
        return sum(amounts, Decimal(0))

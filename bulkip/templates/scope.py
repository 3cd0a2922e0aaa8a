"""Which names a template can use, and what stands behind each."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from zoneinfo import ZoneInfo

from bulkip.periods import Period
from bulkip.templates.address import Address

PER_ITEM = frozenset({"ip", "row", "item"})
"""The names whose value differs from item to item."""

_OF_ADDRESS = frozenset(name for name in vars(Address) if not name.startswith("_"))
_OF_TEXT = frozenset(name for name in vars(str) if not name.startswith("_"))


class Row(dict[str, str]):
    """The fields of a target's row; a field wins over a method of the same name."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class ItemFields:
    """What `item` offers: its position in the plan, from 0."""

    index: int


@dataclass(frozen=True, slots=True)
class PeriodFields:
    """What `period` offers: the text, both ends in the job's zone, and both in Unix seconds."""

    label: str
    start: datetime
    stop: datetime
    start_s: int
    stop_s: int

    @classmethod
    def of(cls, period: Period, zone: ZoneInfo) -> "PeriodFields":
        """Return a period as templates see it, in a zone."""
        start, stop = (datetime.fromtimestamp(at, zone) for at in (period.start, period.stop))
        return cls(period.label, start, stop, period.start, period.stop)


@dataclass(frozen=True, slots=True)
class JobFields:
    """What `job` offers where a report's path is made."""

    name: str


@dataclass(frozen=True, slots=True)
class RunFields:
    """What `run` offers there."""

    id: str


_OFFERED = {"item": ItemFields, "period": PeriodFields, "job": JobFields, "run": RunFields}


@dataclass(frozen=True, slots=True)
class Scope:
    """What a template can name before any item is known.

    `constants` holds the values that are the same for every item; `per_item`
    the names that each item brings.
    """

    constants: Mapping[str, object]
    per_item: frozenset[str] = PER_ITEM

    @property
    def names(self) -> frozenset[str]:
        """Every name that a template may use."""
        return self.per_item | self.constants.keys()

    def has_field(self, name: str, field: str) -> bool:
        """Say whether a name can have a field; what a row has is known only with the row."""
        known = self.fields_of(name)
        return known is None or field in known or (name == "ip" and field in _OF_TEXT)

    def fields_of(self, name: str) -> frozenset[str] | None:
        """Return the fields of a name, or None where they are not known beforehand."""
        match name:
            case "vars":
                found = self.constants.get("vars")
                return frozenset(found) if isinstance(found, Mapping) else None
            case "ip":
                return _OF_ADDRESS
            case _ if name in _OFFERED:
                return frozenset(one.name for one in fields(_OFFERED[name]))
            case _:
                return None

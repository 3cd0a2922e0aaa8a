"""What a run tells those who watch it: progress, logs and the library's callers."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bulkip.frozen import Struct
from bulkip.model import Counts, Item, Rate, Result


@dataclass(frozen=True, slots=True)
class RateSet:
    """How fast calls may go from now on.

    `rates` are those of the job; `adapted_per_s` is what throttling has left
    of them, None while they hold in full. Of several accounts each has its own.
    """

    rates: tuple[Rate, ...]
    adapted_per_s: float | None = None
    account: str = ""


@dataclass(frozen=True, slots=True)
class StageStarted:
    """A stage of the run begins, such as `reading` the values before, or `applying`."""

    stage: str
    total: int
    done: int = 0


class ItemSettled(Struct, frozen=True):
    """An item has its result, and the result is in the run store."""

    item: Item
    result: Result


class ValueRead(Struct, frozen=True):
    """The value before a write was read and stored."""

    item: Item


@dataclass(frozen=True, slots=True)
class ServerFound:
    """The server of an item's address was found and stored."""

    item: Item


@dataclass(frozen=True, slots=True)
class NameTraced:
    """Where the names of a write lead was found out and stored."""

    item: Item


@dataclass(frozen=True, slots=True)
class ItemProved:
    """Whether what an item wrote is there was found out, and is in the run store."""

    item: Item
    holds: bool


class CallSent(Struct, frozen=True):
    """A call leaves for the server, whatever it is for."""


class ItemParked(Struct, frozen=True):
    """An item waits so many seconds for its next call: in `back-off`, or for its write to settle."""

    item: Item
    reason: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Waiting:
    """Everyone pauses for so many seconds from now, and why; of several accounts the one that is named."""

    reason: str
    seconds: float
    account: str = ""


@dataclass(frozen=True, slots=True)
class CrewMoved:
    """What the workers of a cluster have come to in this stage, all of them together.

    `done` counts the items that the stage is through with, `statuses` the
    results, `workers` who is at it just now.
    """

    done: int
    statuses: Mapping[str, int]
    calls: int
    workers: int


@dataclass(frozen=True, slots=True)
class Stopping:
    """The run stops before its end, and why; of several accounts the one that is named."""

    reason: str
    account: str = ""


@dataclass(frozen=True, slots=True)
class StageEnded:
    """A stage of the run is over; the counts are of the whole run."""

    stage: str
    counts: Counts


@dataclass(frozen=True, slots=True)
class NotStored:
    """Something that is known and stands in no run store, because the store failed.

    `kind` is attempt, before, server, lead, result, settled (an earlier write is in doubt no
    more), end (of the start) or fact; `columns` are those of the run store,
    with what the plan says of the item.
    """

    kind: str
    columns: Mapping[str, Any]


Event = (
    RateSet
    | StageStarted
    | ItemSettled
    | ValueRead
    | ServerFound
    | NameTraced
    | ItemProved
    | CallSent
    | ItemParked
    | Waiting
    | CrewMoved
    | Stopping
    | StageEnded
    | NotStored
)

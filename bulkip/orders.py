"""What the workers of a cluster are told about a round of shards, and what they tell of it: as JSON."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from bulkip.ceiling import FAILURES
from bulkip.model import ErrorClass, JsonValue
from bulkip.stops import Stop, StopKind

HALTED = "halted"
"""The fact that a run in a cluster keeps while nobody is to go on with it: the stop, as JSON."""


def halted_fact(account: str) -> str:
    """Return the name of that fact for one of several accounts, which leaves the others alone."""
    return f"{HALTED} {account}".rstrip()


def round_fact(number: int) -> str:
    """Return the name of the fact that a run keeps about a round."""
    return f"round {number}"


@dataclass(frozen=True, slots=True)
class Orders:
    """How the shards of a round are worked on: the stage, its start, and the settings that hold in it.

    `ended` and `failed` count what this start had come to before the round, of
    `planned` items, for the failure ceiling; `spent` what its retries had cost,
    by account.
    """

    stage: str
    start: int
    settings: Mapping[str, JsonValue]
    planned: int
    ended: int = 0
    failed: int = 0
    spent: Mapping[str, int] = field(default_factory=dict)
    allow_unread: bool = False
    grace_s: float = 20.0

    def told(self) -> dict[str, JsonValue]:
        """Return them as a run keeps them."""
        return asdict(self)

    @classmethod
    def of(cls, kept: Any) -> Self | None:
        """Return orders from what a run keeps; None when it keeps none that can be read."""
        try:
            return cls(**kept)
        except TypeError:
            return None


@dataclass(frozen=True, slots=True)
class Tally:
    """What one shard, or a whole round, has come to: results, other steps, calls, and the cost of retries."""

    statuses: Mapping[str, int] = field(default_factory=dict)
    steps: int = 0
    calls: int = 0
    spent: int = 0

    def told(self) -> dict[str, JsonValue]:
        """Return it as JSON."""
        return asdict(self)

    @classmethod
    def of(cls, kept: Any) -> Self:
        """Return a tally from what a shard keeps; an empty one when that cannot be read."""
        try:
            return cls(**kept)
        except TypeError:
            return cls()

    def __add__(self, other: "Tally") -> "Tally":
        statuses = dict(self.statuses)
        for status, count in other.statuses.items():
            statuses[status] = statuses.get(status, 0) + count
        return Tally(statuses, self.steps + other.steps, self.calls + other.calls, self.spent + other.spent)

    @property
    def ended(self) -> int:
        """How many items ended."""
        return sum(self.statuses.values())

    @property
    def failed(self) -> int:
        """How many of them badly."""
        return sum(self.statuses.get(status.value, 0) for status in FAILURES)


def without(tally: Tally, other: Tally) -> Tally:
    """Return a tally less another one that is a part of it."""
    statuses = {status: count - other.statuses.get(status, 0) for status, count in tally.statuses.items()}
    return Tally(
        {status: count for status, count in statuses.items() if count},
        tally.steps - other.steps,
        tally.calls - other.calls,
        tally.spent - other.spent,
    )


def stop_told(stop: Stop) -> dict[str, JsonValue]:
    """Return a stop as JSON."""
    return {**asdict(stop), "lifting": [*stop.lifting]}


def stop_of(kept: Any) -> Stop | None:
    """Return the stop of a JSON value; None when there is none."""
    match kept:
        case {"kind": str(kind), "reason": str(reason), "error_class": str(error_class)}:
            lifting = tuple(map(str, kept.get("lifting") or ()))
            everywhere = kept.get("everywhere") is True
            number = kept.get("signal")
            return Stop(StopKind(kind), reason, ErrorClass(error_class), number, lifting, everywhere)
        case _:
            return None

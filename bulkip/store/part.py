"""Which items of a run somebody is at: all of them, or those of a shard or an account."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Part:
    """The items with these numbers, both included; None is the end of the plan.

    A part holds whole chains: the items of one address are never parted. Where
    it is an account's, `account` is its place among those of the run, from 1.
    """

    first: int = 1
    last: int | None = None
    account: int | None = None

    @property
    def condition(self) -> str | None:
        """The condition in SQL that an item of the part meets; None where all do."""
        met = [f"item.number >= {self.first:d}"] if self.first > 1 else []
        met += [f"item.number <= {self.last:d}"] if self.last is not None else []
        met += [f"item.account = {self.account:d}"] if self.account is not None else []
        return " AND ".join(met) or None


WHOLE_RUN: Final = Part()

"""How many items of a run may fail before the rest is left alone (`safety.max_failed`)."""

from math import ceil

from bulkip.frozen import Struct, replace
from bulkip.model import Status
from bulkip.policy import Percent, Share

FAILURES = frozenset({Status.FAILED, Status.UNKNOWN, Status.CONFLICT, Status.UNVERIFIED})
"""Every kind of failure counts."""


class Ceiling(Struct, frozen=True):
    """How many items ended in this start, and how many of them badly, against what is allowed.

    A percentage is of `planned` items, and is not applied before `min_sample`
    items have ended; a plain count holds from the first.
    """

    allowed: Share | None
    min_sample: int
    planned: int
    ended: int = 0
    failed: int = 0

    def after(self, status: Status) -> "Ceiling":
        """Return the ceiling after one more item has ended."""
        return replace(self, ended=self.ended + 1, failed=self.failed + (status in FAILURES))

    def with_others(self, ended: int, failed: int) -> "Ceiling":
        """Return the ceiling after so many more items have ended elsewhere, and how many of them badly."""
        return replace(self, ended=self.ended + ended, failed=self.failed + failed)

    def with_one_more_failure(self) -> "Ceiling":
        """Return the ceiling after an item that had ended well turned out to have failed."""
        return replace(self, failed=self.failed + 1)

    def for_step(self, planned: int) -> "Ceiling":
        """Return the ceiling of the next step of a rollout, which has so many items and no failures yet."""
        return replace(self, planned=planned, ended=0, failed=0)

    @property
    def whole_step(self) -> "Ceiling":
        """The ceiling at the end of a step: its sample is as large as it will ever be."""
        return replace(self, min_sample=0)

    @property
    def is_exceeded(self) -> bool:
        """Whether more items failed than are allowed; as many as allowed are not too many."""
        match self.allowed:
            case None:
                return False
            case Percent(value):
                return self.ended >= self.min_sample and self.failed * 100 > value * self.planned
            case count:
                return self.failed > count

    @property
    def met(self) -> Percent:
        """The limit that the failures so far call for: what is left may fail as often, and no more."""
        return Percent(min(100, ceil(100 * self.failed / max(self.ended, 1))))

    @property
    def text(self) -> str:
        """The reason to stop, for a person."""
        return (
            f"{self.failed:,} of {self.planned:,} items failed, more than `max_failed` {self.allowed} "
            "allows; see what they have in common before going on"
        )

"""What several rounds of one measurement come to: the middle, and how far they lie apart."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Spread:
    """The median of some rounds, with the lowest and the highest of them."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread":
        """Return the spread of the rounds; raises statistics.StatisticsError when there are none."""
        return cls(statistics.median(values), min(values), max(values))


def ratios(own: Sequence[float], others: Sequence[float]) -> Spread:
    """Return how many times the others' figure ours is, compared round by round before the median is taken.

    What slows the whole machine down for a while slows both of a round, and
    leaves their ratio alone.
    """
    return Spread.of([mine / other for mine, other in zip(own, others, strict=True)])

"""How many retries a run may still spend, so that trouble is not made worse by asking again.

The retry quota of large cloud clients: a retry costs, a clean success gives a
little back, and an empty purse halts the run (design.md §5).
"""

from bulkip.frozen import Struct, replace
from bulkip.model import ErrorClass
from bulkip.wire import Verdict, VerdictKind

RETRY_COST = 5
TIMEOUT_COST = 10
SUCCESS_RETURN = 1


class Budget(Struct, frozen=True):
    """What is left of the budget for retries, and how much there was; never more than that."""

    full: int
    left: int

    @property
    def is_full(self) -> bool:
        """Whether nothing is spent."""
        return self.left >= self.full

    def with_returned(self, amount: int) -> "Budget":
        """Return the budget with something given back."""
        return replace(self, left=min(self.full, self.left + amount))

    def without(self, cost: int) -> "Budget | None":
        """Return the budget after a retry; None when it cannot be paid."""
        return replace(self, left=self.left - cost) if cost <= self.left else None


def retry_cost(verdict: Verdict, *, old: bool) -> int:
    """Return what asking again after this answer costs.

    A token that was refused is not trouble of the server: asking again with a
    new one is free. So is a throttled answer to an `old` call, which belongs
    to a cool-down that others began.
    """
    if verdict.kind is VerdictKind.AUTH or (old and verdict.error_class is ErrorClass.THROTTLED):
        return 0
    return TIMEOUT_COST if verdict.error_class is ErrorClass.TIMEOUT else RETRY_COST

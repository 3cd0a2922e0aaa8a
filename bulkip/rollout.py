"""How far each step of a rollout goes: the canary, then more, then all."""

from collections.abc import Sequence
from math import ceil

from bulkip.policy import Percent, Share


def quotas(steps: Sequence[Share], total: int) -> tuple[int, ...]:
    """Return how many addresses are done at the end of each step, growing, the last one all of them.

    A percentage is of all addresses that are written, rounded up. Steps that
    would do nothing are left out; what the steps leave is a last step.
    """
    reached: list[int] = []
    for step in (*steps, Percent(100)):
        quota = min(total, _count(step, total))
        if quota > (reached[-1] if reached else 0):
            reached.append(quota)
    return tuple(reached)


def _count(step: Share, total: int) -> int:
    return ceil(total * step.value / 100 - 1e-9) if isinstance(step, Percent) else step

"""Whether a plan may be applied: the limits that hold before the first write."""

from dataclasses import dataclass

from bulkip.policy import Percent, Safety, Share
from bulkip.quantities import counted


@dataclass(frozen=True, slots=True)
class PlannedChanges:
    """How many PTR records a plan sets where none is, changes and clears, and how many addresses have one.

    Of those that it sets or changes, the names of `astray` do not lead back to
    their address, and nobody could say where those of `untraced` lead. What
    stands at the `blind` ones could not be read.
    """

    sets: int = 0
    changes: int = 0
    clears: int = 0
    existing: int = 0
    blind: int = 0
    astray: int = 0
    untraced: int = 0

    @property
    def total(self) -> int:
        """All that the plan would write into the reverse DNS."""
        return self.sets + self.changes + self.clears + self.blind


def forward_lines(planned: PlannedChanges) -> list[str]:
    """Return what is to be known about where new names lead, before somebody agrees to them."""
    found = []
    if planned.astray:
        found.append(
            f"{counted(planned.astray, 'IP')} would get a name that does not lead back (`safety.forward`); "
            "`bulkip plan` and the report say which, and where it leads"
        )
    if planned.untraced:
        found.append(
            f"where the new names of {counted(planned.untraced, 'IP')} lead is not known: "
            "no name server answered (`safety.forward`)"
        )
    return found


def objections(planned: PlannedChanges, safety: Safety) -> list[str]:
    """Return why a plan may not be applied: each with the count, the limit and the way to allow it."""
    found = []
    if planned.clears > safety.max_clears:
        found.append(
            f"{planned.clears} PTR records would be cleared, `max_clears` allows {safety.max_clears}; "
            f"if that is meant: --max-clears {planned.clears}"
        )
    blind = f", {planned.blind:,} unread" if planned.blind else ""
    if safety.max_changes is not None and _exceeds(planned, safety.max_changes, safety.min_existing):
        found.append(
            f"{planned.total:,} PTR records would be written ({planned.sets:,} set, {planned.changes:,} "
            f"changed, {planned.clears:,} cleared{blind}; {planned.existing:,} addresses have one), "
            f"`max_changes` allows {safety.max_changes}; if that is meant: --max-changes {planned.total}"
        )
    return found


def _exceeds(planned: PlannedChanges, limit: Share, min_existing: int) -> bool:
    """Compare with a count, or with a share of the addresses that have a PTR, if they are enough."""
    if not isinstance(limit, Percent):
        return planned.total > limit
    if planned.existing < min_existing:
        return False
    return planned.total * 100 > limit.value * planned.existing

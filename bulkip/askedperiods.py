"""Which periods does a plan ask for? Noted while its items stream by, a bounded number of them."""

from collections.abc import Iterable

from bulkip.model import Item
from bulkip.periods import Period

MOST = 1_000
"""More periods than anybody would look at; rows may each have one of their own."""


class AskedPeriods:
    """Owns the periods seen so far, in the order of the plan."""

    def __init__(self, named: Iterable[Period]) -> None:
        """Know the periods that have a name of their own."""
        self._labels = {(str(one.start), str(one.stop)): one.label for one in named}
        self._seen: dict[tuple[str, str], None] = {}

    def take(self, item: Item) -> None:
        """Note the period that an item asks for, if it asks for one."""
        if (stop := item.form.get("period_stop")) and len(self._seen) < MOST:
            self._seen[item.form["period_start"], stop] = None

    def periods(self) -> tuple[Period, ...]:
        """Return the periods of the items; one that has no name of its own has an empty label."""
        return tuple(Period(self._labels.get(ends, ""), int(ends[0]), int(ends[1])) for ends in self._seen)

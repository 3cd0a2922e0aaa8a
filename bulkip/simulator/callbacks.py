"""Which writes were accepted but are not finished: each has a key to ask for at `eq_callback.php`."""

import math
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, replace

from bulkip.simulator.curtain import Record

KEPT = 10_000
"""How many keys are remembered; the oldest write is finished when a new one needs its place."""


@dataclass(frozen=True, slots=True)
class Pending:
    """A write that was accepted: what it changes, and until when or for how many checks it is not final."""

    context: Mapping[str, str]
    record: Record
    done_at: float
    checks_left: float

    def done(self, now: float) -> bool:
        """Say whether it is final."""
        return now >= self.done_at or self.checks_left <= 0


@dataclass(frozen=True, slots=True)
class Finish:
    """When a write is finished: after so many checks that said "not yet", or after a time."""

    checks: int | None = None
    after_s: float | None = None

    def __str__(self) -> str:
        return f"{self.after_s:g}s" if self.after_s is not None else str(self.checks)

    @property
    def at_most_s(self) -> float:
        """How long it can take; endless when that depends on the checks."""
        return math.inf if self.after_s is None else self.after_s

    def pending(self, context: Mapping[str, str], record: Record, now: float) -> Pending:
        """Return a write that is accepted now."""
        return Pending(
            context, record, now + self.at_most_s, math.inf if self.checks is None else self.checks
        )


class Callbacks:
    """Owns the writes that can be asked about."""

    def __init__(self) -> None:
        self._pending: OrderedDict[str, Pending] = OrderedDict()

    def open(self, pending: Pending) -> str:
        """Remember a write and return its key."""
        key = secrets.token_hex(16)
        self._pending[key] = pending
        return key

    def overflow(self) -> Pending | None:
        """Forget the oldest write when there are too many, and return it."""
        return self._pending.popitem(last=False)[1] if len(self._pending) > KEPT else None

    def check(self, key: str) -> Pending | None:
        """Return a write as this check finds it, and count the check; None for an unknown key."""
        found = self._pending.get(key)
        if found is not None:
            self._pending[key] = replace(found, checks_left=found.checks_left - 1)
        return found

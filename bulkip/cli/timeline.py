"""What the calls of one item say, one after the other: when, why, with what answer, and why it waited."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType

from bulkip.model import ErrorClass, JsonValue, Purpose
from bulkip.reports.attempts import attempt_fields
from bulkip.retry import WORTH_ANOTHER
from bulkip.store import StoredRow
from bulkip.wire import VerdictKind

SHORTEST_GAP_S = 0.02
_BEHIND: Mapping[str, str] = MappingProxyType(
    {Purpose.BEFORE: "the other values were read, then its turn came", Purpose.VERIFY: "looked at again"}
)
_PAUSING = frozenset({VerdictKind.THROTTLE, VerdictKind.BLOCKED})


@dataclass(frozen=True, slots=True)
class Entry:
    """One call of a time line.

    `since_s` counts from the address's first call, `gap_s` from the end of the
    item's call before.
    """

    call: StoredRow
    since_s: float
    gap_s: float | None = None
    reason: str | None = None

    @property
    def took_s(self) -> float | None:
        """How long the answer took; None while there is none."""
        finished = self.call["finished_at"]
        return None if finished is None else max(0.0, finished - self.call["sent_at"])

    def fields(self) -> dict[str, JsonValue]:
        """Return the call as programs read it."""
        return {
            **{name: value for name, value in attempt_fields(self.call).items() if name not in _OF_THE_ITEM},
            "start": self.call["start"],
            "in_doubt": bool(self.call["in_doubt"]),
            "since_first_s": round(self.since_s, 3),
            "gap_s": None if self.gap_s is None else round(self.gap_s, 3),
            "gap_reason": self.reason,
        }

    def lines(self) -> Iterator[str]:
        """Yield the gap before the call, the call, and what the server said."""
        if self.gap_s is not None and self.gap_s >= SHORTEST_GAP_S:
            yield f"{'':>12}  ... {self.gap_s:.3f} s{f': {self.reason}' if self.reason else ''}"
        call, took = self.call, self.took_s
        answer = call["outcome"] or "no answer is known: cut off, or in flight"
        status = f"HTTP {call['http_status']}" if call["http_status"] is not None else ""
        told = [answer, status, "" if took is None else f"{took * 1000:.0f} ms", self._doubt()]
        yield f"{self.since_s:>10.3f} s  {call['purpose']:<8}  {', '.join(part for part in told if part)}"
        if call["message"]:
            yield f"{'':>14}{call['message']}"

    def _doubt(self) -> str:
        return "in doubt" if self.call["in_doubt"] else ""


_OF_THE_ITEM = frozenset({"key", "action", "ip"})


def timeline(calls: Sequence[StoredRow], first_sent_at: float) -> list[Entry]:
    """Return the calls of one item with their distance in time, and why each waited where that is known."""
    begun = [Entry(call, call["sent_at"] - first_sent_at) for call in calls[:1]]
    return begun + [
        Entry(later, later["sent_at"] - first_sent_at, _gap_s(earlier, later), gap_reason(earlier, later))
        for earlier, later in pairwise(calls)
    ]


def _gap_s(earlier: StoredRow, later: StoredRow) -> float:
    return max(0.0, float(later["sent_at"] - (earlier["finished_at"] or earlier["sent_at"])))


def gap_reason(earlier: StoredRow, later: StoredRow) -> str | None:
    """Return why a call did not follow the one before at once; None when the store does not tell."""
    if later["start"] != earlier["start"]:
        return f"start {later['start']} of the run"
    if later["purpose"] == Purpose.READBACK and earlier["purpose"] == Purpose.CALL:
        return "settle time before the read-back"
    if earlier["outcome"] in _PAUSING or earlier["error_class"] == ErrorClass.THROTTLED:
        return "everyone paused after a throttled answer"
    if earlier["outcome"] in WORTH_ANOTHER or earlier["purpose"] == Purpose.READBACK:
        return "back-off"
    return _BEHIND.get(earlier["purpose"])

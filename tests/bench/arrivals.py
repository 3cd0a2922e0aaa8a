"""How calls arrived at a server: the worst window of their log, and how much of the rate was used.

Times are seconds of one clock, in order.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress, pairwise

NEW, WRITE, REFUSED = 1, 2, 4
"""What is noted of a call: not asked before, a write, answered with 429."""


@dataclass(frozen=True, slots=True)
class Window:
    """A rate: so many calls within any `period_s` seconds."""

    calls: int
    period_s: float = 1.0

    def __str__(self) -> str:
        return f"{self.calls}/s" if self.period_s == 1 else f"{self.calls}/{self.period_s:g}s"


@dataclass(frozen=True, slots=True)
class Log:
    """What a server saw: when calls arrived, and what each of them was."""

    times: Sequence[float]
    kinds: Sequence[int]

    def marked(self, kind: int) -> list[float]:
        """Return when the calls of a kind arrived."""
        return list(compress(self.times, (noted & kind for noted in self.kinds)))

    @property
    def span_s(self) -> float:
        """The seconds from the first call to the last."""
        return self.times[-1] - self.times[0] if self.times else 0.0


def worst(times: Sequence[float], period_s: float) -> int:
    """Return the largest number of calls within any period, wherever it begins.

    A call exactly one period old has left it.
    """
    most = first = 0
    for last, time in enumerate(times):
        while times[first] <= time - period_s:
            first += 1
        most = max(most, last - first + 1)
    return most


def excess(times: Sequence[float], windows: Sequence[Window]) -> float:
    """Return the worst count of any window as a fraction of what it allows; above 1 is above the limit."""
    return max(worst(times, window.period_s) / window.calls for window in windows)


def ideal_s(windows: Sequence[Window], calls: int) -> float:
    """Return in how many seconds so many calls can go out, evenly at the fastest rate, within every window.

    The first goes at once, so that one call takes no time.
    """
    step_s = min(window.period_s / window.calls for window in windows)
    sent: list[float] = []
    for number in range(calls):
        earliest = sent[-1] + step_s if sent else 0.0
        held = (sent[number - one.calls] + one.period_s for one in windows if number >= one.calls)
        sent.append(max([earliest, *held]))
    return sent[-1] if sent else 0.0


def stages(log: Log) -> list[Log]:
    """Split a log where the writes begin, each part cut after its last call that had not been asked before.

    As long as there is new work, only the rate holds calls back; after that
    the last repeats wait for their back-off, which has nothing to do with it.
    """
    writes = [number for number, kind in enumerate(log.kinds) if kind & WRITE]
    cuts = [0, writes[0] if writes else len(log.times), len(log.times)]
    parts = [Log(log.times[begin:end], log.kinds[begin:end]) for begin, end in pairwise(cuts)]
    return [_while_new(part) for part in parts if len(part.times) > 1]


def _while_new(log: Log) -> Log:
    fresh = [number for number, kind in enumerate(log.kinds) if kind & NEW]
    end = fresh[-1] + 1 if fresh else len(log.times)
    return Log(log.times[:end], log.kinds[:end])


def reached(log: Log, windows: Sequence[Window], idle_s: float = 0.0) -> float:
    """Return which part of the rate was used while there was new work, a pause of `idle_s` left out."""
    parts = stages(log)
    ideal = sum(ideal_s(windows, len(part.times)) for part in parts)
    spent = sum(part.span_s for part in parts) - idle_s
    return ideal / spent if spent > 0 else 0.0

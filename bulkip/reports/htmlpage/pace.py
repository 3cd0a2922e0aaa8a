"""How fast a run called and how long the answers took, ready to be drawn."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate

from bulkip.model import JsonValue, Rate
from bulkip.progress.figures import rate_text
from bulkip.store import CallFigures

MOST_STARTS, MOST_BARS = 20, 300
WIDTHS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)
EDGES_MS = (
    *(1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 70, 100, 150, 200, 300, 500, 700),
    *(1000, 1500, 2000, 3000, 5000, 7000, 10_000, 15_000, 20_000, 30_000, 60_000),
)
QUANTILES = (0.5, 0.95, 0.99)
_TENTHS = 10


@dataclass(frozen=True, slots=True)
class Latency:
    """How long the answers took: counts between EDGES_MS, and quantiles in milliseconds."""

    counts: tuple[int, ...]
    quantiles_ms: tuple[float, ...]

    @property
    def calls(self) -> int:
        """How many answers there were."""
        return sum(self.counts)


def width_s(seconds: float) -> int:
    """Return the width of a bar so that so many seconds fit into a chart."""
    return next((width for width in WIDTHS_S if seconds / width < MOST_BARS), WIDTHS_S[-1])


def timelines(figures: CallFigures) -> JsonValue:
    """Return the calls of each start over time: number, first second, width, [bucket, calls, failed]."""
    told: list[JsonValue] = []
    for span in figures.spans(MOST_STARTS):
        width = width_s(span.last_at - span.first_at)
        bars: list[JsonValue] = [[*bar] for bar in figures.paces(span, width)]
        told.append(
            {"start": span.start, "at": span.first_at, "width": width, "calls": span.calls, "bars": bars}
        )
    return told


def latency(durations: Iterable[tuple[int, int]]) -> Latency:
    """Return the histogram of durations in tenths of a millisecond with their counts, the shortest first."""
    known = [*durations]
    counts = [0] * (len(EDGES_MS) + 1)
    for tenths, times in known:
        counts[_place(tenths / _TENTHS)] += times
    return Latency(tuple(counts), tuple(_quantile(known, one) for one in QUANTILES))


def rates_of(settings: dict[str, JsonValue]) -> list[tuple[str, float]]:
    """Return the limits that a run kept to: as its author wrote them, and in calls per second."""
    limits = settings.get("limits")
    rates = limits.get("rate") if isinstance(limits, dict) else None
    found = []
    for rate in rates if isinstance(rates, list) else []:
        match rate:
            case {"calls": int(calls), "period_s": int() | float() as period_s} if period_s > 0:
                found.append((rate_text(Rate(calls, period_s)), calls / period_s))
            case _:
                pass
    return found


def _place(milliseconds: float) -> int:
    return next((place for place, edge in enumerate(EDGES_MS) if milliseconds < edge), len(EDGES_MS))


def _quantile(known: list[tuple[int, int]], share: float) -> float:
    """Return the duration that this share of the answers did not exceed (nearest rank)."""
    calls = sum(times for _, times in known)
    passed = zip(known, accumulate(times for _, times in known), strict=True)
    return next((tenths / _TENTHS for (tenths, _), reached in passed if reached >= share * calls), 0.0)

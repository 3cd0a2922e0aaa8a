"""What the calls of a run come to: when they were sent, how long they took, and what they were for."""

from collections.abc import Iterator
from dataclasses import dataclass

from bulkip.store.history import RunHistory
from bulkip.store.reader import StoredRow

SPANS = """
SELECT start, MIN(sent_at), MAX(sent_at), COUNT(*) FROM attempt GROUP BY start ORDER BY start DESC LIMIT ?
"""
PACES = """
SELECT CAST(ROUND((sent_at - ?) * 1000000) AS BIGINT) / ? AS bucket, COUNT(*),
  COUNT(*) FILTER (WHERE finished_at IS NULL OR outcome NOT IN ('success', 'empty', 'pending'))
FROM attempt WHERE start = ? GROUP BY 1 ORDER BY 1
"""
LATENCIES = """
SELECT CAST(ROUND(CASE WHEN finished_at > sent_at THEN finished_at - sent_at ELSE 0 END * 10000) AS BIGINT)
  AS tenths, COUNT(*)
FROM attempt WHERE finished_at IS NOT NULL AND outcome IS NOT NULL
  AND (purpose = 'call' OR NOT EXISTS (SELECT 1 FROM attempt WHERE purpose = 'call'))
GROUP BY 1 ORDER BY 1
"""
ROUGH = "(SELECT item FROM attempt WHERE outcome IS NULL OR outcome NOT IN ('success', 'empty'))"
"""The items of which a call did not go smoothly, a call in flight included."""


@dataclass(frozen=True, slots=True)
class Span:
    """The calls of one start of a run: when the first and the last was sent, in Unix seconds."""

    start: int
    first_at: float
    last_at: float
    calls: int


class CallFigures(RunHistory):
    """Owns a reading connection that is asked about calls in bulk."""

    def spans(self, most: int) -> list[Span]:
        """Return the newest starts that sent anything, the oldest of them first."""
        return [Span(*row) for row in self._select(SPANS, most)][::-1]

    def paces(self, span: Span, width_s: int) -> list[tuple[int, int, int]]:
        """Return bucket, calls and calls without success for each stretch in which calls were sent."""
        return [tuple(row) for row in self._select(PACES, span.first_at, width_s * 1_000_000, span.start)]

    def latencies(self) -> list[tuple[int, int]]:
        """Return how long answers took, in tenths of a millisecond, and how often, in order.

        Of the calls that count as attempts; of all in a run without any, such as a check.
        """
        return [tuple(row) for row in self._select(LATENCIES)]

    def calls_by_item(self, *, rough: bool) -> Iterator[StoredRow]:
        """Yield the calls of items in plan order; `rough`: only of those that did not go smoothly."""
        where = f"WHERE item IN {ROUGH}" if rough else "WHERE item IN (SELECT number FROM item)"
        yield from self._select(f"SELECT * FROM attempt {where} ORDER BY item, number")

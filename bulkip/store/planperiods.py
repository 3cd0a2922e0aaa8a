"""Which periods a run is about: what its reads of traffic ask for."""

from bulkip.store.reader import RunReader
from bulkip.store.schema import storage_errors

SPANS = """
SELECT CAST(json_extract(form, '$.period_start') AS BIGINT) AS began,
  CAST(json_extract(form, '$.period_stop') AS BIGINT) AS ended
FROM item WHERE json_extract(form, '$.period_start') IS NOT NULL GROUP BY 1, 2 ORDER BY MIN(number) LIMIT ?
"""
IDLE = "SELECT NOT EXISTS (SELECT 1 FROM item) OR EXISTS (SELECT 1 FROM item WHERE action = 'get_traffic')"


class PlanPeriods(RunReader):
    """Owns a reading connection that is asked about periods."""

    def first(self, most: int) -> list[tuple[int, int]]:
        """Return the first periods of the plan, each once, as start and stop in Unix seconds."""
        with storage_errors(self.path):
            return [(began, ended) for began, ended in self._db.execute(SPANS, (most,))]

    def has_idle_reads(self) -> bool:
        """Say whether a plan without a period would have one if it did anything at all."""
        with storage_errors(self.path):
            return bool(self._db.execute(IDLE).fetchone()[0])

"""What did a run itself collect that is final? Readings of traffic whose period was over."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from bulkip.model import Purpose, Status
from bulkip.store.home import Home
from bulkip.store.questions import OVER, STOP
from bulkip.store.reader import RunReader
from bulkip.store.schema import RunHeader, storage_errors, store_path
from bulkip.wire import VerdictKind

Asked: TypeAlias = tuple[int, int, str, str, str]
"""What a reading is known by: first and last second of its period, summary, unbilled, address."""

READINGS = f"""
SELECT CAST(json_extract(item.form, '$.period_start') AS BIGINT), {STOP},
  json_extract(item.form, '$.summary'), json_extract(item.form, '$.unbilled'), item.ip,
  result.value, result.empty, result.message, result.settled_at
FROM item JOIN result ON result.item = item.number AND result.generation = item.generation
WHERE item.action = 'get_traffic' AND result.status = '{Status.OK}' AND {STOP} <= ?
  AND result.settled_at >= {STOP}
  AND EXISTS (SELECT 1 FROM attempt WHERE attempt.item = item.number AND purpose = '{Purpose.CALL}'
    AND outcome IN ('{VerdictKind.SUCCESS}', '{VerdictKind.EMPTY}'))
"""


@dataclass(frozen=True, slots=True)
class Reading:
    """One answer as the run store has it, what was asked for it, and when it came (Unix seconds)."""

    asked: Asked
    value: str | None
    empty: bool
    message: str | None
    at: float


class Harvest(RunReader):
    """Owns a reading connection that looks for what a run collected."""

    def readings(self, header: RunHeader) -> Iterator[Reading]:
        """Yield every final reading that the run itself made; a rehearsal made none."""
        if header.simulated:
            return
        over = header.settings.get(OVER, header.created_at)
        for row in self._pages(READINGS, (over if isinstance(over, int | float) else 0,)):
            *asked, value, empty, message, at = row
            yield Reading((asked[0], asked[1], asked[2], asked[3], asked[4]), value, bool(empty), message, at)

    def asks_traffic(self) -> bool:
        """Say whether any item asks for traffic."""
        with storage_errors(self.path):
            sql = "SELECT 1 FROM item WHERE action = 'get_traffic' LIMIT 1"
            return self._db.execute(sql).fetchone() is not None

    def plan_digest(self) -> str:
        """Return a sha256 over the keys of all items, in plan order."""
        seen = hashlib.sha256()
        for (key,) in self._pages("SELECT key FROM item ORDER BY number", ()):
            seen.update(f"{key}\n".encode())
        return seen.hexdigest()


def state_of(path: Path) -> str | None:
    """Return what changes whenever a file is written to; None when there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return f"{found.st_ino} {found.st_size} {found.st_mtime_ns}"


def store_state(run_dir: Path) -> str:
    """Return what changes whenever something is written into the store of a run."""
    path = store_path(run_dir)
    return f"{state_of(path)}, {state_of(path.with_name(f'{path.name}-wal'))}"


def plan_digest(home: Home) -> str:
    """Return a digest of all items of a run, which the same job planned again has, too."""
    with Harvest(home) as harvest:
        return harvest.plan_digest()

"""What was proved of a run: by whom, how much of it, and what is not as it should be."""

from dataclasses import dataclass

from bulkip.model import Status
from bulkip.policy import VerifyMode
from bulkip.store.home import Home
from bulkip.store.questions import ITEMS
from bulkip.store.reader import RunReader
from bulkip.store.schema import storage_errors

TALLY = f"""
SELECT proof.mode, COUNT(*) FILTER (WHERE proof.holds),
  COUNT(*) FILTER (WHERE NOT proof.holds AND proof.decided), COUNT(*) FILTER (WHERE NOT proof.decided),
  MAX(proof.proved_at)
{ITEMS} WHERE proof.item IS NOT NULL GROUP BY proof.mode ORDER BY 5
"""
UNLOOKED = (
    f"SELECT COUNT(*) {ITEMS} WHERE result.status = '{Status.CHANGED}' AND item.shown AND proof.item IS NULL"
)
ASTRAY = f"""
SELECT item.source, item.ip, COALESCE(result.message, proof.reason), COUNT(*) OVER ()
{ITEMS} WHERE result.status = '{Status.MISMATCH}'
  OR (NOT proof.holds AND result.status IN ('{Status.CHANGED}', '{Status.UNCHANGED}'))
ORDER BY item.number LIMIT ?
"""


@dataclass(frozen=True, slots=True)
class ProofTally:
    """How many addresses one way of looking proved, disproved, or got no answer about; and when last."""

    mode: str
    proved: int
    missing: int
    undecided: int
    last_at: float

    def __str__(self) -> str:
        counts = (
            (self.proved, "proved"),
            (self.missing, "not as wanted"),
            (self.undecided, "nobody answered"),
        )
        return f"{self.mode}: {', '.join(f'{count:,} {what}' for count, what in counts if count)}"


@dataclass(frozen=True, slots=True)
class Astray:
    """An address that is not called as it should be: where it was asked for, and what was found."""

    source: str
    ip: str
    found: str


class Proofs(RunReader):
    """Owns a reading connection that is asked about proofs."""

    def tallies(self) -> list[ProofTally]:
        """Return what each way of looking came to, the newest last."""
        with storage_errors(self.path):
            return [ProofTally(*row) for row in self._db.execute(TALLY).fetchall()]

    def unlooked(self) -> int:
        """Count the writes that nobody looked at yet, though the job of the run wants their proof."""
        verify = self.header().settings.get("verify")
        if not isinstance(verify, dict) or verify.get("mode", VerifyMode.NONE) == VerifyMode.NONE:
            return 0
        with storage_errors(self.path):
            return int(self._db.execute(UNLOOKED).fetchone()[0])

    def astray(self, most: int) -> tuple[list[Astray], int]:
        """Return the first addresses that are not as they should be, and how many there are in all."""
        with storage_errors(self.path):
            rows = self._db.execute(ASTRAY, (most,)).fetchall()
        return [Astray(source, ip, found) for source, ip, found, _ in rows], rows[0][3] if rows else 0


def unlooked(home: Home) -> int:
    """Count the writes of a run that nobody looked at yet, though its job wants their proof."""
    with Proofs(home) as reader:
        return reader.unlooked()

"""Whether a kept run may go: what it still holds that somebody could need."""

from pathlib import Path

from bulkip.model import Status
from bulkip.store.proofs import unlooked
from bulkip.store.reader import RunReader
from bulkip.store.schema import FILE_NAME, storage_errors

WRITTEN_SINCE = """
SELECT EXISTS (SELECT 1 FROM attempt JOIN item ON item.number = attempt.item
WHERE item.writes AND attempt.purpose = 'call' AND attempt.sent_at > ?)
"""
OWN_STEM = FILE_NAME.partition(".")[0]


class Retained(RunReader):
    """Owns a reading connection that says why a run is to be kept."""

    def reason(self, since: float) -> str | None:
        """Return why a run must stay, or None; writes after `since`, in Unix seconds, keep it."""
        counts = self.counts()
        if counts.of(Status.UNKNOWN):
            return "it holds a write whose outcome is unknown"
        if counts.of(Status.NOT_RUN) or self.items_left() or unlooked(self.home):
            return "it can be resumed"
        if not self.header().simulated and self._has_written_since(since):
            return "its writes are young"
        return None

    def _has_written_since(self, since: float) -> bool:
        with storage_errors(self.path):
            return bool(self._db.execute(WRITTEN_SINCE, (since,)).fetchone()[0])


def remove_store(folder: Path) -> None:
    """Remove a run's folder with the files that are ours, the store first; raises OSError, also for others.

    What somebody else put there is not removed, nor is what a link leads to.
    """
    found = sorted(folder.iterdir(), key=lambda path: path.name != FILE_NAME)
    for path in found:
        is_ours = path.name.partition(".")[0] == OWN_STEM
        if not is_ours or path.is_symlink() or not path.is_file():
            raise OSError(f"{path.name} in it is none of ours")
    for path in found:
        path.unlink(missing_ok=True)
    folder.rmdir()

"""Whether the files of an open run store still lie where they were opened: SQLite itself does not look."""

from os import stat_result
from pathlib import Path

from bulkip.errors import StoreError

JOURNALS = ("-wal", "-shm")
"""What SQLite keeps beside an open store; other programs find the newest commits only through them."""
MOVED = "removed or moved"


class StorePlace:
    """Remembers which files an open store consists of, and notices when they are there no more."""

    def __init__(self, path: Path) -> None:
        """Remember the store that was just opened under this path."""
        self.path = path
        self.disturbed = False
        self._real = path.resolve()  # SQLite keeps the journals beside the file that a link leads to
        self._seen: dict[str, stat_result] = {"": self._real.stat()}

    def check(self) -> None:
        """Raise StoreError unless every file is the one of before, and not shorter; from then on `disturbed`.

        What SQLite wrote into a file that was removed or replaced is gone as
        soon as it is closed, however well the commit went.
        """
        if fate := self._fate(""):
            self.disturbed = True
            raise StoreError(
                f"{self.path}: run store: it was {fate} while the run went on; "
                "put it back before anything else is done with this run"
            )
        for journal in JOURNALS:
            if fate := self._fate(journal):
                self.disturbed = True  # whoever removes a folder may begin with a journal
                raise StoreError(
                    f"{self.path}{journal}: run store: this journal of it was {fate} while the run went on; "
                    "leave the files of a run alone, and resume it"
                )

    def holds(self) -> bool:
        """Say whether the store itself still lies there, as far as can be seen."""
        try:
            return self._fate("") is None
        except StoreError:
            return False

    def _fate(self, suffix: str) -> str | None:
        """Return what became of a file; None when it is as it was. A journal may appear late."""
        before = self._seen.get(suffix)
        try:
            now = Path(f"{self._real}{suffix}").stat()
        except (FileNotFoundError, NotADirectoryError):
            return None if before is None else MOVED
        except OSError as error:
            raise StoreError(f"{self.path}: run store: {error.strerror}; check the disk") from error
        self._seen[suffix] = now
        if before is None:
            return None
        if (now.st_dev, now.st_ino) != (before.st_dev, before.st_ino):
            return "replaced by another file"
        return "cut short" if now.st_size < before.st_size else None

"""How a report reaches its place: whole or not at all, and readable by its owner alone."""

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from tempfile import NamedTemporaryFile

from bulkip.errors import StoreError, UsageError

STDOUT = "-"


def check_place(path: str) -> None:
    """Raise UsageError when a report cannot be written there; called before anything is sent."""
    place = Path(path)
    if path == STDOUT:
        return
    if place.exists() and not place.is_file():
        raise UsageError(f"{path}: a report cannot be written here: it is no regular file; name another path")
    if not place.parent.is_dir():
        raise UsageError(f"{path}: the folder {place.parent} does not exist; make it or name another path")
    if not os.access(place.parent, os.W_OK):
        raise UsageError(f"{path}: the folder {place.parent} cannot be written to; name another path")


def write_report(path: str, lines: Iterable[str]) -> None:
    """Write lines to stdout, or to a file that appears under its name when it is whole.

    The file gets a temporary name in the same folder, mode 0600, and is
    fsynced before it replaces what was there. Raises StoreError.
    """
    if path == STDOUT:
        for line in lines:
            sys.stdout.write(line)
        sys.stdout.flush()
        return
    place = Path(path)
    try:
        _replace(place, lines)
    except OSError as error:
        raise StoreError(f"{path}: the report could not be written: {error.strerror or error}") from error


def _replace(place: Path, lines: Iterable[str]) -> None:
    with NamedTemporaryFile(
        "w", encoding="utf-8", newline="", dir=place.parent, prefix=f".{place.name}.", delete=False
    ) as file:
        temporary = Path(file.name)
        try:
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())
            temporary.replace(place)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise

"""How a report reaches its place: whole or not at all, and readable by its owner alone."""

import os
import stat
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from tempfile import NamedTemporaryFile
from types import MappingProxyType

from bulkip.errors import StoreError, UsageError

STDOUT = "-"
_KINDS: Mapping[int, str] = MappingProxyType(
    {stat.S_IFDIR: "it is a folder", stat.S_IFLNK: "it is a link", stat.S_IFIFO: "it is a pipe"}
)


def check_place(path: str) -> None:
    """Raise UsageError when a report cannot be written there; called before anything is sent."""
    place = Path(path)
    if path == STDOUT:
        if sys.stdout is None:
            raise UsageError("a report cannot go to stdout: it is closed; give it a path")
        return
    if kind := _occupant(place):
        raise UsageError(
            f"{path}: a report cannot be written here: {kind}; name another path, or `-` for stdout"
        )
    if not place.parent.is_dir():
        raise UsageError(f"{path}: the folder {place.parent} does not exist; make it or name another path")
    if not os.access(place.parent, os.W_OK):
        raise UsageError(f"{path}: the folder {place.parent} cannot be written to; name another path")


def _occupant(place: Path) -> str | None:
    """Return what stands in the way of a file of this name; a link is not followed, for it would be lost."""
    try:
        mode = place.lstat().st_mode
    except FileNotFoundError:
        return None
    except OSError as error:
        return str(error.strerror)
    if stat.S_ISREG(mode):
        return None
    kind = _KINDS.get(stat.S_IFMT(mode), "it is a device or a socket")
    return f"{kind}, no regular file"


def write_report(path: str, lines: Iterable[str]) -> None:
    """Write lines to stdout, or to a file that appears under its name when it is whole.

    The file gets a temporary name in the same folder, mode 0600, and is
    fsynced before it replaces what was there. Raises StoreError.
    """
    try:
        if path == STDOUT:
            _print(lines)
        else:
            _replace(Path(path), lines)
    except OSError as error:
        raise StoreError(f"{path}: the report could not be written: {error.strerror or error}") from error


def _print(lines: Iterable[str]) -> None:
    """Write UTF-8 whatever the locale of the terminal, as files are, until nobody reads on."""
    try:
        sys.stdout.flush()
        for line in lines:
            sys.stdout.buffer.write(line.encode())
        sys.stdout.buffer.flush()
    except BrokenPipeError:  # `| head` has seen enough; the rest of our output goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


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

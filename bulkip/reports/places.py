"""Where a report may go: a file, what links lead to, or a stream that is there already."""

import fcntl
import os
import re
import stat
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from types import MappingProxyType
from typing import TypeAlias

from bulkip.errors import UsageError

STDOUT = "-"
TEMPORARY = ".bulkip-"
"""How the name of an unfinished report begins; short, so that it fits wherever the report's own name does."""

_NUMBERED = re.compile(r"/(?:dev|proc/self)/fd/([0-9]{1,6})")
_NAMED: Mapping[str, int] = MappingProxyType({"/dev/stdin": 0, "/dev/stdout": 1, "/dev/stderr": 2})
_KINDS: Mapping[int, str] = MappingProxyType(
    {
        stat.S_IFDIR: "it is a folder, no regular file",
        stat.S_IFLNK: "it is a link that leads in a circle",
        stat.S_IFIFO: "it is a pipe, which could keep the run waiting for its reader",
        stat.S_IFBLK: "it is a disk",
        stat.S_IFSOCK: "it is a socket",
    }
)
_DATABASE = b"SQLite format 3\0"


@dataclass(frozen=True, slots=True)
class Stream:
    """A file that whoever started us left open, by its number; 1 is stdout."""

    number: int


@dataclass(frozen=True, slots=True)
class Device:
    """A device that takes characters, such as /dev/null."""

    path: Path


@dataclass(frozen=True, slots=True)
class File:
    """A regular file, or none yet; links are followed, so that they stay what they are."""

    path: Path


Place: TypeAlias = Stream | Device | File


def place_of(path: str) -> Place:
    """Return where a report of this path goes; raises ValueError with what stands there instead."""
    if path == STDOUT:
        return Stream(1)
    if (match := _NUMBERED.fullmatch(path)) or path in _NAMED:
        return Stream(int(match[1]) if match else _NAMED[path])
    if not path or path.endswith("/"):
        raise ValueError("it names no file" if not path else "it is a folder, no regular file")
    target = Path(os.path.realpath(path))
    try:
        mode = target.lstat().st_mode
    except FileNotFoundError:
        return File(target)
    except OSError as error:
        raise ValueError(str(error.strerror)) from error
    if stat.S_ISCHR(mode):
        return Device(target)
    if stat.S_ISREG(mode):
        return File(target)
    raise ValueError(_KINDS.get(stat.S_IFMT(mode), "it is no regular file"))


def check_places(paths: Iterable[str]) -> None:
    """Raise UsageError unless reports can be written to these paths, files each to one of its own.

    Called before anything is sent.
    """
    taken: dict[Place, str] = {}
    for path in paths:
        place = check_place(path)
        if place in taken and isinstance(place, File):
            raise UsageError(f"{path}: the report for {taken[place]} goes there too; give each its own path")
        taken[place] = path


def check_place(path: str) -> Place:
    """Return where a report goes; raises UsageError when it cannot be written there."""
    try:
        place = place_of(path)
        match place:
            case Stream(number):
                _check_stream(number)
            case File(target):
                _check_file(target)
            case Device():
                pass
    except ValueError as error:
        name = "stdout" if path == STDOUT else path
        raise UsageError(
            f"{name}: a report cannot be written here: {error}; name another path, or `-` for stdout"
        ) from error
    return place


def _check_stream(number: int) -> None:
    """Refuse what is closed, only to be read, or was opened by ourselves: that is no place for a report."""
    if number == 1:
        if sys.stdout is None:
            raise ValueError("it is closed")
        return
    try:
        writable = fcntl.fcntl(number, fcntl.F_GETFL) & os.O_ACCMODE != os.O_RDONLY
        inherited = not fcntl.fcntl(number, fcntl.F_GETFD) & fcntl.FD_CLOEXEC
    except OSError as error:
        raise ValueError("it is closed") from error
    if not (writable and inherited):
        raise ValueError("it is not open for writing")


def _check_file(target: Path) -> None:
    folder = target.parent
    if not folder.is_dir():
        raise ValueError(f"the folder {folder} does not exist")
    if _is_database(target):
        raise ValueError("it is a database, perhaps a run store")
    if _is_kept_from_us(target, folder):
        raise ValueError("it belongs to somebody else, and only its owner can replace it in this folder")
    try:
        with TemporaryFile(prefix=TEMPORARY, dir=folder):
            pass  # what permissions say, and what a read-only or full disk says, only trying tells
    except OSError as error:
        raise ValueError(f"the folder {folder} takes no new file: {error.strerror}") from error


def _is_database(target: Path) -> bool:
    try:
        with target.open("rb") as file:
            return file.read(len(_DATABASE)) == _DATABASE
    except OSError:
        return False  # it is not there, or it may be replaced and not read


def _is_kept_from_us(target: Path, folder: Path) -> bool:
    """Tell whether a sticky folder, such as /tmp, keeps us from replacing somebody else's file."""
    held, user = folder.stat(), os.geteuid()
    if not held.st_mode & stat.S_ISVTX or user in {0, held.st_uid}:
        return False
    try:
        return target.stat().st_uid != user
    except FileNotFoundError:
        return False

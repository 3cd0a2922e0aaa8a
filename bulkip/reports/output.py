"""How a report reaches its place: a file whole or not at all, and readable by its owner alone."""

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import mkstemp
from typing import Final, TextIO

from bulkip.errors import StoreError, UsageError
from bulkip.reports.places import (
    STDOUT,
    TEMPORARY,
    Device,
    File,
    Place,
    Stream,
    check_place,
    check_places,
    place_of,
)

BUFFER: Final = 2**18
"""Bytes; a file of a million rows is written in pieces that are worth a call of the system."""

__all__ = ["STDOUT", "check_place", "check_places", "write_file", "write_report"]


def write_report(path: str, lines: Iterable[str]) -> None:
    """Write lines to stdout, to a stream or device, or to a file that appears when it is whole.

    The file gets a temporary name in its folder, mode 0600, and is fsynced
    before it replaces what was there. Raises StoreError, also when the lines do.
    """
    with _told_of(path) as place:
        match place:
            case Stream(1):
                _print(lines)
            case Stream(number):
                _pour(os.dup(number), lines)
            case Device(device):
                _pour(os.open(device, os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK), lines)
            case File(target):
                _replace(target, lambda file, _: file.writelines(lines))


def write_file(path: str, fill: Callable[[Path], None]) -> None:
    """Write a file that `fill` fills under a temporary name, and that appears when it is whole.

    Raises StoreError, also when `fill` does.
    """
    with _told_of(path) as place:
        if not isinstance(place, File):
            raise StoreError("it is no regular file")
        _replace(place.path, lambda _, temporary: fill(temporary))


@contextmanager
def _told_of(path: str) -> Iterator[Place]:
    """Give the place of a report; what goes wrong there is a StoreError that names it."""
    name = "stdout" if path == STDOUT else path
    try:
        place = place_of(path)
    except ValueError as error:
        raise StoreError(f"{name}: the report could not be written: {error}") from error
    try:
        yield place
    except OSError as error:
        raise StoreError(f"{name}: the report could not be written: {error.strerror or error}") from error
    except StoreError as error:
        if path == STDOUT:
            raise
        raise StoreError(f"{path}: the report could not be written: {error}") from error


def _print(lines: Iterable[str]) -> None:
    """Write UTF-8 whatever the locale of the terminal, as files are, until nobody reads on."""
    if sys.stdout is None:
        raise UsageError("nothing can be shown: stdout is closed")
    try:
        sys.stdout.flush()
        for line in lines:
            sys.stdout.buffer.write(line.encode())
        sys.stdout.buffer.flush()
    except BrokenPipeError:  # `| head` has seen enough; the rest of our output goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _pour(descriptor: int, lines: Iterable[str]) -> None:
    """Write to something that is no file on a disk, and close it; a reader who left has seen enough."""
    with suppress(BrokenPipeError), _text(descriptor) as stream:
        stream.writelines(lines)


def _replace(place: Path, write: Callable[[TextIO, Path], object]) -> None:
    descriptor, name = mkstemp(prefix=TEMPORARY, dir=place.parent)
    temporary = Path(name)
    try:
        with _text(descriptor, BUFFER) as file:
            os.fchmod(descriptor, 0o600)
            write(file, temporary)
            file.flush()
            os.fsync(descriptor)
        temporary.replace(place)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _text(descriptor: int, buffer: int = -1) -> TextIO:
    return os.fdopen(descriptor, "w", buffer, encoding="utf-8", newline="")

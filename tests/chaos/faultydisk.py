"""How a program meets a disk that fails at the n-th thing that is asked of it.

The disk fails at the doors of the standard library, `sqlite3.connect` and the
calls of `os` that change what is on a disk; nothing of our own is changed.
"""

import os
import resource
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from errno import EIO, ENOSPC, EROFS
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

DURABLE = ("fsync", "rename", "replace", "link", "unlink", "mkdir")
READING = frozenset({"SELECT", "PRAGMA", "fetch", "stat"})


@dataclass(frozen=True, slots=True)
class Weakness:
    """How a disk fails: with which error, and whether `before` or after the thing was done.

    A disk that `stays` so fails at every later step, too; one that still
    `reads` only where something is changed.
    """

    errno: int
    text: str
    before: bool = True
    stays: bool = False
    reads: bool = True


FULL_ONCE = Weakness(ENOSPC, "database or disk is full")
FULL = Weakness(ENOSPC, "database or disk is full", stays=True)
READ_ONLY = Weakness(EROFS, "attempt to write a readonly database", stays=True)
BROKEN = Weakness(EIO, "disk I/O error", stays=True, reads=False)
LYING = Weakness(EIO, "disk I/O error", before=False)
"""It did what it was asked, and says that it did not."""


@dataclass(frozen=True, slots=True)
class FaultyDisk:
    """A disk that fails at its n-th step; each step leaves a line in `trace`.

    As `first` of a `Start` it is called in the new process.
    """

    number: int
    weakness: Weakness
    trace: Path

    @property
    def text(self) -> str:
        """What SQLite says of it."""
        return self.weakness.text

    def __call__(self) -> None:
        """Take the doors of this process over."""
        steps = _Steps(self)

        class Cursor(sqlite3.Cursor):
            """A cursor whose looks at the next rows are steps."""

            def fetchmany(self, size: int | None = 1) -> list[Any]:
                """Return the next rows."""
                return steps.take("fetch", partial(super().fetchmany, size), sqlite3.OperationalError)

        class Connection(sqlite3.Connection):
            """A connection whose statements are steps."""

            def cursor(self, factory: Any = Cursor) -> Any:
                """Return a cursor of ours."""
                return super().cursor(factory)

            def execute(self, sql: str, values: Any = ()) -> sqlite3.Cursor:
                """Run a statement."""
                return steps.take(sql, partial(super().execute, sql, values), sqlite3.OperationalError)

            def executemany(self, sql: str, rows: Iterable[Any]) -> sqlite3.Cursor:
                """Run a statement many times."""
                return steps.take(sql, partial(super().executemany, sql, rows), sqlite3.OperationalError)

        setattr(sqlite3, "connect", partial(sqlite3.connect, factory=Connection))  # noqa: B010 - a door is replaced
        for name in DURABLE:
            setattr(os, name, steps.counting(name, getattr(os, name)))


@dataclass(frozen=True, slots=True)
class SmallDisk:
    """A disk on which no file can grow beyond so many bytes; the system itself cuts the write short.

    As `first` of a `Start` it is called in the new process.
    """

    limit: int
    text: str = "disk I/O error"

    def __call__(self) -> None:
        """Let this process write no larger file."""
        resource.setrlimit(resource.RLIMIT_FSIZE, (self.limit, self.limit))


class _Steps:
    """Counts the steps of this process, and fails at those that the disk is too weak for."""

    def __init__(self, disk: FaultyDisk) -> None:
        self._disk = disk
        self._count = 0
        self._trace = os.open(disk.trace, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def take(self, what: str, act: Callable[[], T], kind: type[Exception]) -> T:
        """Do something, as a step."""
        words = what.split() or [""]
        self._count += 1
        os.write(self._trace, f"{' '.join(words[:3])}\n".encode())
        if not self._fails(
            words[0], changes=words[0] not in READING or (words[0] == "PRAGMA" and "=" in what)
        ):
            return act()
        if not self._disk.weakness.before:
            act()
        raise self._error(kind)

    def counting(self, name: str, act: Callable[..., Any]) -> Callable[..., Any]:
        """Return a call of `os` that is a step."""
        return lambda *values, **named: self.take(name, partial(act, *values, **named), OSError)

    def _fails(self, word: str, *, changes: bool) -> bool:
        weakness, beyond = self._disk.weakness, self._count - self._disk.number
        if beyond == 0:
            return True
        gives_room = word in {"unlink", "ROLLBACK"}
        return weakness.stays and beyond > 0 and not gives_room and (changes or not weakness.reads)

    def _error(self, kind: type[Exception]) -> Exception:
        number, text = self._disk.weakness.errno, self._disk.weakness.text
        return OSError(number, os.strerror(number)) if kind is OSError else kind(text)

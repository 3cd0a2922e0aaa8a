"""How a program ends itself, as `kill -9` would, at the n-th thing that it does to the disk.

The switch sits at the doors of the standard library, `sqlite3.connect` and the
few calls of `os` that make a file durable; nothing of our own is changed.
"""

import os
import signal
import sqlite3
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

T = TypeVar("T")

WRITING = frozenset({"BEGIN", "INSERT", "UPDATE", "DELETE", "CREATE", "COMMIT", "ROLLBACK", "ATTACH"})
DURABLE = ("fsync", "rename", "replace", "link", "unlink", "mkdir")


@dataclass(frozen=True, slots=True)
class KillSwitch:
    """Where a program ends: `before` or after its n-th step; each step leaves a line in `trace`.

    As `first` of a `Start` it is called in the new process.
    """

    number: int
    before: bool
    trace: Path

    def __call__(self) -> None:
        """Take the doors of this process over."""
        steps = _Steps(self)

        class Connection(sqlite3.Connection):
            """A connection whose statements are steps."""

            def execute(self, sql: str, values: Any = ()) -> sqlite3.Cursor:
                """Run a statement."""
                return steps.take(sql, partial(super().execute, sql, values))

            def executemany(self, sql: str, rows: Iterable[Any]) -> sqlite3.Cursor:
                """Run a statement many times."""
                return steps.take(sql, partial(super().executemany, sql, rows))

        setattr(sqlite3, "connect", partial(sqlite3.connect, factory=Connection))  # noqa: B010 - a door is replaced
        for name in DURABLE:
            setattr(os, name, steps.counting(name, getattr(os, name)))


class _Steps:
    """Counts the steps of this process, and ends it at the one that was named."""

    def __init__(self, switch: KillSwitch) -> None:
        self._switch = switch
        self._count = 0
        self._trace = os.open(switch.trace, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)

    def take(self, what: str, act: Callable[[], T]) -> T:
        """Do something; as a step, when it changes what is on the disk."""
        words = what.split() or [""]
        changes = words[0] in WRITING or words[0] in DURABLE or (words[0] == "PRAGMA" and "=" in what)
        if not changes:
            return act()
        self._count += 1
        os.write(self._trace, f"{' '.join(words[:3])}\n".encode())
        self._end_if(before=True)
        done = act()
        self._end_if(before=False)
        return done

    def counting(self, name: str, act: Callable[..., Any]) -> Callable[..., Any]:
        """Return a call of `os` that is a step."""
        return lambda *values, **named: self.take(name, partial(act, *values, **named))

    def _end_if(self, *, before: bool) -> None:
        if self._count == self._switch.number and before is self._switch.before:
            os.kill(os.getpid(), signal.SIGKILL)

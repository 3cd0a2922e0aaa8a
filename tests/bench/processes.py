"""How something is measured from outside: a process of its own, its wall time, CPU and memory.

The kernel counts what a process takes over from whoever starts it to its peak
memory, so this one stays small: it imports nothing heavy.
"""

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from threading import Timer
from typing import Self

from tests.bench.machine import CLIENT, pinned

PATIENCE_S = 600.0
"""After so long a process is ended, unless something else is said."""
_PEAK_UNIT = 2**20 if sys.platform == "darwin" else 2**10


class MeasuringError(Exception):
    """A measurement that did not come about: what ran, how it ended, and what it said last."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What a process took; `began` and `ended` are of the monotonic clock, which servers log by."""

    began: float
    ended: float
    cpu_s: float
    peak_mib: float
    code: int

    @property
    def wall_s(self) -> float:
        """The seconds from start to end, start-up included."""
        return self.ended - self.began


class Child:
    """Owns a process in a session of its own, which ends by itself, in time, or with the block."""

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        *,
        feed: Path | None = None,
        patience_s: float = PATIENCE_S,
        whose: int | None = CLIENT,
    ) -> None:
        """Start a command in this folder, with a file as its input, on the clients' core, another, or any."""
        self._command = list(command)
        self._errors = TemporaryFile()  # noqa: SIM115 - closed when the process is finished
        with Path(os.devnull if feed is None else feed).open("rb") as source:
            self.began = time.monotonic()
            self._process = subprocess.Popen(
                pinned(self._command, whose),
                cwd=folder,
                env=environment(folder),
                stdin=source,
                stdout=subprocess.DEVNULL,
                stderr=self._errors,
                start_new_session=True,
            )
        self._timer = Timer(patience_s, self.send, [signal.SIGKILL])
        self._timer.daemon = True
        self._timer.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End the process unless it was finished; nothing that is left matters."""
        if self._process.returncode is None:
            self.send(signal.SIGKILL)
            self.finish()

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    def send(self, number: signal.Signals) -> None:
        """Send a signal to the process and those it started."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, number)

    def is_over(self) -> bool:
        """Say whether the process has ended; it still waits to be finished."""
        flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, self._process.pid, flags) is not None

    def finish(self, *codes: int) -> Spent:
        """Wait for the end and return what it took.

        Raises MeasuringError when it exits with none of the codes; without
        codes every end is as good as another.
        """
        _, status, usage = os.wait4(self._process.pid, 0)
        ended = time.monotonic()
        self._timer.cancel()
        self._process.returncode = code = os.waitstatus_to_exitcode(status)
        said = self._said()
        if codes and code not in codes:
            raise MeasuringError(f"{' '.join(self._command[:6])} ...: exit {code}\n{said}")
        return _spent(self.began, ended, usage, code)

    def _said(self) -> str:
        with self._errors as errors:
            errors.seek(0)
            return errors.read()[-2000:].decode(errors="replace")


def _spent(began: float, ended: float, usage: resource.struct_rusage, code: int) -> Spent:
    return Spent(began, ended, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / _PEAK_UNIT, code)


def measured(
    command: Sequence[str],
    folder: Path,
    *,
    feed: Path | None = None,
    codes: tuple[int, ...] = (0,),
    whose: int | None = CLIENT,
) -> Spent:
    """Run a command to its end and return what it took."""
    with Child(command, folder, feed=feed, whose=whose) as child:
        return child.finish(*codes)


def environment(folder: Path) -> dict[str, str]:
    """Return an environment without settings of anybody, whose home and locks are in a folder."""
    own = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("BULKIP_", "HOSTKEY_", "PYTHON"))
    }
    return own | {"HOSTKEY_TOKEN": "token-of-the-bench", "XDG_STATE_HOME": str(folder), "HOME": str(folder)}


def bulkip(*arguments: str) -> list[str]:
    """Return the command line of bulkip as a user types it."""
    script = Path(sys.executable).parent / "bulkip"
    return [str(script), *arguments] if script.exists() else [sys.executable, "-m", "bulkip", *arguments]


def script(name: str, *arguments: str) -> list[str]:
    """Return the command line of a script of this folder."""
    return [sys.executable, str(Path(__file__).parent / name), *arguments]


def say(text: str) -> None:
    """Tell whoever waits what is being measured."""
    sys.stderr.write(f"bench: {text}\n")
    sys.stderr.flush()

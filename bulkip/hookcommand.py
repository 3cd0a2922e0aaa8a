"""How a command hears of a run: it gets a text on stdin, and its whole family ends at its time-out."""

import os
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from tempfile import TemporaryFile
from threading import Thread
from typing import IO

MOST_BYTES = 8192
CHUNK = 65536
LAST_WORDS_S = 0.5
"""How long output is waited for once the command has ended; what it left running may hold the pipe."""


@dataclass(frozen=True, slots=True)
class CommandEnd:
    """What became of a command: why it failed, or None, and the first of what it said."""

    problem: str | None
    output: bytes = b""


class _Listener:
    """Owns the thread that takes all that a command says, and keeps the first of it."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self.heard = b""
        self._pipe = pipe
        self._thread = Thread(target=self._listen, name="hook", daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        with suppress(OSError, ValueError), self._pipe:
            while chunk := os.read(self._pipe.fileno(), CHUNK):
                self.heard = (self.heard + chunk)[:MOST_BYTES]

    def last_words(self) -> bytes:
        """Return what was heard, after a moment for the rest of it."""
        self._thread.join(LAST_WORDS_S)
        return self.heard


def run_command(
    command: tuple[str, ...], given: bytes, environment: Mapping[str, str], timeout_s: float
) -> CommandEnd:
    """Run a command to its end, without a shell, and give it a text on stdin.

    It runs in a session of its own; at its time-out, and when we are
    interrupted, everything in its process group is killed.
    """
    with TemporaryFile() as stdin:
        stdin.write(given)
        stdin.seek(0)
        try:
            process = subprocess.Popen(  # noqa: S603 -- the command of the job's author, as it stands there
                command,
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=dict(environment),
                start_new_session=True,
            )
        except (OSError, ValueError) as error:
            return CommandEnd(f"cannot be started: {getattr(error, 'strerror', None) or error}")
    return _ended(process, timeout_s)


def _ended(process: subprocess.Popen[bytes], timeout_s: float) -> CommandEnd:
    if process.stdout is None:
        raise AssertionError("its output is a pipe")
    listener = _Listener(process.stdout)
    try:
        code = process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        _kill(process)
        return CommandEnd(f"killed, because it did not end within {timeout_s:g} s", listener.last_words())
    except BaseException:
        _kill(process)
        raise
    return CommandEnd(f"ended with exit code {code}" if code else None, listener.last_words())


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a command with all that it started; it leads its own process group."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()

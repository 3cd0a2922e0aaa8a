"""A process of the demo, whose lines are told as they come."""

import signal
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Self

from tests.demo.audience import Audience

PARTING_S = 5.0
"""So long a process gets to end in order."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Where the processes of the demo run, with what environment, and before whom."""

    folder: Path
    environment: Mapping[str, str]
    audience: Audience


class Player:
    """Owns a process that runs bulkip, and ends with the block; Ctrl-C on the terminal does not reach it."""

    def __init__(self, name: str, stage: Stage, *arguments: str) -> None:
        """Start `bulkip` with these arguments."""
        self._name = name
        self._stage = stage
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bulkip", *arguments],
            cwd=stage.folder,
            env=stage.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        stage.audience.tell(name, f"$ bulkip {' '.join(arguments)}  # process {self.pid}")
        self._relay = Thread(target=self._tell, daemon=True)
        self._relay.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """End the process: in order when all went well and it does so soon, else at once."""
        if kind is None:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(PARTING_S)
        self._process.kill()
        self.finish()

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    def is_over(self) -> bool:
        """Say whether the process has ended."""
        return self._process.poll() is not None

    def kill(self) -> None:
        """End the process as the OOM killer does: it can neither say nor save anything."""
        self._process.send_signal(signal.SIGKILL)
        self.finish()

    def finish(self) -> int:
        """Wait for the end, and return the exit code once every line was told."""
        code = self._process.wait()
        self._relay.join()
        return code

    def _tell(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines:
            for line in lines:
                self._stage.audience.tell(self._name, line)

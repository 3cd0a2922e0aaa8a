"""How programs start in a tenth of the time: forked from a process that has imported everything already.

What starts is a process of its own, that a signal ends like any other. Nobody
who started it waits for its output: it goes into a file.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from tests.program import Ended

PRELOADED = [
    "tests.chaos.forked",
    "bulkip.cli",
    "bulkip.cli.run",
    "bulkip.cli.resume",
    "bulkip.cli.retry",
    "bulkip.cli.report",
    "bulkip.reports.attempts",
    "bulkip.simulator",
    "aiohttp",
    "jinja2.sandbox",
    "rich.progress",
    "uvloop",
    "anyio._backends._asyncio",
]
PATIENCE_S = 60
CONTEXT = get_context("forkserver")
CONTEXT.set_forkserver_preload(PRELOADED)


@dataclass(frozen=True, slots=True)
class Start:
    """How a program is started: its arguments, folder and environment.

    `terminal` is the path of a terminal that it sits at. `first` is done in
    the new process before the program begins.
    """

    arguments: tuple[str, ...]
    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    terminal: str | None = None
    first: Callable[[], None] | None = None


class Program:
    """A program that was started; `told` is where its output goes."""

    def __init__(self, process: ForkServerProcess, told: Path) -> None:
        """Watch over a process that has been started."""
        self._process = process
        self.told = told

    def alive(self, patience_s: float = 0.0) -> bool:
        """Say whether it still runs after so many seconds; its end is noticed at once."""
        self._process.join(patience_s)
        return self._process.exitcode is None

    def kill(self) -> None:
        """End it as `kill -9` does, and see it gone."""
        self._process.kill()
        self._process.join(PATIENCE_S)

    def code(self) -> int:
        """Return how it ended; negative for a signal. A program that never ends is an error."""
        if self.alive(PATIENCE_S):
            raise TimeoutError(f"the program hangs; it said: {self.told.read_text()[-500:]}")
        assert self._process.exitcode is not None
        return self._process.exitcode


@contextmanager
def started(start: Start) -> Iterator[Program]:
    """Start `bulkip`, and see to it that nothing of it is left when the block ends."""
    told = start.folder / "told.txt"
    process = CONTEXT.Process(target=_become, args=(start, told))
    process.start()
    program = Program(process, told)
    try:
        yield program
    finally:
        program.kill()
        process.close()


def ended(*arguments: str, folder: Path, environment: Mapping[str, str] | None = None) -> Ended:
    """Run `bulkip` with these arguments to its end; what it printed on stdout and stderr comes as one."""
    with started(Start(arguments, folder, environment or {})) as program:
        code = program.code()
        return Ended(code, program.told.read_text(errors="replace"), "")


def _become(start: Start, told: Path) -> None:
    """Turn the forked process into the program."""
    from bulkip.cli import main  # noqa: PLC0415 - the parent needs no command line

    os.chdir(start.folder)
    for name in [name for name in os.environ if name.startswith(("BULKIP_", "HOSTKEY_"))]:
        del os.environ[name]
    os.environ.update(start.environment)
    _sit_down(start.terminal, told)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if start.first is not None:
        start.first()
    main(start.arguments)


def _sit_down(terminal: str | None, told: Path) -> None:
    """Lead the three standard streams to a terminal, or from nowhere into a file."""
    heard = os.open(terminal or os.devnull, os.O_RDWR)
    said = heard if terminal else os.open(told, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for stream, number in ((heard, 0), (said, 1), (said, 2)):
        os.dup2(stream, number)
    sys.stdin = os.fdopen(0, closefd=False)

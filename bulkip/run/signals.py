"""What signals do while no stage takes them: break off what may be broken off, or wait until it is done."""

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType

STOPPING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
MOST_HELD = 3
"""So many signals mean at once, whatever is going on."""


class Interrupted(KeyboardInterrupt):
    """Raised by a signal that comes while a plan is made or a question is asked; the run ends in order."""

    def __init__(self, number: int) -> None:
        """Keep which signal it was."""
        self.number = number
        super().__init__()


class Signals:
    """Owns the handlers of the stopping signals outside the stages of a run.

    `interrupt` lets them raise Interrupted, `hold` keeps them for later, so
    that books and reports are finished in peace. Outside the main thread it
    does nothing: there no signal arrives.
    """

    def __init__(self) -> None:
        """Take no signal yet."""
        self._held: list[int] = []

    @property
    def held(self) -> int | None:
        """The first signal that came while they were held; None when none did."""
        return self._held[0] if self._held else None

    def interrupt(self) -> None:
        """Let the next signal raise Interrupted."""
        self._handle(self._raise)

    def hold(self) -> None:
        """Keep signals until somebody asks; the third leaves at once."""
        self._handle(self._keep)

    @staticmethod
    def _handle(handler: Callable[[int, FrameType | None], None]) -> None:
        if threading.current_thread() is threading.main_thread():
            for number in STOPPING_SIGNALS:
                signal.signal(number, handler)

    def _raise(self, number: int, _frame: FrameType | None) -> None:
        raise Interrupted(number)

    def _keep(self, number: int, _frame: FrameType | None) -> None:
        self._held.append(number)
        if len(self._held) >= MOST_HELD:
            leave(number)


def leave(number: int) -> None:
    """Leave at once with the exit code of a signal; the run store is true at any moment."""
    os._exit(128 + number)

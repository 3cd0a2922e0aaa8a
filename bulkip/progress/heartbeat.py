"""How a view lives on while nothing happens: a thread that wakes it, so that a pause counts down."""

from collections.abc import Callable
from threading import Event, Thread


class Heartbeat:
    """Owns a thread that calls `beat` every so many seconds between start and stop."""

    def __init__(self, beat: Callable[[], None], every_s: float) -> None:
        """Call this, so often."""
        self._beat = beat
        self._every_s = every_s
        self._over = Event()
        self._thread: Thread | None = None

    def start(self) -> None:
        """Begin to beat; a second start changes nothing."""
        if self._thread is None:
            self._over.clear()
            self._thread = Thread(target=self._run, name="progress", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Beat no more; returns after the last beat."""
        if self._thread is not None:
            self._over.set()
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        while not self._over.wait(self._every_s):
            self._beat()

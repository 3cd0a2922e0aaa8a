"""How a run is brought to a stop: nothing new goes out, what is in flight may end."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from anyio import CancelScope, Event

from bulkip.stops import Stop


class Brake:
    """Owns the decision to stop; the first reason stays."""

    def __init__(self, tell: Callable[[Stop], None]) -> None:
        """Tell about the stop when it comes."""
        self._tell = tell
        self._waiting: set[CancelScope] = set()
        self._pulled = Event()
        self.stop: Stop | None = None

    def pull(self, stop: Stop) -> None:
        """Stop the run; whoever waits to send goes home."""
        if self.stop is None:
            self.stop = stop
            self._tell(stop)
            self._pulled.set()
            for scope in self._waiting:
                scope.cancel()

    async def pulled(self) -> None:
        """Wait until the run is to stop."""
        await self._pulled.wait()

    @contextmanager
    def waiting(self) -> Iterator[CancelScope]:
        """Wait inside this scope for what only makes sense while the run goes on."""
        with CancelScope() as scope:
            self._waiting.add(scope)
            if self.stop is not None:
                scope.cancel()
            try:
                yield scope
            finally:
                self._waiting.discard(scope)

"""How much of large answers is held at once, so that many of them need no more memory than a few."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from functools import partial

from anyio import Event


class Room:
    """Owns the memory that large answers share.

    The eldest always gets what it needs, so that they do not wait for each other for ever.
    """

    def __init__(self, most: int) -> None:
        """Let all but the eldest hold so many bytes in all."""
        self._most = most
        self._held: dict[object, int] = {}
        self._freed = Event()

    @contextmanager
    def part(self) -> Iterator[Callable[[int], Awaitable[None]]]:
        """Give a way to ask for so many bytes more; what was got is given back at the end."""
        owner = object()
        try:
            yield partial(self._grow, owner)
        finally:
            if self._held.pop(owner, 0):
                self._freed.set()
                self._freed = Event()

    async def _grow(self, owner: object, size: int) -> None:
        self._held.setdefault(owner, 0)
        while sum(self._held.values()) + size > self._most and next(iter(self._held)) is not owner:
            await self._freed.wait()
        self._held[owner] += size

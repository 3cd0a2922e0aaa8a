"""How do many walks down the same zones go at once, and when is one too long?"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

from anyio import Event, Lock, create_task_group
from dns.name import Name

MOST_QUESTIONS = 200
"""So many questions may serve one, however the servers send us around."""

T = TypeVar("T")


class Quest:
    """Counts the questions that are asked to answer one."""

    def __init__(self) -> None:
        """Begin with none."""
        self._left = MOST_QUESTIONS

    def spend(self) -> bool:
        """Say whether one more question may be asked, and count it."""
        self._left -= 1
        return self._left >= 0


@dataclass(frozen=True, slots=True)
class Walk:
    """One way down: whose question it serves, and how many servers' names deep it is."""

    quest: Quest
    depth: int = 0


class Turns:
    """Owns whose turn it is to find out about a name, so that a thousand do not find out the same."""

    def __init__(self) -> None:
        """Begin with nobody."""
        self._locks: dict[Name, Lock] = {}
        self._scouts: dict[Name, Event] = {}

    @asynccontextmanager
    async def turn(self, name: Name) -> AsyncIterator[None]:
        """Let one after the other in."""
        lock = self._locks.setdefault(name, Lock())
        try:
            async with lock:
                yield
        finally:
            if not lock.locked():
                self._locks.pop(name, None)

    @asynccontextmanager
    async def scout(self, name: Name) -> AsyncIterator[None]:
        """Let the first one in, and all others together when it is back, whatever it found."""
        if (scout := self._scouts.get(name)) is not None:
            await scout.wait()
            yield
            return
        back = self._scouts[name] = Event()
        try:
            yield
        finally:
            del self._scouts[name]
            back.set()


async def at_once(calls: Iterable[Callable[[], Awaitable[T]]]) -> list[T]:
    """Return the results of calls that run at the same time, in their order."""
    results: dict[int, T] = {}

    async def run(place: int, call: Callable[[], Awaitable[T]]) -> None:
        results[place] = await call()

    async with create_task_group() as tasks:
        for place, call in enumerate(calls):
            tasks.start_soon(run, place, call)
    return [results[place] for place in sorted(results)]

"""Which item a free worker takes next: one whose wait is over, or a fresh one from the store."""

from collections.abc import Awaitable, Callable
from heapq import heappop, heappush
from itertools import count
from typing import Generic, Protocol, TypeAlias, TypeVar

from anyio import Event, Lock, Semaphore, create_task_group, current_time, move_on_at

from bulkip.brake import Brake
from bulkip.course import Course
from bulkip.frozen import Struct, replace
from bulkip.proof import next_poll_s
from bulkip.retry import Sentence
from bulkip.store import PlannedItem

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
PARKED_MOST = 2_000
"""So many items may wait for their next attempt before no fresh one is begun."""


class Turn(Struct, frozen=True):
    """The items of one address that are still to do, and how far the first of them has come.

    A `sentence` is how the first one ends, unless the server was away. `looks`
    counts how often a check found another value than it expects; it looks
    again until `until`, in loop time.
    """

    chain: tuple[PlannedItem, ...]
    course: Course
    sentence: Sentence | None = None
    looks: int = 0
    until: float | None = None


class Parked(Struct, Generic[T], frozen=True):
    """A turn that goes on after so many seconds."""

    turn: T
    delay_s: float


def later_look(turn: Turn, now: float) -> Parked[Turn] | None:
    """Return a check's next look at an address; None when its time would be up by then."""
    looks, wait_s = turn.looks + 1, next_poll_s(turn.looks + 1)
    if now + wait_s >= (turn.until or 0):
        return None
    course = replace(turn.course, number=turn.course.number + 1, befores=0)
    return Parked(replace(turn, course=course, looks=looks), wait_s)


class Feed(Protocol[T_co]):
    """Whoever knows the items that are still to do."""

    def at_hand(self) -> T_co | None:
        """Return a fresh turn that nothing need be waited for, or None; a run has one for each call."""
        ...

    async def next(self) -> T_co | None:
        """Return a fresh turn, or None when there is none left."""
        ...


Step: TypeAlias = Callable[[T], Awaitable[Parked[T] | None]]


class Scheduler(Generic[T]):
    """Owns the turns of one stage: the fresh, the parked, and how many are being worked on."""

    def __init__(self, feed: Feed[T], brake: Brake) -> None:
        """Take fresh turns from the feed until it is empty or the brake is pulled."""
        self._feed = feed
        self._brake = brake
        self._feeding = Semaphore(1, fast_acquire=True)
        self._fed = False
        self._parked: list[tuple[float, int, T]] = []
        self._order = count()
        self._active = 0
        self._moved = Event()
        self._watch = Lock(fast_acquire=True)  # held by the idle worker that wakes when something moves

    async def run(self, workers: int, step: Step[T]) -> None:
        """Work on every turn with a fixed number of workers; returns when all are done."""
        async with create_task_group() as pool:
            for _ in range(workers):
                pool.start_soon(self._work, step)

    async def _work(self, step: Step[T]) -> None:
        while (turn := await self._take()) is not None:
            parked = await step(turn)
            self._active -= 1
            if parked is not None:
                due = current_time() + parked.delay_s
                heappush(self._parked, (due, next(self._order), parked.turn))
            self._stir()

    async def _take(self) -> T | None:
        while self._brake.stop is None:
            turn = self._due() or self._at_hand() or await self._fresh()
            if turn is not None:
                return turn
            if self._is_over():
                break
            await self._until_something_moves()
        self._stir()  # the others go home too
        return None

    def _due(self) -> T | None:
        if self._parked and self._parked[0][0] <= current_time():
            self._active += 1
            return heappop(self._parked)[2]
        return None

    def _at_hand(self) -> T | None:
        if self._fed or len(self._parked) >= PARKED_MOST or not self._feeding.value:
            return None
        if (turn := self._feed.at_hand()) is not None:
            self._active += 1
        return turn

    async def _fresh(self) -> T | None:
        if self._fed or len(self._parked) >= PARKED_MOST:
            return None
        self._active += 1  # counted before the wait, so that nobody takes the stage for finished
        turn = None
        if self._feeding.value:
            self._feeding.acquire_nowait()  # a fourth of what the other way costs
        else:
            await self._feeding.acquire()
        try:
            if not self._fed:
                turn = await self._feed.next()
                self._fed = turn is None
        finally:
            self._feeding.release()
        if turn is None:
            self._active -= 1
            self._stir()
        return turn

    async def _until_something_moves(self) -> None:
        """Wait, one of the idle at a time: hundreds that all woke for every call would take the whole CPU."""
        with self._brake.waiting():
            async with self._watch:
                due = self._parked[0][0] if self._parked else float("inf")
                if due > current_time() and not self._is_over():
                    with move_on_at(due):
                        await self._moved.wait()

    def _is_over(self) -> bool:
        return not self._parked and not self._active

    def _stir(self) -> None:
        if self._watch.locked():
            self._moved.set()
            self._moved = Event()

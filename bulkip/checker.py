"""Is everything as a job says? Every address is looked at, through API or DNS, and nothing is written."""

from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from anyio import current_time, to_thread

from bulkip.actions import ACTIONS
from bulkip.course import Course
from bulkip.events import ItemSettled
from bulkip.expectations import found_names, left_out, proved
from bulkip.hostnames import ptr_names
from bulkip.model import Before, Purpose
from bulkip.proof import Proof
from bulkip.scheduler import Turn
from bulkip.store import PlannedItem, WorkLeft
from bulkip.verifier import Look, Verifier
from bulkip.worker import Worker

PAGE = 500
T = TypeVar("T")


class CheckingFeed(Generic[T]):
    """Gives every item that has no result yet."""

    def __init__(self, reader: WorkLeft, enter: Callable[[PlannedItem], Awaitable[T | None]]) -> None:
        """Page through the store; `enter` takes an item up, unless a check has no opinion on it."""
        self._reader = reader
        self._enter = enter
        self._page: deque[PlannedItem] = deque()
        self._after = 0

    def at_hand(self) -> T | None:
        """Return None: each of them is thought about first."""
        return None

    async def next(self) -> T | None:
        """Return what to do for the next item, or None when all have been taken up."""
        while self._page or await self._turn_page():
            entered = await self._enter(self._page.popleft())
            if entered is not None:
                return entered
        return None

    async def _turn_page(self) -> bool:
        page = await to_thread.run_sync(self._reader.to_check, self._after, PAGE)
        if page:
            self._after = page[-1].item.number
        self._page.extend(page)
        return bool(page)


@dataclass(frozen=True, slots=True)
class Entrance:
    """Where items of a check are taken up; each is looked at for `patience_s` until it is as expected."""

    worker: Worker
    patience_s: float

    async def turn(self, planned: PlannedItem) -> Turn | None:
        """Return the turn that reads an address through the API."""
        read_back = ACTIONS[planned.item.action].read_back
        if not await self._concerns(planned) or read_back is None:
            return None
        course = Course(Purpose.VERIFY, wanted=read_back.wanted(planned.item.form), number=planned.attempts)
        return Turn((planned,), course, until=current_time() + self.patience_s)

    async def look(self, planned: PlannedItem) -> Look | None:
        """Return the first look at an address in the DNS."""
        return Look(planned) if await self._concerns(planned) else None

    async def _concerns(self, planned: PlannedItem) -> bool:
        """Say whether a check looks at an item; what it leaves out is skipped."""
        action = ACTIONS[planned.item.action]
        if not action.reads_before:
            await self.worker.refuse((planned,), left_out(action.name))
        return action.reads_before


class Checker(Verifier):
    """Carries looks at the DNS forward; the last one is how an item ends."""

    async def keep(self, planned: PlannedItem, proof: Proof) -> None:
        """Write down what was found, and whether it is as expected.

        The result goes last: without it, whoever goes on with the check looks again.
        """
        item, now = planned.item, self.wall()
        result = proved(ptr_names(item.form.get("ptr", "")), proof)

        def told() -> None:
            self.tell(ItemSettled(item, result))

        if proof.decided:
            await self.store.record_before(item, Before(found_names(proof), now), _silently)
        await self.store.record_proof(planned, proof, now, _silently)
        await self.store.settle(item, planned.generation, result, now, told)


def _silently() -> None:
    """Tell nobody."""

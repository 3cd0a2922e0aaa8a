"""How a run ends when its own storage fails: nothing new begins, what is in flight may be answered."""

from dataclasses import dataclass
from typing import Generic, TypeVar

from bulkip.brake import Brake
from bulkip.errors import StoreError
from bulkip.model import ErrorClass
from bulkip.scheduler import Feed
from bulkip.stops import Stop, StopKind


def storage_stop(error: StoreError) -> Stop:
    """Return the stop that a failed store causes; the run can be resumed when the store can be read."""
    return Stop(StopKind.HALT, str(error), ErrorClass.INTERNAL, everywhere=True)


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class HaltingFeed(Generic[T]):
    """Gives what a feed gives, and nothing more once the store cannot be read."""

    feed: Feed[T]
    brake: Brake

    def at_hand(self) -> T | None:
        """Return a fresh turn that is there already; the store is not asked for it."""
        return self.feed.at_hand()

    async def next(self) -> T | None:
        """Return a fresh turn; None when there is none left, or the store failed."""
        try:
            return await self.feed.next()
        except StoreError as error:
            self.brake.pull(storage_stop(error))
            return None

"""What a store that cannot be read in mid-run means for the calls that are in flight."""

import pytest

from bulkip.brake import Brake
from bulkip.errors import StoreError
from bulkip.run.halting import HaltingFeed
from bulkip.scheduler import Turn
from bulkip.stops import Stop, StopKind

pytestmark = pytest.mark.anyio


class Unreadable:
    """A feed whose store cannot be read."""

    def at_hand(self) -> Turn | None:
        """Have nothing."""
        return None

    async def next(self) -> Turn | None:
        """Fail as the store does."""
        raise StoreError("run.db: run store: disk I/O error")


async def test_store_that_cannot_be_read_stops_the_run_in_order() -> None:
    """Nothing new begins and the reason is told; nobody's call is cut off by an error of somebody else."""
    told: list[Stop] = []
    brake = Brake(told.append)

    turn = await HaltingFeed(Unreadable(), brake).next()

    assert (turn, told) == (None, [brake.stop])
    assert brake.stop is not None
    assert (brake.stop.kind, brake.stop.reason) == (StopKind.HALT, "run.db: run store: disk I/O error")

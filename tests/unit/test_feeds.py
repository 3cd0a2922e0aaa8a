"""How several accounts share what a step of a rollout may begin."""

from collections import deque

import pytest
from anyio import create_task_group, sleep

from bulkip.course import Course
from bulkip.feeds import ApplyingFeed, Quota, RationedFeed
from bulkip.model import Item, Purpose
from bulkip.scheduler import Turn
from bulkip.store import PlannedItem, WorkLeft

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]


class Chains(WorkLeft):
    """A store that has so many addresses left, and takes its time to say so."""

    def __init__(self, count: int) -> None:  # no file is opened
        self._left = deque(range(1, count + 1))

    def to_apply(self, after: int, most: int) -> list[tuple[PlannedItem, ...]]:  # noqa: ARG002 -- as in WorkLeft
        """Return the next chains of one item each."""
        page = [self._left.popleft() for _ in range(min(most, len(self._left)))]
        return [(planned(number),) for number in page]


def planned(number: int) -> PlannedItem:
    """Return an item nothing was done of."""
    item = Item(number, number, str(number), "1", "get_ip", "203.0.113.7", {}, "rows.csv:2")
    return PlannedItem(item, 0, None, None, 0, in_doubt=False)


def feed(count: int, quota: Quota, *, at_hand: bool = False) -> RationedFeed:
    """Return the feed of an account with so many addresses."""

    async def enter(chain: tuple[PlannedItem, ...]) -> Turn | None:
        await sleep(1)
        return Turn(chain, Course(Purpose.CALL))

    def enter_now(chain: tuple[PlannedItem, ...]) -> Turn | None:
        return Turn(chain, Course(Purpose.CALL)) if at_hand else None

    return RationedFeed(ApplyingFeed(Chains(count), enter, enter_now), quota)


async def taken(own: RationedFeed, found: list[int]) -> None:
    """Take turns until there is none left."""
    while (turn := own.at_hand() or await own.next()) is not None:
        found.append(turn.chain[0].item.number)


@pytest.mark.parametrize("at_hand", [False, True])
@pytest.mark.parametrize(
    ("quota", "counts", "expected"),
    [
        pytest.param(5, (9, 9), 5, id="less-than-there-is"),
        pytest.param(9, (0, 9), 9, id="one-has-nothing"),
        pytest.param(9, (2, 3), 5, id="more-than-there-is"),
    ],
)
async def test_feeds_give_together_what_the_quota_allows(
    quota: int, counts: tuple[int, int], expected: int, *, at_hand: bool
) -> None:
    """Two accounts begin exactly as many addresses as a step has, wherever these are."""
    shared, found = Quota(quota), list[int]()

    async with create_task_group() as group:
        for count in counts:
            group.start_soon(taken, feed(count, shared, at_hand=at_hand), found)

    assert len(found) == expected
    assert shared.left == quota - expected

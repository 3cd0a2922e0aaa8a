"""What becomes of a permission whose waiter gives up."""

from collections import deque

import pytest
from anyio import Event

from bulkip.queueing import wait_for

pytestmark = pytest.mark.anyio


class GivenUpError(Exception):
    """What ends the wait."""


@pytest.mark.parametrize("came", [True, False], ids=["just-given", "still-waiting"])
async def test_permission_is_given_back_when_its_waiter_gives_up(*, came: bool) -> None:
    """Who gives up leaves the queue; if the permission came in that moment, it is given back once."""
    given, other, given_back = Event(), Event(), list[bool]()
    waiting = deque([other] if came else [given, other])
    waiter = wait_for(given, waiting, lambda: given_back.append(True))
    waiter.send(None)

    with pytest.raises(GivenUpError):
        waiter.throw(GivenUpError())

    assert list(waiting) == [other]
    assert given_back == [True] * came

"""What becomes of a permission whose waiter gives up? Nobody gets it twice, and none is lost."""

from collections import deque
from collections.abc import Callable

from anyio import Event


async def wait_for(given: Event, waiting: deque[Event], forgo: Callable[[], object]) -> None:
    """Wait until a permission is given to one of those that wait; if cut off, leave or `forgo` what came."""
    try:
        await given.wait()
    except BaseException:
        if given in waiting:
            waiting.remove(given)
        else:
            forgo()
        raise

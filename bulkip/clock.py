"""What time is it, for those who ask it for every call? The running loop's own clock."""

import asyncio
from collections.abc import Callable


def loop_clock() -> Callable[[], float]:
    """Return the clock of the running loop, in seconds; anyio's looks for the loop each time it is asked."""
    return asyncio.get_running_loop().time

"""Where fresh turns come from: the run store, a page at a time, so that memory does not grow with the job."""

from collections import deque
from collections.abc import Awaitable, Callable
from math import inf

from anyio import Lock, to_thread

from bulkip.scheduler import Turn
from bulkip.store import Beforehand, PlannedItem, Sought, WorkLeft
from bulkip.verifier import Look

PAGE = 500

Enter = Callable[[tuple[PlannedItem, ...]], Awaitable[Turn | None]]
EnterNow = Callable[[tuple[PlannedItem, ...]], Turn | None]


class SeekingFeed:
    """Gives every address whose server is to be found."""

    def __init__(self, reader: Beforehand, enter: Callable[[Sought], Awaitable[Turn | None]]) -> None:
        """Page through the store; `enter` makes the turn of an address, unless nothing is to be asked."""
        self._reader = reader
        self._enter = enter
        self._page: deque[Sought] = deque()
        self._after = 0

    def at_hand(self) -> Turn | None:
        """Return None: each of them is thought about first."""
        return None

    async def next(self) -> Turn | None:
        """Return a turn that finds one server, or None when there are none left to find."""
        while self._page or await self._turn_page():
            turn = await self._enter(self._page.popleft())
            if turn is not None:
                return turn
        return None

    async def _turn_page(self) -> bool:
        page = await to_thread.run_sync(self._reader.to_look_up, self._after, PAGE)
        if page:
            self._after = page[-1].chain[-1].item.number
        self._page.extend(page)
        return bool(page)


class ReadingFeed:
    """Gives every write whose value before is still to be read."""

    def __init__(self, reader: WorkLeft, enter: Callable[[PlannedItem], Turn]) -> None:
        """Page through the store; `enter` makes the turn of an item."""
        self._reader = reader
        self._enter = enter
        self._page: deque[PlannedItem] = deque()
        self._after = 0

    def at_hand(self) -> Turn | None:
        """Return the next turn of the present page."""
        return self._enter(self._page.popleft()) if self._page else None

    async def next(self) -> Turn | None:
        """Return a turn that reads one value, or None when all are read."""
        if self._page or await self._turn_page():
            return self._enter(self._page.popleft())
        return None

    async def _turn_page(self) -> bool:
        page = await to_thread.run_sync(self._reader.to_read, self._after, PAGE)
        if page:
            self._after = page[-1].item.number
        self._page.extend(page)
        return bool(page)


class TracingFeed:
    """Gives every write whose new names are to be resolved, until that is over."""

    def __init__(self, reader: Beforehand, is_over: Callable[[], bool]) -> None:
        """Page through the store; `is_over` says that the rest need not be looked at."""
        self._reader = reader
        self._is_over = is_over
        self._page: deque[PlannedItem] = deque()
        self._after = 0

    def at_hand(self) -> PlannedItem | None:
        """Return the next write of the present page."""
        return self._page.popleft() if self._page and not self._is_over() else None

    async def next(self) -> PlannedItem | None:
        """Return the next write, or None when there is none left to look at."""
        if not self._is_over() and (self._page or await self._turn_page()):
            return self._page.popleft()
        return None

    async def _turn_page(self) -> bool:
        page = await to_thread.run_sync(self._reader.to_trace, self._after, PAGE)
        if page:
            self._after = page[-1].item.number
        self._page.extend(page)
        return bool(page)


class VerifyingFeed:
    """Gives every item that is to be proved."""

    def __init__(self, reader: WorkLeft, since: float) -> None:
        """Page through the store; proofs from before this time, in Unix seconds, are made again."""
        self._reader = reader
        self._since = since
        self._page: deque[PlannedItem] = deque()
        self._after = 0

    def at_hand(self) -> Look | None:
        """Return the first look at the next item of the present page."""
        return Look(self._page.popleft()) if self._page else None

    async def next(self) -> Look | None:
        """Return a first look at an item, or None when all are proved."""
        if self._page or await self._turn_page():
            return Look(self._page.popleft())
        return None

    async def _turn_page(self) -> bool:
        page = await to_thread.run_sync(self._reader.to_verify, self._after, PAGE, self._since)
        if page:
            self._after = page[-1].item.number
        self._page.extend(page)
        return bool(page)


class Quota:
    """Owns how many addresses the feeds of several accounts may still give together."""

    def __init__(self, left: float) -> None:
        """Begin with so many."""
        self.left = left
        self.turn = Lock()  # one feed asks at a time, so that none ends while another may give back


class ApplyingFeed:
    """Gives the items of one address after the other."""

    def __init__(
        self, reader: WorkLeft, enter: Enter, enter_now: EnterNow = lambda _chain: None, most: float = inf
    ) -> None:
        """Page through the store; `enter` finds the first item of a chain that is still to do.

        So does `enter_now`, where it need not settle others for that. So many
        addresses are given at most.
        """
        self._left = most
        self._enter_now = enter_now
        self._reader = reader
        self._enter = enter
        self._page: deque[tuple[PlannedItem, ...]] = deque()
        self._after = 0

    def at_hand(self) -> Turn | None:
        """Return the turn of the next address of the present page, where nothing is to be settled first."""
        if self._left <= 0 or not self._page or (turn := self._enter_now(self._page[0])) is None:
            return None
        self._page.popleft()
        self._left -= 1
        return turn

    async def next(self) -> Turn | None:
        """Return the turn of the next address with work left, or None when there is none."""
        while self._left > 0 and (self._page or await self._turn_page()):
            turn = await self._enter(self._page.popleft())
            if turn is not None:
                self._left -= 1
                return turn
        return None

    async def _turn_page(self) -> bool:
        page = await to_thread.run_sync(self._reader.to_apply, self._after, PAGE)
        if page:
            self._after = page[-1][0].item.chain
        self._page.extend(page)
        return bool(page)


class RationedFeed:
    """Gives the items of one address after the other, as long as a quota lasts."""

    def __init__(self, feed: ApplyingFeed, quota: Quota) -> None:
        """Give what the feed gives; others may draw on the quota, too."""
        self._feed = feed
        self._quota = quota

    def at_hand(self) -> Turn | None:
        """Return the turn of the next address where there is one at hand and the quota lasts."""
        quota = self._quota
        if quota.left <= 0 or quota.turn.locked() or (turn := self._feed.at_hand()) is None:
            return None
        quota.left -= 1
        return turn

    async def next(self) -> Turn | None:
        """Return the turn of the next address with work left, or None; there is none beyond the quota."""
        async with self._quota.turn:
            if self._quota.left <= 0 or (turn := await self._feed.next()) is None:
                return None
            self._quota.left -= 1
            return turn

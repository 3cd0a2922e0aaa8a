"""How calls are paced: one pacer takes small slots of tokens from a leaky bucket and hands them out in order.

A bucket of one token is exact, but its timers wake too coarsely and every
waiter costs a timer; so one pacer asks the bucket for a slot's worth at once.
Over any stretch of T seconds a leaky bucket lets out at most its size plus T
times its rate. Size and `headroom` are chosen so that the *server's* count in
any window stays within the limit, although calls arrive with jitter.
"""

from collections import deque
from collections.abc import Sequence
from math import floor, inf

from aiolimiter import AsyncLimiter
from anyio import Event, sleep_until

from bulkip.clock import loop_clock
from bulkip.leases import halved, share_at
from bulkip.model import Rate
from bulkip.queueing import wait_for

SLOT_S = 0.010
CATCH_UP_S, CATCH_UP_IN_SLOTS_S = 0.005, 0.010
"""What a late timer may make up for, and where slots hold several calls; the rest of a stall is dropped."""


class SlidingWindow:
    """Count what went out within the last period, and say when the next call may go."""

    def __init__(self, rate: Rate, headroom: float, ages_s: Sequence[float], now: float) -> None:
        """Begin with calls that were sent `ages_s` seconds ago, by this or an earlier start."""
        self._calls = rate.calls
        self._period_s = rate.period_s / (1 - headroom)
        recent = sorted(now - age for age in ages_s if age < self._period_s)
        self._sent = deque(recent[-rate.calls :])

    def open_at(self, leaving: int) -> float:
        """Return the time from which one more call is allowed; so many are permitted and have not left."""
        if len(self._sent) + leaving < self._calls:
            return 0.0
        return self._sent[0] + self._period_s if self._sent else inf

    def room(self, leaving: int, now: float) -> int:
        """Return how many calls may go now, beside those that are permitted and have not left."""
        while self._sent and self._sent[0] <= now - self._period_s:
            self._sent.popleft()
        return self._calls - len(self._sent) - leaving

    def note(self, now: float) -> None:
        """Count a call that leaves now."""
        self._sent.append(now)


class Share:
    """The part of the rate that is used: halved by a throttled answer, regained a tenth a second."""

    def __init__(self, now: float) -> None:
        """Begin with the whole rate."""
        self._value = 1.0
        self._since = now

    def at(self, now: float) -> float:
        """Return the fraction at this time, from a tenth to one."""
        return share_at(self._value, self._since, now)

    def halve(self, now: float) -> None:
        """Halve the fraction."""
        self._value = halved(self.at(now))
        self._since = now

    def stand_still_until(self, time: float) -> None:
        """Regain nothing before this time; what was regained so far is counted from then on."""
        self._since = max(self._since, time)


class Pacer:
    """Hands out permissions to send, in the order of asking, within every rate at once.

    The fastest rate sets the pace, without bursts; every rate bounds its own
    sliding window. `run` must be running in a task group.
    """

    def __init__(self, rates: Sequence[Rate], headroom: float, ages_s: Sequence[float] = ()) -> None:
        """Pace for these rates; `ages_s` tells how long ago recent calls were sent."""
        pace = max(rate.per_s for rate in rates) * (1 - headroom)
        self._slot = max(1, floor(pace * SLOT_S))
        size = self._slot + pace * (CATCH_UP_S if self._slot == 1 else CATCH_UP_IN_SLOTS_S)
        self._bucket = AsyncLimiter(size, size / pace)
        self._clock = loop_clock()
        now = self._clock()
        self._windows = [SlidingWindow(rate, headroom, ages_s, now) for rate in rates]
        self._waiting: deque[Event] = deque()
        self._leaving = 0  # calls that are permitted and not on their way yet
        self._stirred = Event()
        self._held_until = self._spaced_until = 0.0
        self._pace = pace
        self._share = Share(now)

    async def acquire(self) -> None:
        """Wait until one more call may go out; where that is now, no slot is made for it.

        Whoever has a permission says `leave` when the call is on its way, or is not sent after all.
        """
        now = self._clock()
        if self.is_free(now):
            await self.take()
            return
        given = Event()
        self._waiting.append(given)
        self._stirred.set()
        await wait_for(given, self._waiting, self.leave)

    def is_free(self, now: float) -> bool:
        """Say whether nobody waits, and every rate allows one more call at this moment."""
        if self._waiting or now < self._held_until or now < self._spaced_until or self._share.at(now) < 1:
            return False
        for window in self._windows:
            if window.room(self._leaving, now) <= 0:
                return False
        return self._bucket.has_capacity()

    async def take(self) -> None:
        """Permit a call at this moment, because it may go; this is no wait."""
        self._leaving += 1
        await self._bucket.acquire()  # which has capacity

    def leave(self) -> None:
        """Count a permitted call from now on: it is on its way.

        Between permission and way lie a connection to be made and whatever
        holds up the loop. The server counts calls when they come, so until
        then one that is permitted counts in every window.
        """
        now = self._clock()
        self._leaving -= 1
        for window in self._windows:
            window.note(now)
        if self._waiting:
            self._stirred.set()

    def hold_until(self, time: float) -> None:
        """Hand out nothing before this time of the loop's clock, and regain nothing of the pace."""
        self._held_until = max(self._held_until, time)
        self._share.stand_still_until(self._held_until)

    def slow_down(self) -> None:
        """Halve the pace; it comes back by itself while nothing is held back."""
        self._share.halve(self._clock())

    def share(self) -> float:
        """Return the fraction of the rate that is handed out now."""
        return self._share.at(self._clock())

    def pace_per_s(self) -> float:
        """Return how many calls a second are handed out now."""
        return self._pace * self.share()

    async def run(self) -> None:
        """Hand out permissions until cancelled."""
        while True:
            if not self._waiting:
                await self._until_stirred()
            await self._until_open()
            slot = max(1, floor(self._slot * self.share()))
            if wanted := min(slot, len(self._waiting)):
                await self._bucket.acquire(wanted)
                await self._until_open()
                self._hand_out(wanted)

    async def _until_open(self) -> None:
        while (opens := self._opens_at()) > self._clock():
            if opens < inf:
                await sleep_until(opens)
            else:  # every call that a window allows is still to leave
                await self._until_stirred()

    async def _until_stirred(self) -> None:
        self._stirred = Event()
        await self._stirred.wait()

    def _opens_at(self) -> float:
        opens = (window.open_at(self._leaving) for window in self._windows)
        return max(self._held_until, self._spaced_until, *opens)

    def _hand_out(self, wanted: int) -> None:
        now = self._clock()
        room = min(window.room(self._leaving, now) for window in self._windows)
        count = max(0, min(wanted, len(self._waiting), room))
        self._leaving += count
        for _ in range(count):
            self._waiting.popleft().set()
        if (share := self._share.at(now)) < 1:
            self._spaced_until = now + count / (self._pace * share)

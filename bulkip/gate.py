"""Which call may go now: in-flight places, cool-down, breaker and pace, for every call alike."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from anyio import Semaphore, sleep_until

from bulkip.clock import loop_clock
from bulkip.events import CallSent, Event, RateSet, Waiting
from bulkip.outage import Breaker
from bulkip.policy import Limits

CALL_SENT = CallSent()


class Limiter(Protocol):
    """Whoever paces the calls of one account."""

    async def acquire(self) -> None:
        """Wait until one more call may go out."""
        ...

    def is_free(self, now: float) -> bool:
        """Say whether a call may go out at this moment."""
        ...

    async def take(self) -> None:
        """Permit a call at this moment, because it may go; this is no wait."""
        ...

    def leave(self) -> Callable[[], Awaitable[None]] | None:
        """Count a permitted call from now on: it is on its way, or is not sent after all.

        Where it is too late for its permission, returns what waits for another one.
        """
        ...

    def hold_until(self, time: float) -> None:
        """Let nothing out before this time of the loop's clock."""
        ...

    def slow_down(self) -> None:
        """Halve the pace for a while."""
        ...

    def share(self) -> float:
        """Return the fraction of the rate that is handed out now."""
        ...

    def pace_per_s(self) -> float:
        """Return how many calls a second are handed out now."""
        ...


class Gate:
    """Owns the in-flight places, the cool-down and the breaker that all calls share."""

    def __init__(
        self, limiter: Limiter, limits: Limits, breaker: Breaker, tell: Callable[[Event], None]
    ) -> None:
        """Keep to the limits of a job: its places, and whether throttling halves the pace."""
        self.breaker = breaker
        self._clock = loop_clock()
        self._adaptive = limits.adaptive
        self._rates = limits.rate
        self._slowed = False
        self._limiter = limiter
        self._places = Semaphore(limits.concurrency, fast_acquire=True)
        self._tell = tell
        self._paused_until = 0.0
        self._pauses = 0

    async def enter_now(self) -> bool:
        """Take a place and a turn where both are to be had at this moment; False where one is not."""
        now = self._clock()
        if self.breaker.is_open or not self._places.value or not self._limiter.is_free(now):
            return False  # during a cool-down the limiter is held, so it is not free
        self._places.acquire_nowait()
        await self._limiter.take()
        self._tell(CALL_SENT)
        return True

    async def enter(self) -> None:
        """Take an in-flight place; whoever has one calls `leave` in the end."""
        await self._places.acquire()

    def leave(self) -> None:
        """Give an in-flight place back."""
        self._places.release()

    async def cooled_down(self) -> None:
        """Wait until no cool-down is on."""
        while self._paused_until > self._clock():
            await sleep_until(self._paused_until)

    async def turn(self) -> None:
        """Wait for the moment to send; the holder of a place calls this just before, and then `send_off`."""
        await self._limiter.acquire()
        self._tell(CALL_SENT)

    def send_off(self) -> Callable[[], Awaitable[None]] | None:
        """Count a call whose turn it was from now on: it is on its way, or is not sent after all.

        Where its turn has passed, returns what waits for another one before it is sent.
        """
        return self._limiter.leave()

    def pause(self, seconds: float, reason: str) -> None:
        """Let nothing out for so long; a pause that ends sooner than the present one adds nothing."""
        until = self._clock() + seconds
        if until > self._paused_until:
            self._paused_until = until
            self._limiter.hold_until(until)
            self._tell(Waiting(reason, seconds))

    def strikes(self, sent_at: float) -> int:
        """Return how many cool-downs in a row this throttled answer makes; `sent_at` is loop time.

        An answer to a call that was sent before the present cool-down began
        belongs to it: it adds none, and does not halve the pace again.
        """
        if not self.is_old(sent_at):
            self._pauses += 1
            if self._adaptive:
                self._limiter.slow_down()
                self._slowed = True
                self._tell(RateSet(self._rates, self._limiter.pace_per_s()))
        return max(1, self._pauses)

    def is_old(self, sent_at: float) -> bool:
        """Say whether a call was sent before the present cool-down began, or while it lasts."""
        return sent_at < self._paused_until

    def passed(self, sent_at: float) -> None:
        """Note a call that was not throttled; one that was sent before the cool-down proves nothing."""
        if not self.is_old(sent_at):
            self._pauses = 0
        if self._slowed and self._limiter.share() >= 1:
            self._slowed = False
            self._tell(RateSet(self._rates))

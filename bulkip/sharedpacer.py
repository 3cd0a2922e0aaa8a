"""How calls are paced when several processes share a rate: each waits for slots that it leased.

A slot is a moment of the ledger's clock, which is translated into the loop's.
Who comes late for one has lost it: two processes that both made up for lost
time would meet. While the ledger is away nothing goes out.
"""

from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from math import inf
from typing import Protocol

from anyio import Event, create_task_group, fail_after, move_on_after, sleep

from bulkip.clock import loop_clock
from bulkip.farclock import FarClock
from bulkip.leases import Ask, Lease, share_at
from bulkip.model import Rate
from bulkip.queueing import wait_for

LEASED_S = 0.2
"""So much is leased at once: fewer questions, but a killed process leaves as much of the rate unused.

The next is asked for when a quarter of it is left.
"""
STEADY = 10
"""From so many calls in that time on, as many are expected to follow; what nobody takes is lost to all."""
LEAD_S = 0.002
"""What it takes to wake up for a slot."""
LEAST_LATE_S = 0.005
PATIENCE_S = 10.0
"""So long an answer of the ledger is waited for."""
FIRST_WAIT_S, LONGEST_WAIT_S = 0.1, 5.0
"""How long to wait between two attempts to reach the ledger: at first, and at most."""
HEEDED_S = 0.5
"""So often a process that holds slots asks whether all calls are held."""


class LedgerError(Exception):
    """Raised when the ledger cannot be asked now; the text says why, without secrets."""


class Ledger(Protocol):
    """Whoever leases slots to all processes of an account."""

    async def lease(self, ask: Ask) -> Lease:
        """Lease slots; raises LedgerError."""
        ...

    async def close(self) -> None:
        """Let go of the connection."""
        ...


class SharedPacer:
    """Hands out permissions to send at the slots of this process, in the order of asking.

    The slowest of the rates sets the distance of the slots. `run` must be
    running in a task group.
    """

    def __init__(
        self,
        rates: Sequence[Rate],
        headroom: float,
        ledger: Ledger,
        troubled: Callable[[str, float, float], None],
    ) -> None:
        """Pace for these rates; `troubled` hears why the ledger is away, for how long, and the next wait."""
        self._step_s = max(rate.period_s / rate.calls for rate in rates) / (1 - headroom)
        # half of what the headroom leaves is for our lateness, half for clocks and the network
        late_s = min(rate.period_s for rate in rates) * headroom / (1 - headroom) / 2
        self._late_s = max(LEAST_LATE_S, late_s)
        self._ledger = ledger
        self._troubled = troubled
        self._clock = loop_clock()
        self._far = FarClock()
        self._slots: deque[float] = deque()
        self._waiting: deque[Event] = deque()
        self._leaving: deque[float] = deque()  # slots of calls that are permitted and not on their way yet
        self._granted: deque[float] = deque()  # slots of calls that were permitted lately
        self._stirred = Event()
        self._wanted = Event()
        self._held_until = 0.0
        self._slowed = self._holding = False
        self._share, self._share_at = 1.0, self._clock()
        self._away_since: float | None = None
        self._wait_s = FIRST_WAIT_S
        self._heard_at = -inf

    async def acquire(self) -> None:
        """Wait until one more call may go out; whoever has a permission says `leave` in the end."""
        given = Event()
        self._waiting.append(given)
        await self._given(given)

    async def _given(self, given: Event) -> None:
        self._stir()
        await wait_for(given, self._waiting, self.leave)

    def is_free(self, now: float) -> bool:
        """Say whether nobody waits, and a slot is there for this moment."""
        if self._waiting:
            return False
        self._pass_over_late(now)
        return bool(self._slots) and self._slots[0] <= now

    async def take(self) -> None:
        """Permit a call at this moment, because it may go; this is no wait."""
        self._grant()

    def leave(self) -> Callable[[], Awaitable[None]] | None:
        """Take note that a permitted call is on its way, or is not sent after all.

        One that comes later than its slot, as it had to make a connection first, is
        to wait for another slot: what is returned does that.
        """
        late = self._leaving.popleft() + self._late_s < self._clock()
        return self._once_more if late else None

    async def _once_more(self) -> None:
        is_late = True
        while is_late:
            given = Event()
            self._waiting.appendleft(given)
            await self._given(given)
            is_late = self.leave() is not None

    def hold_until(self, time: float) -> None:
        """Hand out nothing before this time of the loop's clock, here and in every other process."""
        if time > self._held_until:
            self._heed(time)
            self._holding = True
            self._stir()

    def slow_down(self) -> None:
        """Halve the pace of all processes; it comes back by itself."""
        self._slowed = True
        self._stir()

    def share(self) -> float:
        """Return the fraction of the rate that is handed out now, as far as it is known here."""
        return share_at(self._share, self._share_at, self._clock())

    def pace_per_s(self) -> float:
        """Return how many calls a second are handed out now, to all processes together."""
        return self.share() / self._step_s

    async def run(self) -> None:
        """Lease slots and hand them out until cancelled."""
        try:
            async with create_task_group() as group:
                group.start_soon(self._hand_out)
                group.start_soon(self._lease)
        finally:
            await self._ledger.close()

    def _stir(self) -> None:
        self._stirred.set()
        self._wanted.set()

    async def _hand_out(self) -> None:
        while True:
            now = self._clock()
            self._pass_over_late(now)
            if not self._slots or not self._waiting:
                await self._until_stirred(inf)
            elif self._slots[0] > now:
                await self._until_stirred(self._slots[0])
            else:
                self._grant()
                self._waiting.popleft().set()

    def _grant(self) -> None:
        slot = self._slots.popleft()
        self._leaving.append(slot)
        self._granted.append(slot)

    def _pass_over_late(self, now: float) -> None:
        """Drop slots that nobody used in time."""
        while self._slots and self._slots[0] + self._late_s < now:
            self._slots.popleft()
            if self._missing() > 0:
                self._wanted.set()

    async def _until_stirred(self, time: float) -> None:
        self._stirred = Event()
        with move_on_after(time - self._clock()):
            await self._stirred.wait()

    async def _lease(self) -> None:
        while True:
            self._wanted = Event()
            if (ask := self._ask()) is not None:
                await self._leased(ask)
            else:
                self._away_since, self._wait_s = None, FIRST_WAIT_S  # nobody misses it
                with move_on_after(self._pause_s()):
                    await self._wanted.wait()

    def _ask(self) -> Ask | None:
        """Return what to ask the ledger for, or to tell it; None while there is nothing."""
        now = self._clock()
        hold_s = max(0.0, self._held_until - now)
        self._holding = self._holding and hold_s > 0
        if self._slowed or self._holding:
            return Ask(0, self._step_s, hold_s=hold_s if self._holding else 0.0, slowed=self._slowed)
        if hold_s > 0:
            return None
        if self._missing() <= 0 or self._lasts_s(now) > LEAD_S:
            return Ask(0, self._step_s) if self._is_to_heed(now) else None
        most = max(1, int(LEASED_S * self.pace_per_s()))
        return Ask(min(self._missing(), most), self._step_s, lead_s=self._far.trip_s + LEAD_S)

    def _missing(self) -> int:
        """Return how many slots to ask for: one for each that waits; in a steady flow for the next, too."""
        if not self._waiting:
            return 0
        while self._granted and self._granted[0] < self._clock() - LEASED_S:
            self._granted.popleft()
        coming = len(self._granted) if len(self._granted) >= STEADY else 0
        return len(self._waiting) + coming - len(self._slots)

    def _pause_s(self) -> float:
        """Return after how many seconds to ask again, unless something happens before."""
        now = self._clock()
        if now < self._held_until:
            return self._held_until - now
        lasts_s = self._lasts_s(now) if self._missing() > 0 else inf
        return min(lasts_s, self._heard_at + HEEDED_S - now if self._slots else inf)

    def _lasts_s(self, now: float) -> float:
        """Return how long the slots last, until more must be asked for."""
        lasts_s = self._slots[-1] - now if self._slots else 0.0
        return max(LEAD_S, lasts_s - max(LEASED_S / 4, 2 * self._far.trip_s))

    def _is_to_heed(self, now: float) -> bool:
        return bool(self._slots) and now - self._heard_at >= HEEDED_S

    async def _leased(self, ask: Ask) -> None:
        asked_at, held_until = self._clock(), self._held_until
        try:
            with fail_after(PATIENCE_S):
                lease = await self._ledger.lease(ask)
        except (LedgerError, TimeoutError) as error:
            await self._wait_for_ledger(str(error) or f"no answer within {PATIENCE_S:g} s")
            return
        now = self._heard_at = self._clock()
        self._away_since, self._wait_s = None, FIRST_WAIT_S
        self._far.read(asked_at, lease.now, now)
        self._slowed = self._slowed and not ask.slowed
        if ask.hold_s and held_until == self._held_until:
            self._holding = False
        self._share, self._share_at = lease.share, max(now, self._far.here(lease.held_until))
        if lease.held_until > lease.now:
            self._heed(self._far.here(lease.held_until))
        elif now >= self._held_until:  # no cool-down began meanwhile
            self._slots.extend(self._far.here(lease.first + n * lease.step_s) for n in range(lease.count))
        self._stirred.set()

    def _heed(self, held_until: float) -> None:
        """Keep to a cool-down that may be another process's."""
        if held_until > self._held_until:
            self._held_until = held_until
            self._slots.clear()

    async def _wait_for_ledger(self, reason: str) -> None:
        now, wait_s = self._clock(), self._wait_s
        self._slots.clear()  # whoever holds all calls now could not be heard
        self._away_since = now if self._away_since is None else self._away_since
        self._troubled(reason, now - self._away_since, wait_s)
        self._wait_s = min(wait_s * 2, LONGEST_WAIT_S)
        await sleep(wait_s)

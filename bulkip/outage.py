"""Whether the server is there at all: calls wait while it is not, and one probe at a time looks for it."""

from collections.abc import Awaitable, Callable

from anyio import Event, current_time, move_on_at, sleep

from bulkip import breaker
from bulkip.brake import Brake
from bulkip.events import Event as RunEvent
from bulkip.events import Waiting
from bulkip.model import ErrorClass
from bulkip.policy import Breaker as BreakerRules
from bulkip.stops import Stop, StopKind


class Breaker:
    """Owns the circuit that all calls of a stage share; `watch` must be running in a task group."""

    def __init__(self, rules: BreakerRules, tell: Callable[[RunEvent], None]) -> None:
        """Begin with a server that is taken to be there."""
        self._rules = rules
        self._tell = tell
        self._moved = Event()
        self._trouble: str | None = None
        self.circuit = breaker.Circuit()

    @property
    def is_open(self) -> bool:
        """Whether nothing but a probe may be sent."""
        return self.circuit.is_open

    @property
    def outages(self) -> frozenset[int]:
        """The streaks of lost calls that were the server's doing."""
        return self.circuit.outages

    def lost(self, message: str | None, *, probe: bool) -> int:
        """Note a call without a status line, and return the streak it belongs to."""
        streak, self._trouble = self.circuit.streak, message
        self._move(breaker.lost(self.circuit, self._rules.after, current_time(), probe=probe))
        return streak

    def answered(self, *, probe: bool) -> None:
        """Note a call with a status line."""
        self._move(breaker.answered(self.circuit, probe=probe))

    async def closed(self) -> None:
        """Wait until calls may be sent."""
        while self.is_open:
            await self._moved.wait()

    async def watch(self, brake: Brake, probe: Callable[[], Awaitable[object]]) -> None:
        """Probe while the circuit is open, and stop the run after `breaker.give_up` without an answer."""
        while brake.stop is None:
            while not self.is_open:
                await self._moved.wait()
            patience = (self.circuit.down_since or 0) + self._rules.give_up_s
            with brake.waiting(), move_on_at(patience):
                await self._probe_until_closed(probe, patience)
            if self.is_open:
                brake.pull(self._stop())

    async def _probe_until_closed(self, probe: Callable[[], Awaitable[object]], patience: float) -> None:
        while self.is_open:
            wait_s = self.circuit.probe_after_s
            self._tell(Waiting("no answer", max(0.0, min(wait_s, patience - current_time()))))
            await sleep(wait_s)
            await probe()

    def _move(self, circuit: breaker.Circuit) -> None:
        moved = circuit.is_open != self.circuit.is_open
        self.circuit = circuit
        if moved:
            self._moved.set()
            self._moved = Event()

    def _stop(self) -> Stop:
        text = f"the server has not answered for {self._rules.give_up_s:g} s (`breaker.give_up`)"
        last = f"; last: {self._trouble}" if self._trouble else ""
        return Stop(StopKind.HALT, text + last, ErrorClass.BREAKER)

"""What time is it elsewhere? Another machine's clock, as far as its answers tell: to half of their trip."""

from math import inf

CLOCK_S = 30.0
"""So long a best reading of the clock is looked for before the one before it is forgotten."""


class FarClock:
    """Translates the times of another clock, by the answer of the last minute that took the shortest."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._best: list[tuple[float, float]] = []  # trip and difference, of this half minute and the last
        self._since = -inf

    @property
    def trip_s(self) -> float:
        """How long the best answer took, there and back."""
        return min(self._best)[0] if self._best else 0.0

    def read(self, asked_at: float, told: float, now: float) -> None:
        """Take a reading: between these two times of the loop, that clock showed `told`."""
        reading = (now - asked_at, told - (asked_at + now) / 2)
        if now - self._since > CLOCK_S:
            self._best, self._since = [*self._best[-1:], reading], now
        else:
            self._best[-1] = min(self._best[-1], reading)

    def here(self, told: float) -> float:
        """Return a time of that clock in loop time."""
        return told - min(self._best)[1]

"""How fast something happens now."""

LONGEST_S = 60
MEMORY_S = LONGEST_S + 1
"""The seconds that can be asked for, and the present one."""


class Meter:
    """Counts events by the second, for the last minute, on whatever clock it is given."""

    def __init__(self, began: float) -> None:
        """Begin at this time; times never go back."""
        self._began = began
        self._second = int(began)
        self._counts = [0] * MEMORY_S
        self.total = 0

    def add(self, now: float) -> None:
        """Count one event."""
        second = int(now)
        if second != self._second:
            self._forget(second)
        self._counts[second % MEMORY_S] += 1
        self.total += 1

    def within(self, now: float, seconds: int) -> int:
        """Return how many events fell into the last whole seconds, the present one not included."""
        self._forget(int(now))
        return sum(self._counts[(self._second - back) % MEMORY_S] for back in range(1, seconds + 1))

    def per_s(self, now: float, seconds: int) -> float:
        """Return the rate over the last whole seconds, or since the beginning where that is shorter.

        The present second is left out, and of a time since the beginning its
        first event: either would count one event too many for the time.
        """
        lasted_s = int(now) - self._began
        if lasted_s >= seconds:
            return self.within(now, seconds) / seconds
        if lasted_s < 1:
            return max(self.total - 1, 0) / max(now - self._began, 1.0)
        return max(self.within(now, seconds) - 1, 0) / lasted_s

    def average_per_s(self, now: float) -> float:
        """Return the rate since the beginning."""
        return self.total / max(now - self._began, 1e-3)

    def _forget(self, second: int) -> None:
        """Clear the seconds that no event fell into."""
        for passed in range(self._second + 1, min(second, self._second + MEMORY_S) + 1):
            self._counts[passed % MEMORY_S] = 0
        self._second = max(second, self._second)

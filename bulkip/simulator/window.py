"""How many calls a strict provider lets through: an exact log of the arrivals in a sliding window."""

from collections import deque
from collections.abc import Iterable, Sequence

from bulkip.model import Rate


class SlidingWindow:
    """Owns the arrival times that one rate still counts; refused calls are not among them."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._arrivals: deque[float] = deque()

    def wait_s(self, now: float) -> float:
        """Return how long until one more call fits; 0 when it fits now.

        The window is (now - period, now]: a call exactly one period old has left it.
        """
        while self._arrivals and self._arrivals[0] <= now - self._rate.period_s:
            self._arrivals.popleft()
        if len(self._arrivals) < self._rate.calls:
            return 0.0
        return self._arrivals[0] + self._rate.period_s - now

    def add(self, now: float) -> None:
        """Count a call that was let through."""
        self._arrivals.append(now)


class SlidingWindows:
    """Owns the windows of all limits that hold at once."""

    def __init__(self, rates: Iterable[Rate]) -> None:
        self._windows = [SlidingWindow(rate) for rate in rates]

    def admit(self, now: float) -> float:
        """Count a call and return 0 when every window has room; else return how long to wait."""
        wait_s = max((window.wait_s(now) for window in self._windows), default=0.0)
        if wait_s <= 0:
            for window in self._windows:
                window.add(now)
        return max(wait_s, 0.0)


def busiest(arrivals: Sequence[float], period_s: float) -> int:
    """Return the largest number of arrivals, given in order, within any (t - period, t]."""
    window: deque[float] = deque()
    most = 0
    for arrival in arrivals:
        window.append(arrival)
        while window[0] <= arrival - period_s:
            window.popleft()
        most = max(most, len(window))
    return most

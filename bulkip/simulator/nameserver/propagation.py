"""Which PTR changes has a name server not heard of yet?"""

import heapq
from collections import deque
from threading import Lock

from bulkip.simulator.state import Effect


class Propagation:
    """Owns the changes on their way to one server; any thread may call any method.

    A change takes the server's own lag, or the time that a fault said, and
    `behind_s` more. What was changed later never arrives earlier at one address.
    """

    def __init__(self, lag_s: float, behind_s: float = 0.0) -> None:
        self._lag_s = lag_s
        self._behind_s = behind_s
        self._lock = Lock()
        self._noted = 0
        self._due: list[tuple[float, int, Effect]] = []
        self._coming: dict[str, deque[tuple[float, Effect]]] = {}
        self._arrived = 0

    def __len__(self) -> int:
        return len(self._due)

    def note(self, effect: Effect) -> None:
        """Send a change on its way, if it changes a PTR."""
        if effect.action != "update_ptr":
            return
        lag_s = self._lag_s if effect.propagation_s is None else effect.propagation_s
        due = effect.at + lag_s + self._behind_s
        with self._lock:
            coming = self._coming.setdefault(effect.ip, deque())
            due = max(due, coming[-1][0]) if coming else due
            self._noted += 1
            coming.append((due, effect))
            heapq.heappush(self._due, (due, self._noted, effect))

    def hear(self, effect: Effect) -> None:
        """Send a change on its way, and let arrive what is due by then, so that nothing piles up."""
        self.note(effect)
        self.arrive(effect.at)

    def arrive(self, now: float) -> list[Effect]:
        """Return the changes that arrive until now, in order; nobody is told of them again."""
        found = []
        with self._lock:
            while self._due and self._due[0][0] <= now:
                effect = heapq.heappop(self._due)[2]
                self._coming[effect.ip].popleft()
                if not self._coming[effect.ip]:
                    del self._coming[effect.ip]
                found.append(effect)
            self._arrived += len(found)
        return found

    def shown(self, ip: str, now: float) -> tuple[str, ...] | None:
        """Return the names that a server still shows; None when it is up to date."""
        self.arrive(now)
        with self._lock:
            coming = self._coming.get(ip)
            return coming[0][1].before if coming else None

    def serial(self, now: float) -> int:
        """Return the serial number of the server's zones: one more with each change that it knows of."""
        self.arrive(now)
        return 1 + self._arrived

    def next_at(self) -> float | None:
        """Return when the next change arrives, None when none is on its way."""
        with self._lock:
            return self._due[0][0] if self._due else None

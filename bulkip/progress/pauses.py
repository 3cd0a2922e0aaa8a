"""How long everyone paused, so that time in which nothing may happen counts for no rate."""


class Pauses:
    """Adds up the pauses of a stage; one that begins within another prolongs it."""

    def __init__(self) -> None:
        """Begin without a pause."""
        self._ended_s = 0.0
        self._began = 0.0
        self._until = 0.0
        self.reason = ""

    def begin(self, now: float, seconds: float, reason: str) -> None:
        """Note a pause of so many seconds from now."""
        if now >= self._until:
            self._ended_s += self._until - self._began
            self._began = now
        if now + seconds >= self._until:
            self._until, self.reason = now + seconds, reason

    def left_s(self, now: float) -> float:
        """Return how long the present pause still lasts; 0 when there is none."""
        return max(0.0, self._until - now)

    def working_time(self, now: float) -> float:
        """Return this time without all the pauses before it: a clock that stands still in a pause."""
        return now - self._ended_s - (min(now, self._until) - self._began)

    def quiet_since(self, moved_at: float) -> float:
        """Return since when nothing moved although it might have."""
        return max(moved_at, self._until)

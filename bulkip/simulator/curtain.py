"""What reads still show: for some time after a write, the value from before it."""

Record = tuple[str, str | int]
"""A value that a write changes: ("ptr", IP), ("main", SERVER) or ("ipmi", SERVER)."""

_FIRST_SWEEP = 1000


class Curtain:
    """Owns the old values that still hide new ones, each until a moment of the simulator's clock."""

    def __init__(self) -> None:
        self._hiding: dict[Record, tuple[float, tuple[str, ...]]] = {}
        self._sweep_at = _FIRST_SWEEP

    def __len__(self) -> int:
        return len(self._hiding)

    def drop(self, record: Record, values: tuple[str, ...], now: float, for_s: float) -> None:
        """Show these values for a record from now on, whatever is written."""
        if len(self._hiding) >= self._sweep_at:
            self._hiding = {key: each for key, each in self._hiding.items() if each[0] > now}
            self._sweep_at = max(_FIRST_SWEEP, 2 * len(self._hiding))
        self._hiding[record] = (now + for_s, values)

    def lift(self, record: Record) -> None:
        """Show a record as it is."""
        self._hiding.pop(record, None)

    def shown(self, record: Record, now: float) -> tuple[str, ...] | None:
        """Return what hides a record now; None when nothing does."""
        if record not in self._hiding:
            return None
        until, values = self._hiding[record]
        return values if now < until else None

"""Who else was at work on this machine meanwhile: figures of a busy one are worth little."""

import os
import resource
import time
from pathlib import Path
from typing import Self

QUIET_CORES = 0.1
"""So much of a core is what a system needs for itself."""


class Company:
    """Adds up what others took of the processors; only what has ended can be told to be ours."""

    def __init__(self, began: float, busy_s: float | None, own_s: float) -> None:
        """Begin with the present counts."""
        self._began = began
        self._busy_s = busy_s
        self._own_s = own_s

    @classmethod
    def now(cls) -> Self:
        """Begin to count."""
        return cls(time.monotonic(), _busy_s(), _own_s())

    def cores(self) -> float | None:
        """Return how many cores others kept busy since then, on the average; None where nobody can say."""
        busy_s = _busy_s()
        if self._busy_s is None or busy_s is None:
            return None
        foreign_s = busy_s - self._busy_s - (_own_s() - self._own_s)
        return max(0.0, foreign_s / max(time.monotonic() - self._began, 1e-9))


def told(cores: float | None) -> str:
    """Say what that means for the figures."""
    if cores is None:
        return "unknown"
    verdict = "quiet" if cores <= QUIET_CORES else "NOT quiet: measure again when it is"
    return f"{cores:.2f} cores on the average; {verdict}"


def _busy_s() -> float | None:
    """Return the seconds that all cores have worked since the start of the system, stolen time included."""
    try:
        first = Path("/proc/stat").read_text(encoding="utf-8").partition("\n")[0]
    except OSError:
        return None
    return worked_s(first, os.sysconf("SC_CLK_TCK"))


def worked_s(line: str, ticks_per_s: int) -> float:
    """Return the seconds of work in the first line of /proc/stat: all but idle and waiting for disks."""
    user, nice, system, _idle, _waiting, *interrupts_and_stolen = map(int, line.split()[1:9])
    return (user + nice + system + sum(interrupts_and_stolen)) / ticks_per_s


def _own_s() -> float:
    """Return the seconds that we and all that we have waited for took."""
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)

"""What processes that go on have taken of the processors so far, with all that they started."""

from collections.abc import Iterable

import psutil  # type: ignore[import-untyped] # it comes with the wheel of PostgreSQL


def cpu_s(numbers: Iterable[int]) -> float:
    """Return the CPU seconds of some processes, of those that they started, and of those that have ended."""
    return sum(_whole_s(psutil.Process(number)) for number in numbers)


def _whole_s(process: psutil.Process) -> float:
    times = process.cpu_times()
    ended_s = times.children_user + times.children_system
    running = process.children(recursive=True)
    return float(times.user + times.system + ended_s + sum(map(_own_s, running)))


def _own_s(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:  # it has ended meanwhile
        return 0.0
    return float(times.user + times.system)

"""When things happen."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Clocks:
    """The simulator's two clocks: monotonic seconds, and Unix seconds for people."""

    monotonic: Callable[[], float]
    wall: Callable[[], float]

"""At which moments a run is killed: while it plans, reads, asks, applies and reports."""

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from time import monotonic

from tests.chaos.forked import Program
from tests.chaos.witness import LogTail

STAGES = ("planning", "reading", "asking", "applying", "reporting")
LONGEST_PLANNING_S = 0.15
LONGEST_REPORTING_S = 0.02
LOOK_EVERY_S = 0.0005
QUESTION = "go on? [y/N]"


@dataclass(frozen=True, slots=True)
class Sight:
    """What shows how far a run has come: the server's log, what it says, and whether a report is there."""

    log: LogTail
    said: Callable[[], str]
    reported: Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Moment:
    """A moment in the life of a run: a stage, so many of its calls, and so many seconds more."""

    stage: str
    calls: int = 0
    seconds: float = 0.0

    def __str__(self) -> str:
        calls = f" after {self.calls} calls" if self.calls else ""
        return f"{self.stage}{calls} + {self.seconds * 1000:.1f} ms"

    def reached(self, sight: Sight) -> Callable[[], bool]:
        """Return what tells when a run has come to it; the calls count from now."""
        match self.stage:
            case "reading" | "applying":
                action = "get_ptr" if self.stage == "reading" else "update_ptr"
                wanted = sight.log.seen(action) + self.calls
                return lambda: sight.log.seen(action) >= wanted
            case "asking":
                return lambda: QUESTION in sight.said()
            case "reporting":
                return sight.reported
            case _:
                return lambda: True


def drawn(rng: Random, items: int) -> list[Moment]:
    """Return the moments at which one run is killed, in the order of its stages."""
    stages = sorted(rng.choices(STAGES, weights=(2, 3, 1, 6, 2), k=rng.randint(3, 6)), key=STAGES.index)
    return [_moment(stage, rng, items) for stage in stages]


def _moment(stage: str, rng: Random, items: int) -> Moment:
    match stage:
        case "planning":
            return Moment(stage, seconds=rng.uniform(0, LONGEST_PLANNING_S))
        case "reading" | "applying":
            return Moment(stage, rng.randint(1, max(2, items // 2)), rng.choice((0.0, rng.uniform(0, 0.01))))
        case "reporting":
            return Moment(stage, seconds=rng.uniform(0, LONGEST_REPORTING_S))
        case _:
            return Moment(stage)


def kill_at(program: Program, moment: Moment, sight: Sight) -> bool:
    """Kill a program at a moment, and say whether it was still there to be killed."""
    reached = moment.reached(sight)
    while not reached():
        if not program.alive(LOOK_EVERY_S):
            return False
    return _killed_after(program, moment.seconds)


def _killed_after(program: Program, seconds: float) -> bool:
    due = monotonic() + seconds
    while (left := due - monotonic()) > 0:
        if not program.alive(left):
            return False
    program.kill()
    return True

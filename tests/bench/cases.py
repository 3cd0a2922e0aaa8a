"""At which rates, and through which disturbances, the rate of bulkip is watched."""

from dataclasses import dataclass, replace
from typing import Any

from tests.bench.accounts import Terms
from tests.bench.arrivals import Window, ideal_s
from tests.bench.jobs import READ, WRITE

FAULTS = 0.05
STALL_S = 1.5
PAUSE_S = 5
RETRY_AFTER_S = 3
QUICKLY = 10


@dataclass(frozen=True, slots=True)
class Case:
    """A run whose calls are watched: how fast it may be, and what happens on the way.

    `calls` are those without repeats; `naive` is a script behind a limiter
    that is used as its own page shows it.
    """

    windows: tuple[Window, ...]
    places: int
    calls: int
    action: str = WRITE
    faults: float = FAULTS
    strict: bool = False
    stalls: bool = False
    pauses: bool = False
    retry_after: bool = False
    naive: bool = False

    @property
    def title(self) -> str:
        """What is said of the case in the table."""
        rate = " and ".join(map(str, self.windows))
        words = {
            "aiolimiter used naively": self.naive,
            "strict server": self.strict,
            f"loop stalled for {STALL_S} s": self.stalls,
            f"pause of {PAUSE_S} s": self.pauses,
            f"Retry-After: {RETRY_AFTER_S}": self.retry_after,
            f"{self.faults:.0%} faults": self.faults > 0,
        }
        return ", ".join([rate, *(word for word, applies in words.items() if applies)])

    @property
    def items(self) -> int:
        """How many items make so many calls; a write takes two, as its value is read before."""
        return self.calls // 2 if self.action == WRITE else self.calls

    @property
    def idle_s(self) -> float:
        """The seconds in which nothing could be sent, by intention."""
        return STALL_S * self.stalls + PAUSE_S * self.pauses + RETRY_AFTER_S * self.retry_after

    @property
    def stall_after_s(self) -> float:
        """How long after the first call the loop stalls: in the middle of the writes."""
        return ideal_s(self.windows, self.calls) * 0.7

    @property
    def terms(self) -> Terms:
        """How the server treats this run."""
        return Terms(
            faults=self.faults,
            limit=self.windows[0].calls if self.strict else 0,
            pause_at=self.calls * 7 // 10 if self.retry_after else 0,
            pause_s=RETRY_AFTER_S,
        )

    def limits(self) -> dict[str, Any]:
        """Return the limits of the job; the headroom is the default one."""
        rates = [f"{one.calls}/{one.period_s:g}s" for one in self.windows]
        return {"rate": rates, "concurrency": self.places, "adaptive": not self.retry_after}

    def more(self) -> dict[str, Any]:
        """Return the further settings of the job."""
        rollout = {"steps": ["50%", "100%"], "pause": f"{PAUSE_S}s"}
        return {"verify": {"settle": "1s"}} | ({"rollout": rollout} if self.pauses else {})


def phases(*, quick: bool) -> list[list[Case]]:
    """Return the cases in groups that run at the same time: slow ones take no CPU, fast ones run alone."""
    found = [_slow(), _middling(), *([case] for case in _fast())]
    if not quick:
        return found
    return [[replace(case, calls=max(4, case.calls // QUICKLY)) for case in phase] for phase in found]


def _slow() -> list[Case]:
    one, five, fifty = (Window(1),), (Window(5),), (Window(50),)
    return [
        Case((Window(10), Window(300, 60.0)), 4, 400, action=READ),
        Case(one, 1, 56),
        Case(one, 500, 56),
        Case(five, 1, 280),
        Case(five, 500, 280),
        Case(fifty, 1, 2_000),
        Case(fifty, 500, 2_000),
        Case(fifty, 8, 1_000, faults=0, pauses=True),
        Case(fifty, 8, 1_000, faults=0, retry_after=True),
        Case(fifty, 8, 1_500, faults=0, strict=True),
        Case(fifty, 8, 1_000, faults=0, stalls=True),
    ]


def _middling() -> list[Case]:
    rate = (Window(200),)
    return [
        Case(rate, 1, 3_000),
        Case(rate, 500, 3_000),
        Case(rate, 50, 3_000, faults=0, strict=True),
        Case(rate, 1, 1_000, action=READ, faults=0, naive=True),
        Case(rate, 50, 3_000, faults=0, stalls=True),
    ]


def _fast() -> list[Case]:
    rate = (Window(1000),)
    return [
        Case(rate, 50, 12_000),
        Case(rate, 500, 12_000),
        Case(rate, 50, 12_000, faults=0, strict=True),
        Case(rate, 50, 12_000, faults=0, stalls=True),
    ]

"""What has happened in the present stage, and what that means for the rest of it."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import tzinfo
from threading import Lock

from bulkip.events import (
    CallSent,
    CrewMoved,
    Event,
    ItemParked,
    ItemProved,
    ItemSettled,
    NameTraced,
    RateSet,
    ServerFound,
    StageStarted,
    Stopping,
    ValueRead,
    Waiting,
)
from bulkip.model import Rate, Status
from bulkip.progress.meter import LONGEST_S, Meter
from bulkip.progress.pauses import Pauses

NOW_S = 10
"""So many seconds count as now."""
ENOUGH = 10
"""So many items within the meter's memory tell more about the rest than the whole stage does."""
FIRST_S = 2.0
"""So much of a stage must have passed before its rest is estimated."""


@dataclass(frozen=True, slots=True)
class Clocks:
    """Where a view has its times from; without a zone they are told in local time."""

    steady: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    zone: tzinfo | None = None


@dataclass(frozen=True, slots=True)
class Pause:
    """Everyone waits, and why; of several accounts only the one that is named."""

    reason: str
    left_s: float
    account: str = ""


@dataclass(frozen=True, slots=True)
class Parked:
    """How many items wait for their next call, by reason, and how soon the first of them goes on."""

    by_reason: Mapping[str, int]
    next_s: float
    last_s: float


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a stage has come at one moment; rates count calls where calls are told, else items.

    Several accounts have a limit each in `limits`, and pauses that are theirs in `pauses`.
    """

    stage: str
    total: int
    done: int
    statuses: tuple[tuple[str, int], ...]
    rate_per_s: float
    average_per_s: float
    limit: RateSet | None
    lasted_s: float
    left_s: float | None
    pause: Pause | None
    parked: Parked | None
    quiet_s: float
    stopping: str | None
    limits: tuple[RateSet, ...] = ()
    pauses: tuple[Pause, ...] = ()

    @property
    def rates(self) -> tuple[Rate, ...]:
        """All rates that hold, those of several accounts together."""
        known = (self.limit, *self.limits) if self.limit else self.limits
        return tuple(rate for limit in known for rate in limit.rates)


class Tracker:
    """Counts what happens; one thread may count while another looks."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Time everything by this clock, in seconds."""
        self._clock = clock
        self._lock = Lock()
        self._limits: dict[str, RateSet] = {}
        self._stopping: str | None = None
        self._begin(StageStarted("", 0))

    def _begin(self, event: StageStarted) -> None:
        self._began = self._moved_at = self._clock()
        self._stage, self._total, self._done = event.stage, event.total, event.done
        self._reading = event.stage == "reading"
        self._statuses = dict.fromkeys(Status, 0)
        self._sent = 0  # calls of the workers of a cluster, as far as they are counted
        self._parked: dict[int, tuple[float, str]] = {}
        self._pauses = Pauses()
        self._own_pauses: dict[str, tuple[float, str]] = {}
        self._items, self._calls = Meter(self._began), Meter(self._began)

    def count(self, event: Event) -> None:
        """Take an event into the counts."""
        with self._lock:
            match event:
                case ItemSettled():
                    self._settled(event)
                case ValueRead() | ServerFound() | NameTraced() | ItemProved():
                    self._finish(event.item.number)
                case CallSent():
                    self._moved_at = now = self._clock()
                    self._calls.add(self._pauses.working_time(now))
                case CrewMoved():
                    self._crew_moved(event)
                case ItemParked(item, reason, seconds):
                    self._moved_at = now = self._clock()
                    self._parked[item.number] = (now + seconds, reason)
                case Waiting():
                    self._pause(event)
                case StageStarted():
                    self._begin(event)
                case RateSet():
                    self._limits[event.account] = event
                case Stopping(reason, ""):
                    self._stopping = reason
                case _:
                    pass

    def _pause(self, event: Waiting) -> None:
        """Note a pause; that of one of several accounts stops no clock."""
        now = self._clock()
        if event.account:
            self._own_pauses[event.account] = (now + event.seconds, event.reason)
        else:
            self._pauses.begin(now, event.seconds, event.reason)

    def _settled(self, event: ItemSettled) -> None:
        """Count a result; while reading, an item that is as wanted already has its value told as well."""
        status = event.result.status
        self._statuses[status] += 1
        if not (self._reading and status is Status.UNCHANGED):
            self._finish(event.item.number)

    def _crew_moved(self, event: CrewMoved) -> None:
        """Take in what all workers together have come to; what has moved since counts as of now."""
        now = self._clock()
        working = self._pauses.working_time(now)
        for meter, more in ((self._items, event.done - self._done), (self._calls, event.calls - self._sent)):
            for _ in range(more):
                meter.add(working)
        if (event.done, event.calls) != (self._done, self._sent):
            self._moved_at = now
        self._done, self._sent = event.done, event.calls
        self._statuses |= {Status(status): count for status, count in event.statuses.items()}

    def _finish(self, number: int) -> None:
        self._done += 1
        self._moved_at = now = self._clock()
        self._items.add(self._pauses.working_time(now))
        if self._parked:
            self._parked.pop(number, None)

    def standing(self) -> Standing:
        """Return how far the stage has come by now."""
        with self._lock:
            now = self._clock()
            working = self._pauses.working_time(now)
            meter = self._calls if self._calls.total else self._items
            parked, pause_s = self._still_parked(now), self._pauses.left_s(now)
            return Standing(
                stage=self._stage,
                total=self._total,
                done=self._done,
                statuses=self._told_statuses(),
                rate_per_s=meter.per_s(working, NOW_S),
                average_per_s=meter.average_per_s(now),
                limit=self._limits.get(""),
                lasted_s=now - self._began,
                left_s=self._left_s(working, pause_s, parked),
                pause=Pause(self._pauses.reason, pause_s) if pause_s > 0 else None,
                parked=parked,
                quiet_s=max(0.0, now - self._pauses.quiet_since(self._moved_at)),
                stopping=self._stopping,
                limits=tuple(limit for account, limit in self._limits.items() if account),
                pauses=tuple(self._account_pauses(now)),
            )

    def _account_pauses(self, now: float) -> Iterator[Pause]:
        for account, (until, reason) in self._own_pauses.items():
            if until > now:
                yield Pause(reason, until - now, account)

    def _told_statuses(self) -> tuple[tuple[str, int], ...]:
        found = [(status.value, count) for status, count in self._statuses.items() if count]
        return tuple(sorted(found, key=lambda one: -one[1]))

    def _still_parked(self, now: float) -> Parked | None:
        waiting = [(due, reason) for due, reason in self._parked.values() if due > now]
        if not waiting:
            return None
        by_reason: dict[str, int] = {}
        for _, reason in waiting:
            by_reason[reason] = by_reason.get(reason, 0) + 1
        return Parked(by_reason, min(waiting)[0] - now, max(waiting)[0] - now)

    def _left_s(self, working: float, pause_s: float, parked: Parked | None) -> float | None:
        """Return how long the rest takes at the present speed, after the pause; None while nobody knows."""
        rest, items = self._total - self._done, self._items
        if self._stopping or rest <= 0 or not items.total or working - self._began < FIRST_S:
            return None
        recent = items.within(working, LONGEST_S) >= ENOUGH
        per_s = items.per_s(working, LONGEST_S) if recent else items.average_per_s(working)
        return max(rest / per_s + pause_s, parked.last_s if parked else 0.0)

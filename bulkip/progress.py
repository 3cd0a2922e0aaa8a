"""What a user sees while a run goes on: a live line on a terminal, a line now and then elsewhere."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from bulkip.events import Event, ItemSettled, StageEnded, StageStarted, Stopping, ValueRead, Waiting
from bulkip.model import Status
from bulkip.quantities import counted

TITLES = {"reading": "reading current values", "applying": "applying"}
STOPPING = "stopping: {reason}; waiting for the calls in flight"
LINE_EVERY_S = 30.0
DRAW_EVERY_S = 0.1


class ProgressView(Protocol):
    """Whoever shows the progress of a run; a context manager around each stage's events."""

    def notice(self, event: Event) -> None:
        """Take note of an event; must return at once."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


@dataclass(slots=True)
class Tracker:
    """Counts what happened in the present stage."""

    clock: Callable[[], float]
    stage: str = ""
    total: int = 0
    done: int = 0
    done_before: int = 0
    began: float = 0.0
    statuses: Counter[str] = field(default_factory=Counter)
    waiting: Waiting | None = None
    waits_until: float = 0.0

    def count(self, event: Event) -> None:
        """Take an event into the counts."""
        match event:
            case StageStarted(stage, total, done):
                self.stage, self.total, self.done, self.began = stage, total, done, self.clock()
                self.done_before = done
                self.statuses = Counter()
            case ItemSettled(_, result):
                self.statuses[result.status.value] += 1
                self.done += self.stage == "applying" or result.status is Status.FAILED  # unreadable
            case ValueRead():
                self.done += 1
            case Waiting(_, seconds):
                self.waiting, self.waits_until = event, self.clock() + seconds
            case _:
                pass

    def rate_per_s(self) -> float:
        """Return how many items a second this stage has done so far."""
        return (self.done - self.done_before) / max(self.clock() - self.began, 1e-3)

    def told(self) -> str:
        """Return the counts and, while everyone pauses, why and for how long still."""
        parts = [f"{count:,} {status}" for status, count in self.statuses.most_common()]
        left_s = self.waits_until - self.clock()
        if self.waiting is not None and left_s > 0:
            parts.append(f"paused {left_s:.0f} s: {self.waiting.reason}")
        return ", ".join(parts)


class Silent:
    """Shows nothing."""

    def notice(self, event: Event) -> None:
        """Let it pass."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        return None


class Plain(Silent):
    """Writes a line when a stage begins, every 30 s, and when something happens that a log should keep."""

    def __init__(self, write: Callable[[str], None], clock: Callable[[], float] = time.monotonic) -> None:
        """Write lines, timed by this clock."""
        self._write = write
        self._clock = clock
        self._tracker = Tracker(clock)
        self._next = 0.0

    def notice(self, event: Event) -> None:
        """Count, and write a line when it is time."""
        self._tracker.count(event)
        match event:
            case StageStarted(stage, total):
                self._write(f"{TITLES.get(stage, stage)}: {counted(total, 'item')}")
                self._next = self._clock() + LINE_EVERY_S
            case Stopping(reason):
                self._write(STOPPING.format(reason=reason))
            case StageEnded():
                self._line()
            case _ if self._clock() >= self._next:
                self._line()

    def _line(self) -> None:
        tracker = self._tracker
        self._next = self._clock() + LINE_EVERY_S
        told = f", {tracker.told()}" if tracker.told() else ""
        rate = f"{tracker.rate_per_s():.1f}/s"
        title = TITLES.get(tracker.stage, tracker.stage)
        self._write(f"{title}: {tracker.done:,} of {tracker.total:,}, {rate}{told}")


class Live(Silent):
    """Draws one line on a terminal: bar, done of total, rate, time left, counts, and why it waits."""

    def __init__(self, console: Console, clock: Callable[[], float] = time.monotonic) -> None:
        """Draw on this console."""
        self._clock = clock
        self._tracker = Tracker(clock)
        self._drawn_at = 0.0
        self._row: TaskID | None = None
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[told]}"),
            console=console,
            transient=True,
        )

    def notice(self, event: Event) -> None:
        """Count, and draw when the last drawing is old enough."""
        self._tracker.count(event)
        match event:
            case StageStarted(stage, total, done):
                self._begin(TITLES.get(stage, stage), total, done)
            case StageEnded():
                self._progress.stop()
            case Stopping(reason):
                self._progress.console.print(STOPPING.format(reason=reason), markup=False, highlight=False)
            case _ if self._clock() - self._drawn_at >= DRAW_EVERY_S:
                self._draw()

    def _begin(self, title: str, total: int, done: int) -> None:
        if self._row is not None:
            self._progress.remove_task(self._row)
        self._row = self._progress.add_task(title, total=total, completed=done, rate="", told="")
        self._progress.start()

    def _draw(self) -> None:
        self._drawn_at = self._clock()
        if self._row is not None:
            tracker = self._tracker
            rate = f"{tracker.rate_per_s():.1f}/s"
            self._progress.update(self._row, completed=tracker.done, rate=rate, told=tracker.told())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()


def progress_view(kind: str, write: Callable[[str], None], *, colour: bool) -> ProgressView:
    """Return the view for `auto`, `tty`, `plain` or `none`; `auto` looks at stderr."""
    no_color = None if colour else True  # None lets rich look at NO_COLOR
    console = Console(stderr=True, no_color=no_color, force_terminal=True if kind == "tty" else None)
    if kind == "none":
        return Silent()
    if kind == "tty" or (kind == "auto" and console.is_terminal and not console.is_dumb_terminal):
        return Live(console)
    return Plain(write)

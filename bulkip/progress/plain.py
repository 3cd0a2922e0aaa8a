"""What a log shows of a run: few lines, each with its time, readable one by one."""

from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self

from bulkip.events import Event, StageEnded, StageStarted, Stopping
from bulkip.progress.figures import stamp
from bulkip.progress.heartbeat import Heartbeat
from bulkip.progress.lines import beginning, ending, log_line, stopping, wrapped
from bulkip.progress.tracker import Clocks, Tracker

LINE_EVERY_S = 30.0
LOOK_EVERY_S = 0.5
HANG = 20  # below the text, beside the time


class Plain:
    """Writes a line when a stage begins or ends, when the run stops, and every 30 seconds in between."""

    def __init__(
        self, write: Callable[[str], None], clocks: Clocks | None = None, width: int | None = None
    ) -> None:
        """Write lines, wrapped at `width` if there is one."""
        self._write = write
        self._clocks = clocks or Clocks()
        self._width = width
        self._tracker = Tracker(self._clocks.steady)
        self._heart = Heartbeat(self.beat, LOOK_EVERY_S)
        self._due: float | None = None

    def __enter__(self) -> Self:
        self._heart.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._heart.stop()

    def notice(self, event: Event) -> None:
        """Count, and write what a log should keep."""
        self._tracker.count(event)
        match event:
            case StageStarted(stage, total):
                self._tell(beginning(stage, total))
                self._due = self._clocks.steady() + LINE_EVERY_S
            case Stopping():
                self._tell(stopping(event))
            case StageEnded():
                self._due = None
                self._tell(ending(self._tracker.standing()))
            case _:
                pass

    def beat(self) -> None:
        """Write how far the stage is when the last line is old enough."""
        if self._due is not None and self._clocks.steady() >= self._due:
            self._due = self._clocks.steady() + LINE_EVERY_S
            self._tell(log_line(self._tracker.standing(), self._clocks.wall(), self._clocks.zone))

    def _tell(self, text: str) -> None:
        """Write a line; a log that takes no more of them is no reason to stop."""
        line = f"{stamp(self._clocks.wall(), self._clocks.zone)} {text}"
        with suppress(OSError, ValueError):
            self._write("\n".join(wrapped(line, self._width, HANG)))

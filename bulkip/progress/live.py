"""What a terminal shows of a run: a few lines that are drawn anew while it goes on."""

from collections.abc import Mapping
from contextlib import suppress
from types import MappingProxyType, TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live as Drawing
from rich.text import Text

from bulkip.events import Event, StageEnded, StageStarted, Stopping
from bulkip.model import Status
from bulkip.progress.heartbeat import Heartbeat
from bulkip.progress.lines import ending, screen_lines, stopping
from bulkip.progress.tracker import Clocks, Tracker

DRAW_EVERY_S = 0.2
WAITS = "yellow"
STYLES: Mapping[str, str] = MappingProxyType(
    {rf"\d\S* {status}\b": "bold red" for status in (Status.FAILED, Status.UNKNOWN, Status.CONFLICT)}
    | {rf"^{word} .*": WAITS for word in ("account", "paused", "waiting", "stopping:")}
    | {r"^\w[\w ]+?(?=  )": "bold"}
)


class Screen(Console):
    """A terminal that may go away in mid-run without taking anything else with it."""

    def on_broken_pipe(self) -> None:
        """Write no more; the run goes on, and its stdout stays what it is."""
        self.quiet = True


class Live:
    """Draws the present stage at most five times a second, and keeps a line of each stage that ended."""

    def __init__(self, console: Console, clocks: Clocks | None = None) -> None:
        """Draw on this console."""
        self._console = console
        self._clocks = clocks or Clocks()
        self._tracker = Tracker(self._clocks.steady)
        self._heart = Heartbeat(self.beat, DRAW_EVERY_S)
        self._drawing: Drawing | None = None

    def __enter__(self) -> Self:
        self._heart.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._heart.stop()
        self._wipe()

    def notice(self, event: Event) -> None:
        """Count; drawing is left to the heartbeat."""
        self._tracker.count(event)
        match event:
            case StageStarted():
                self._begin()
            case Stopping():
                self._keep(stopping(event))
            case StageEnded():
                self._wipe()
                self._keep(ending(self._tracker.standing()))
            case _:
                pass

    def beat(self) -> None:
        """Draw the stage as it is now."""
        drawing = self._drawing
        if drawing is not None:
            with suppress(OSError, ValueError):
                drawing.refresh()

    def _begin(self) -> None:
        """Start to draw; the cursor stays to be seen, so that whatever ends us leaves a whole terminal."""
        self._wipe()
        self._drawing = Drawing(
            console=self._console,
            get_renderable=self._picture,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            vertical_overflow="crop",
        )
        with suppress(OSError, ValueError):
            self._drawing.start()
            self._console.show_cursor()

    def _wipe(self) -> None:
        drawing, self._drawing = self._drawing, None
        if drawing is not None:
            with suppress(OSError, ValueError):
                drawing.stop()

    def _keep(self, line: str) -> None:
        """Write a line that stays, above what is drawn."""
        with suppress(OSError, ValueError):
            self._console.print(Text(line))

    def _picture(self) -> Text:
        clocks, width = self._clocks, self._console.width
        lines = screen_lines(self._tracker.standing(), clocks.wall(), clocks.zone, width)
        return Text("\n").join(map(_coloured, lines))


def _coloured(line: str) -> Text:
    text = Text(line, no_wrap=True, overflow="crop")
    for pattern, style in STYLES.items():
        text.highlight_regex(pattern, style)
    return text

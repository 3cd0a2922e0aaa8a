"""Which view of a run is shown, and what every view can do."""

import os
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

from bulkip.events import Event
from bulkip.progress.plain import Plain
from bulkip.progress.terminal import colours_wanted, in_pipeline, line_width, on_terminal

DUMB = frozenset({"dumb", "unknown"})


class ProgressView(Protocol):
    """Whoever shows the progress of a run; a context manager around its events."""

    def notice(self, event: Event) -> None:
        """Take note of an event; must return at once."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


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


def progress_view(kind: str, write: Callable[[str], None], *, colour: bool) -> ProgressView:
    """Return the view for `auto`, `tty`, `plain` or `none`.

    `auto` draws where stderr is a terminal, but not in a pipeline, whose
    terminal is a log. A terminal that cannot move its cursor gets plain lines.
    """
    if kind == "none":
        return Silent()
    dumb = os.environ.get("TERM", "").lower() in DUMB
    if not dumb and (kind == "tty" or (kind == "auto" and on_terminal() and not in_pipeline())):
        from bulkip.progress.live import Live, Screen  # noqa: PLC0415 -- who draws nothing need not wait for it

        no_color = not (colour and colours_wanted())
        return Live(Screen(stderr=True, no_color=no_color, force_terminal=True))
    return Plain(write, width=line_width())

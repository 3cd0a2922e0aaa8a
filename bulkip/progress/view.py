"""Which view of a run is shown, and what every view can do."""

import os
import sys
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

from bulkip.events import Event
from bulkip.progress.live import Live, Screen
from bulkip.progress.plain import Plain

DUMB = frozenset({"dumb", "unknown"})
NARROWEST, USUAL = 20, 80


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

    `auto` draws where stderr is a terminal, whatever says otherwise in the
    environment. A terminal that cannot move its cursor gets plain lines.
    """
    if kind == "none":
        return Silent()
    dumb = os.environ.get("TERM", "").lower() in DUMB
    if not dumb and (kind == "tty" or (kind == "auto" and on_terminal())):
        no_color = None if colour else True  # None lets rich look at NO_COLOR
        return Live(Screen(stderr=True, no_color=no_color, force_terminal=True))
    return Plain(write, width=line_width())


def on_terminal() -> bool:
    """Tell whether stderr is a terminal."""
    return sys.stderr is not None and not sys.stderr.closed and sys.stderr.isatty()


def line_width() -> int | None:
    """Return how wide lines on stderr may be; None where no terminal would break them."""
    if not on_terminal():
        return None
    try:
        columns = os.get_terminal_size(sys.stderr.fileno()).columns
    except (OSError, ValueError):
        columns = 0
    return max(columns, NARROWEST) if columns else USUAL

"""What bulkip needs of its standard streams, whatever the caller made of them."""

import os
import sys
from contextlib import suppress
from io import TextIOWrapper


def fill_closed() -> None:
    """Let closed standard streams lead nowhere: no file or socket of a run may get their numbers.

    A closed stdin is at its end, a closed stderr takes everything; `sys.stdout`
    stays None, so that a report which should go there is refused in time.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number, which is this one
    if sys.stdin is None:
        sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115 -- lives as long as the program
    if sys.stderr is None:
        sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 -- as stdin


def take_any_text() -> None:
    """Let stdout and stderr take every character: one that their encoding lacks is written as an escape."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            with suppress(OSError):  # a caller may have put something else behind the stream
                stream.reconfigure(errors="backslashreplace")

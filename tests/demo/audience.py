"""Who watches the demo: every line has a name in front, whoever said it."""

import sys
from contextlib import suppress
from threading import Lock

NAME_WIDTH = 11


class Audience:
    """Owns stdout; several threads may tell at the same time."""

    def __init__(self) -> None:
        self._lock = Lock()

    def tell(self, name: str, text: str) -> None:
        """Write what somebody says, line by line; an audience that has left is no reason to stop."""
        lines = [f"{name:<{NAME_WIDTH}}| {line}".rstrip() for line in text.splitlines()]
        with self._lock, suppress(OSError, ValueError):
            sys.stdout.write("".join(f"{line}\n" for line in lines))
            sys.stdout.flush()

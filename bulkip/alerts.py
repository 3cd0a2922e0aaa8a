"""Who hears of a run: what is called when it begins and when it has ended, and which notices go out."""

from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import TypeAlias

from bulkip.policy import SecretRef

URL_TIMEOUT_S, COMMAND_TIMEOUT_S = 10.0, 30.0


class Moment(StrEnum):
    """When somebody is told; `success` is exit code 0, `failure` any other, `always` comes after either."""

    START = "start"
    SUCCESS = "success"
    FAILURE = "failure"
    ALWAYS = "always"


@dataclass(frozen=True, slots=True)
class WrittenUrl:
    """A URL that stands in the job file itself, and is kept nowhere else; `origin` may be shown.

    Empty when only the run store is at hand: whoever wants it looks into the job file.
    """

    url: str = field(repr=False)
    origin: str

    def __str__(self) -> str:
        return self.origin


Target: TypeAlias = SecretRef | WrittenUrl | tuple[str, ...]
"""What a hook calls: a URL that is kept somewhere or stands in the job file, or a command."""


@dataclass(frozen=True, slots=True)
class Hook:
    """One thing to call; one that is `required` and fails is told by the exit code."""

    target: Target
    timeout_s: float
    required: bool = False

    def __str__(self) -> str:
        return self.target[0] if isinstance(self.target, tuple) else str(self.target)


@dataclass(frozen=True, slots=True)
class Hooks:
    """What is called at each moment, in order."""

    start: tuple[Hook, ...] = ()
    success: tuple[Hook, ...] = ()
    failure: tuple[Hook, ...] = ()
    always: tuple[Hook, ...] = ()

    def at(self, moment: Moment) -> tuple[Hook, ...]:
        """Return what is called at a moment."""
        found: tuple[Hook, ...] = getattr(self, moment.value)
        return found

    def all(self) -> Iterator[Hook]:
        """Yield every hook."""
        for one in fields(self):
            yield from getattr(self, one.name)


@dataclass(frozen=True, slots=True)
class Notice:
    """Where a message goes at some moments; the address is kept as a secret."""

    url: SecretRef
    on: tuple[Moment, ...] = (Moment.FAILURE,)

    def __str__(self) -> str:
        return f"{self.url} ({', '.join(self.on)})"

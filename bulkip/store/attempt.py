"""One call as the store keeps it: what is known before it is made, and how it ended."""

from dataclasses import dataclass, field

from bulkip.frozen import Struct
from bulkip.model import ErrorClass, Item, Purpose


@dataclass(frozen=True, slots=True)
class Attempt:
    """One call about to be made; `item` 0 stands for the run itself (a probe, a login).

    `wanted` and `seen` are the PTR names a write wants and those last seen
    there; `about` is the item itself, for whoever cannot ask the store.
    """

    item: int
    number: int
    start: int
    purpose: Purpose
    wanted: tuple[str, ...] | None = None
    seen: tuple[str, ...] | None = None
    about: Item | None = field(default=None, compare=False, repr=False)


class Outcome(Struct, frozen=True):
    """How a call ended; times are Unix seconds."""

    sent_at: float
    finished_at: float
    outcome: str
    error_class: ErrorClass | None
    http_status: int | None
    message: str | None
    in_doubt: bool

"""How the page shows a status: a sign besides the colour, because not everybody sees colours alike."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from bulkip.model import Status


@dataclass(frozen=True, slots=True)
class Mark:
    """The sign of a status and what it means; `tone` names its colour."""

    sign: str
    tone: str
    meaning: str


MARKS: Mapping[Status, Mark] = MappingProxyType(
    {
        Status.CHANGED: Mark("✓", "good", "written, and accepted or seen"),
        Status.UNCHANGED: Mark("=", "same", "as wanted already; nothing was sent"),
        Status.OK: Mark("✓", "good", "read, and answered"),
        Status.MATCH: Mark("✓", "good", "checked: it is as the job says"),
        Status.MISMATCH: Mark("≠", "bad", "checked: it is not as the job says"),
        Status.UNVERIFIED: Mark("~", "warn", "written, but the required proof is missing"),
        Status.FAILED: Mark("✕", "bad", "refused, or not answered"),
        Status.UNKNOWN: Mark("?", "doubt", "a write that may have happened: look at it"),
        Status.CONFLICT: Mark("!", "warn", "the value had moved, and was not overwritten"),
        Status.SKIPPED: Mark("»", "idle", "left out, with the reason"),
        Status.NOT_RUN: Mark("○", "idle", "the run stopped first"),
    }
)
FINE = frozenset({Status.CHANGED, Status.UNCHANGED, Status.OK, Status.MATCH, Status.SKIPPED})
"""Nobody needs to look at these."""

"""How much may go wrong before a command fails: what `--fail-on` says."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from fractions import Fraction
from types import MappingProxyType

from bulkip.characters import quoted
from bulkip.model import Counts, Status
from bulkip.policy import Percent, Share
from bulkip.quantities import parse_share

FAIL_ON = "fail_on"
"""The fact that a run keeps about its end: beyond what its command was to fail; null is the default."""
FAILING: Mapping[str, Status] = MappingProxyType(
    {
        status.value: status
        for status in (Status.FAILED, Status.CONFLICT, Status.UNVERIFIED, Status.UNKNOWN, Status.MISMATCH)
    }
)
"""The statuses for which a command fails, unless it is told otherwise."""
_TERM = re.compile(r"([A-Za-z_]+)(?:>([0-9.]+%?))?")


@dataclass(frozen=True, slots=True)
class Term:
    """A status, and how many items may stand at it: so many, or so many of each hundred."""

    status: Status
    most: Share = 0

    def __str__(self) -> str:
        return self.status.value if self.most == 0 else f"{self.status.value}>{self.most}"

    def is_exceeded(self, counts: Counts) -> bool:
        """Say whether more items stand there; a percentage is of all items but the skipped."""
        found = counts.of(self.status)
        if isinstance(self.most, Percent):
            whole = counts.total - counts.of(Status.SKIPPED)
            return found * 100 > Fraction(str(self.most.value)) * whole
        return found > self.most


@dataclass(frozen=True, slots=True)
class Tolerance:
    """For which statuses a command fails, and beyond how many; a status without a term is tolerated."""

    terms: tuple[Term, ...]

    def __str__(self) -> str:
        return ",".join(map(str, self.terms))

    def names(self, status: Status) -> bool:
        """Say whether there is a term for a status."""
        return any(term.status is status for term in self.terms)

    def judged(self, counts: Counts) -> Counts:
        """Return the counts without what is tolerated: what the exit code is derived from."""
        held = {term.status for term in self.terms if term.is_exceeded(counts)}
        tolerable = set(FAILING.values()) - held
        return Counts({status: n for status, n in counts.by_status.items() if status not in tolerable})

    def tolerated(self, counts: Counts) -> Iterator[tuple[int, Status, Term | None]]:
        """Yield what is tolerated: how many items, their status, and the term that allows it, if any."""
        terms = {term.status: term for term in self.terms}
        kept = self.judged(counts)
        for status in FAILING.values():
            if counts.of(status) and not kept.of(status):
                yield counts.of(status), status, terms.get(status)


def judged(counts: Counts, tolerance: Tolerance | None) -> Counts:
    """Return the counts that decide about the exit code; without a tolerance all of them do."""
    return counts if tolerance is None else tolerance.judged(counts)


def parse_tolerance(text: str) -> Tolerance:
    """Read `failed>1%,unknown,mismatch`; raises ValueError with the way out."""
    terms = [_term(word.strip()) for word in text.split(",")]
    for place, term in enumerate(terms):
        if any(term.status is one.status for one in terms[:place]):
            raise ValueError(f"`{term.status}` stands there twice; keep one of them")
    return Tolerance(tuple(terms))


def tolerance_kept(text: object) -> Tolerance | None:
    """Return the tolerance that a run keeps; None where it keeps none that can be read."""
    try:
        return parse_tolerance(text) if isinstance(text, str) else None
    except ValueError:
        return None


def _term(text: str) -> Term:
    match = _TERM.fullmatch(re.sub(r"\s*>\s*", ">", text))
    if not match:
        raise ValueError(f"{quoted(text)} is no tolerance; write it like failed>1%, failed>3 or unknown")
    name = match[1].lower()
    if name not in FAILING:
        near = get_close_matches(name, FAILING, n=1)
        hint = f"did you mean `{near[0]}`?" if near else f"there are: {', '.join(FAILING)}"
        raise ValueError(f"{quoted(match[1])} is no status that a command fails for; {hint}")
    return Term(FAILING[name], parse_share(match[2]) if match[2] else 0)

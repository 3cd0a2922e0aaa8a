"""What became of every line of an input: the books of the targets, which balance."""

from dataclasses import dataclass, field
from enum import Enum

from bulkip.quantities import counted

LINES = ("line", "lines")
ENTRIES = ("entry", "entries")
ADDRESSES = ("address", "addresses")


class Idle(Enum):
    """What a line of a file is when it names no address and is not wrong."""

    HEADER = "header"
    BLANK = "blank"
    COMMENT = "comment"


@dataclass(slots=True)
class Fate:
    """How many addresses became targets, and how many an exclusion or a filter took out."""

    targets: int = 0
    excluded: int = 0
    left_out: int = 0


@dataclass(slots=True)
class Tally:
    """What became of the lines of one source.

    Every line is counted once: by its kind, or as a single address, whose fate
    is in `listed`. A block is a network or a range, and the fate of its
    addresses is in `expanded`. `unasked` says that nobody asked the source yet.
    """

    label: str
    nouns: tuple[str, str] = LINES
    lines: int = 0
    headers: int = 0
    blanks: int = 0
    comments: int = 0
    exclusions: int = 0
    blocks: int = 0
    wrong: int = 0
    listed: Fate = field(default_factory=Fate)
    expanded: Fate = field(default_factory=Fate)
    unasked: bool = False

    @property
    def targets(self) -> int:
        """How many targets the source gave in all."""
        return self.listed.targets + self.expanded.targets

    @property
    def plain(self) -> bool:
        """Say whether every line but a header names targets and all were taken: nothing to explain."""
        explained = self.lines == self.listed.targets + self.headers + self.blocks
        return explained and not _lost(self.expanded) and not self.unasked

    def skip(self, idle: Idle) -> None:
        """Count a line that names nothing."""
        match idle:
            case Idle.HEADER:
                self.headers += 1
            case Idle.BLANK:
                self.blanks += 1
            case Idle.COMMENT:
                self.comments += 1

    def __str__(self) -> str:
        if self.unasked:
            return f"{self.label}: asked when the job runs"
        noun = self.nouns[self.lines != 1]
        return f"{self.label}: {self.lines:,} {noun} = {' + '.join(self._parts())}"

    def _parts(self) -> list[str]:
        counts = [
            (self.listed.targets, "target"),
            (self.headers, "header"),
            (self.comments, "comment"),
            (self.exclusions, "exclusion"),
        ]
        parts = [counted(count, noun) for count, noun in counts if count]
        parts += [f"{counted(self.blocks, 'block')} ({_told(self.expanded)})"] if self.blocks else []
        parts += _lost(self.listed)
        parts += [f"{self.blanks:,} blank"] if self.blanks else []
        parts += [f"{self.wrong:,} wrong"] if self.wrong else []
        return parts or [counted(0, "target")]


def _told(fate: Fate) -> str:
    return ", ".join([counted(fate.targets, "target"), *_lost(fate)])


def _lost(fate: Fate) -> list[str]:
    counts = [(fate.excluded, "excluded"), (fate.left_out, "left out by a filter")]
    return [f"{count:,} {word}" for count, word in counts if count]

"""Which exit code a run ends with: the table of design.md §2, as one function."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import IntEnum

from bulkip.errors import AccessError, BulkipError, Halt, Locked, SafetyStop, UsageError
from bulkip.model import Counts, Status


class ExitCode(IntEnum):
    """The codes a pipeline may rely on; a signal adds its own number to 128."""

    OK = 0
    INTERNAL = 1
    USAGE = 2
    ITEMS_FAILED = 3
    EXPECTATION = 4
    SAFETY = 5
    HALTED = 6
    ACCESS = 7
    LOCKED = 8
    UNKNOWN_WRITES = 9


SIGNAL_BASE = 128
RANKS: tuple[int, ...] = (
    ExitCode.INTERNAL, SIGNAL_BASE, ExitCode.ACCESS, ExitCode.LOCKED, ExitCode.SAFETY, ExitCode.HALTED,
    ExitCode.UNKNOWN_WRITES, ExitCode.ITEMS_FAILED, ExitCode.EXPECTATION, ExitCode.OK, ExitCode.USAGE,
)  # fmt: skip
"""The codes of runs, the gravest first (a signal by its base); USAGE is none, since then nothing ran."""
OF_ERRORS: tuple[tuple[type[BulkipError], ExitCode], ...] = (
    (UsageError, ExitCode.USAGE),
    (SafetyStop, ExitCode.SAFETY),
    (Halt, ExitCode.HALTED),
    (AccessError, ExitCode.ACCESS),
    (Locked, ExitCode.LOCKED),
)


@dataclass(frozen=True, slots=True)
class Ending:
    """All that decides about the exit code of a run; several may hold at once."""

    counts: Counts = field(default_factory=Counts)
    internal: bool = False
    signal: int | None = None
    access: bool = False
    locked: bool = False
    safety: bool = False
    halted: bool = False
    expectation_missed: bool = False
    proof_required: bool = False


def exit_code(ending: Ending) -> int:
    """Return the code of the gravest thing that happened.

    Precedence: RANKS, which is that of design.md §2.
    """
    stops: tuple[tuple[bool, int], ...] = (
        (ending.internal, ExitCode.INTERNAL),
        (ending.signal is not None, SIGNAL_BASE + (ending.signal or 0)),
        (ending.access, ExitCode.ACCESS),
        (ending.locked, ExitCode.LOCKED),
        (ending.safety, ExitCode.SAFETY),
        (ending.halted, ExitCode.HALTED),
        (ending.counts.of(Status.UNKNOWN) > 0, ExitCode.UNKNOWN_WRITES),
        (_failed(ending) > 0, ExitCode.ITEMS_FAILED),
        (ending.expectation_missed or ending.counts.of(Status.MISMATCH) > 0, ExitCode.EXPECTATION),
    )
    return worst(code for held, code in stops if held)


def worst(codes: Iterable[int]) -> int:
    """Return the gravest of the exit codes of several runs, by the same precedence; 0 without any."""
    return int(min(codes, key=_rank, default=ExitCode.OK))


def _rank(code: int) -> int:
    return RANKS.index(min(code, SIGNAL_BASE))


def code_of_error(error: BaseException) -> int:
    """Return the code of a command that an error ended; one that is none of ours is a bug."""
    return int(next((code for kind, code in OF_ERRORS if isinstance(error, kind)), ExitCode.INTERNAL))


def _failed(ending: Ending) -> int:
    failed = ending.counts.of(Status.FAILED, Status.CONFLICT)
    return failed + (ending.counts.of(Status.UNVERIFIED) if ending.proof_required else 0)

"""Which errors can reach a caller, and what each one means for the exit code.

BulkipError
├── UsageError            2  the command line or the configuration is wrong; nothing was sent
│   └── JobError          2  the job file or its inputs are wrong; carries every problem at once
├── SafetyStop            5  a limit or a missing confirmation stopped the run before the first write
├── Halt                  6  the run stopped on the way and can be resumed
│   └── StoreError        6  the run store cannot be read or written
├── AccessError           7  authentication, certificate, wrong base URL, account-level refusal
└── Locked                8  another run holds the lock of the account or of this run; nothing was sent

An item that fails is no error: it is a `Result`.
"""

from collections.abc import Sequence

from bulkip.model import Problem

SHOWN_PROBLEMS = 50


class BulkipError(Exception):
    """Raised when bulkip cannot do what was asked; the text is written for the user."""


class UsageError(BulkipError):
    """Raised when the command line or the configuration is wrong; nothing was sent."""


class JobError(UsageError):
    """Raised with every problem of a job file and its inputs; nothing was sent."""

    def __init__(self, problems: Sequence[Problem], total: int | None = None) -> None:
        """Keep the first problems, in the order found, and how many there were."""
        self.problems = tuple(problems)
        self.total = len(self.problems) if total is None else total
        super().__init__(self._text())

    def _text(self) -> str:
        shown = [str(problem) for problem in self.problems[:SHOWN_PROBLEMS]]
        if self.total > len(shown):
            shown.append(f"... and {self.total - len(shown)} more")
        noun = "problem" if self.total == 1 else "problems"
        shown.append(f"{self.total} {noun}; nothing was sent")
        return "\n".join(shown)


class SafetyStop(BulkipError):
    """Raised when a limit or a missing confirmation stops a run before its first write."""


class Halt(BulkipError):
    """Raised when a run stops on the way; what is left can be resumed."""


class StoreError(Halt):
    """Raised when the run store cannot be read or written, or is not ours."""


class AccessError(BulkipError):
    """Raised when the server refuses the account, or is not the API at all."""


class Locked(BulkipError):
    """Raised when another run holds the lock that is needed; nothing was sent."""


def leading_error(raised: BaseException) -> BaseException:
    """Return the gravest of the errors that a task group gathered: a bug before one of ours."""
    if not isinstance(raised, BaseExceptionGroup):
        return raised
    leaves = [leading_error(inner) for inner in raised.exceptions]
    bugs = [leaf for leaf in leaves if not isinstance(leaf, BulkipError)]
    return (bugs or leaves)[0]

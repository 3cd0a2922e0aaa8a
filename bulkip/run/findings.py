"""What a check found: fine, worth knowing, or wrong, and the way out."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from bulkip.exitcode import ExitCode


class Grade(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARN = "warn"
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    `places` are the first of `count` places where it is wrong. `code` is the
    exit code that a run would end with because of it.
    """

    subject: str
    grade: Grade
    text: str
    way_out: str | None = None
    places: tuple[str, ...] = ()
    count: int = 0
    code: ExitCode = ExitCode.OK


GRAVITY = (ExitCode.USAGE, ExitCode.ACCESS, ExitCode.HALTED, ExitCode.ITEMS_FAILED)
"""Configuration that is wrong ends a run before anything is asked, so it comes first."""


def fine(subject: str, text: str) -> Finding:
    """Return that something is as it should be."""
    return Finding(subject, Grade.OK, text)


def doubtful(subject: str, text: str, way_out: str) -> Finding:
    """Return that something is worth knowing and hinders no run."""
    return Finding(subject, Grade.WARN, text, way_out)


def wrong(subject: str, text: str, way_out: str, code: ExitCode) -> Finding:
    """Return that something is wrong, and what a run would end with."""
    return Finding(subject, Grade.WRONG, text, way_out, code=code)


def code_of(findings: Iterable[Finding]) -> ExitCode:
    """Return the exit code of the gravest finding."""
    codes = {finding.code for finding in findings}
    return next((code for code in GRAVITY if code in codes), ExitCode.OK)

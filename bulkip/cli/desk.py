"""How a run talks to whoever started it: plan, question, progress, recap; all of it on stderr."""

import sys
import termios
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import click

from bulkip.errors import SafetyStop, StoreError
from bulkip.events import Event, NotStored, RateSet
from bulkip.model import Counts, Status
from bulkip.progress import ProgressView, can_ask, in_pipeline, line_width
from bulkip.progress.lines import wrapped
from bulkip.quantities import counted
from bulkip.reports.unsaved import unsaved_line
from bulkip.retry import text_of
from bulkip.run.collecting import opening_lines
from bulkip.run.ending import Conclusion, check_own
from bulkip.run.planning import Prepared
from bulkip.run.recap import away_lines, recap_lines
from bulkip.run.shortlived import is_short_lived
from bulkip.safety import PlannedChanges, forward_lines
from bulkip.store import Change

HANG = 2
NOT_STORED = "not in the run store, because it failed; one JSON object a line, keep them:"


@dataclass(frozen=True, slots=True)
class Answers:
    """What the command line says about the question before the first write."""

    yes: bool
    confirm: int | None


class TerminalDesk:
    """Talks on stderr; `quiet` leaves errors, warnings and the question."""

    def __init__(
        self, view: ProgressView, answers: Answers, *, quiet: bool, clear: Callable[[], None] = lambda: None
    ) -> None:
        """Show progress in this view, and answer the question as told; `clear` ends what is drawn."""
        self._view = view
        self._clear = clear
        self._unsaved = 0
        self._answers = answers
        self._quiet = quiet

    def notice(self, event: Event) -> None:
        """Show what happens."""
        if isinstance(event, NotStored):
            self._tell_unsaved(event)
        else:
            self._view.notice(event)

    def _tell_unsaved(self, fact: NotStored) -> None:
        """Write a fact that no file has, quiet or not, on a line of its own whatever the terminal's width."""
        if not self._unsaved:
            self._clear()
            _tell(NOT_STORED)
        self._unsaved += 1
        _write(unsaved_line(fact))

    def say(self, text: str) -> None:
        """Write a line unless quiet."""
        if not self._quiet:
            _tell(text)

    def go_on(self, question: str) -> bool:
        """Ask on a terminal; elsewhere the command line must have answered."""
        if self._answers.yes:
            return True
        return self._can_ask() and self._confirmed(question)

    def warn(self, text: str) -> None:
        """Write a warning, quiet or not."""
        _tell(f"warning: {text}")

    def planned(self, prepared: Prepared) -> None:
        """Tell how large the plan is, and the view how fast it may go."""
        for one in prepared.job.accounts:
            self._view.notice(RateSet(one.limits.rate, account=one.name))
        if not prepared.job.accounts:
            self._view.notice(RateSet(prepared.job.limits.rate))
        mark = "SIMULATED " if prepared.header.simulated else ""
        parts = [counted(prepared.items, "item"), counted(prepared.writes, "write")]
        parts += [counted(prepared.repeated, "repeated row")] if prepared.repeated else []
        parts += [f"{counted(prepared.lookups, 'server id')} to look up"] if prepared.lookups else []
        parts += [counted(len(prepared.job.accounts), "account")] if prepared.job.accounts else []
        parts += [f"shard {prepared.job.shard} of the job"] if prepared.job.shard else []
        run = "" if is_short_lived(prepared) else f" (run {prepared.header.id})"
        self.say(f"{mark}{prepared.job.name}: {', '.join(parts)}{run}")
        for line in opening_lines(prepared):
            self.say(f"  {line}")

    def read(self, changes: PlannedChanges, counts: Counts, ahead: Sequence[Change]) -> None:
        """Tell what the plan would change, now that the present values are known."""
        parts = [(changes.sets, "to set"), (changes.changes, "to change"), (changes.clears, "to clear")]
        parts += [(changes.blind, "to write without a look before")]
        parts += [
            (counts.of(Status.UNCHANGED), "as wanted already"),
            (counts.of(Status.FAILED), "not to be done"),
        ]
        told = ", ".join(f"{count:,} {what}" for count, what in parts if count)
        self.say(f"plan: {told or 'nothing to change'}")
        for line in forward_lines(changes):
            self.say(f"  {line}")
        for change in ahead:
            self.say(f"  {change.ip:<15} {text_of(change.before)} -> {text_of(change.wanted)}")
        if changes.total > len(ahead):
            self.say(f"  ... and {changes.total - len(ahead):,} more")

    def agree(self, writes: int, url: str) -> None:
        """Ask on a terminal; elsewhere the command line must have answered. Raises SafetyStop."""
        if self._answers.confirm is not None and self._answers.confirm != writes:
            raise SafetyStop(
                f"--confirm {self._answers.confirm}: the plan has {counted(writes, 'write')} to {url}; "
                f"look at it, then --confirm {writes}"
            )
        if self._answers.yes or self._answers.confirm is not None:
            return
        if not self._can_ask():
            nobody = "nobody answers in a pipeline" if in_pipeline() else "there is no terminal to ask on"
            raise SafetyStop(
                f"{counted(writes, 'write')} to {url} need a confirmation, and {nobody}; "
                f"add --yes or --confirm {writes}"
            )
        if not self._confirmed(f"{counted(writes, 'write')} to {url}; go on? [y/N] "):
            raise SafetyStop("not confirmed; nothing was written")

    def _can_ask(self) -> bool:
        """Say whether somebody sits there who can answer."""
        return can_ask()

    @staticmethod
    def _confirmed(question: str) -> bool:
        """Ask until there is a yes or a no; what was typed before the question is no answer to it."""
        termios.tcflush(sys.stdin, termios.TCIFLUSH)
        line, answer = "", None
        while answer not in {"y", "yes", "n", "no", ""}:
            click.echo(question, err=True, nl=False)
            try:
                line = sys.stdin.readline()
            except KeyboardInterrupt:
                click.echo(err=True)
                raise
            answer = line.strip().lower()
        if not line:  # the end of the input leaves the cursor behind the question
            click.echo(err=True)
        return answer in {"y", "yes"}

    def recap(self, conclusion: Conclusion) -> None:
        """Tell how the run ended: counts, what went wrong, where the reports are, what to do next."""
        for problem in dict.fromkeys(conclusion.unwritten.values()):
            if conclusion.stop is None or problem != conclusion.stop.reason:
                _tell(f"error: {problem}")
        if conclusion.safety is not None:
            _tell(f"stopped before the first write: {conclusion.safety}")
        elif conclusion.stop is not None:
            left = conclusion.counts.of(Status.NOT_RUN)
            rest = f"; {counted(left, 'item')} not run" if left else ""
            _tell(f"stopped: {conclusion.stop.reason}{rest}")
        if not self._quiet:
            self._recap_rows(conclusion)

    @staticmethod
    def _recap_rows(conclusion: Conclusion) -> None:
        """Tell what the run store says; one that failed says nothing, and why was told before."""
        try:
            check_own(conclusion.prepared)
            for line in recap_lines(conclusion, line_width()):
                _write(line)
        except StoreError:
            if conclusion.prepared.remote is not None:
                for line in away_lines(conclusion, line_width()):
                    _write(line)


def _tell(text: str) -> None:
    """Write lines that break between words where a terminal would break them anywhere."""
    for line in text.splitlines():
        indent = len(line) - len(line.lstrip())
        for part in wrapped(line, line_width(), indent + HANG):
            _write(part)


def _write(line: str) -> None:
    """Write a line to stderr; a reader who left is no reason to end otherwise than the run did."""
    with suppress(OSError):
        click.echo(line, err=True)

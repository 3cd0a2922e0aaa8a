"""How a run talks to whoever started it: plan, question, progress, recap; all of it on stderr."""

import shlex
import sys
import termios
from collections.abc import Sequence
from dataclasses import dataclass

import click

from bulkip.errors import SafetyStop
from bulkip.events import Event
from bulkip.model import Counts, Status
from bulkip.progress import ProgressView
from bulkip.quantities import counted
from bulkip.reports.summary import summary
from bulkip.reports.text import outcome
from bulkip.retry import text_of
from bulkip.run.ending import Conclusion
from bulkip.run.options import DEFAULT_RUN_DIR
from bulkip.run.planning import Prepared
from bulkip.run.recap import next_steps, trouble_lines
from bulkip.safety import PlannedChanges
from bulkip.store import Change, RunReader


@dataclass(frozen=True, slots=True)
class Answers:
    """What the command line says about the question before the first write."""

    yes: bool
    confirm: int | None


class TerminalDesk:
    """Talks on stderr; `quiet` leaves errors, warnings and the question."""

    def __init__(self, view: ProgressView, answers: Answers, *, quiet: bool) -> None:
        """Show progress in this view, and answer the question as told."""
        self._view = view
        self._answers = answers
        self._quiet = quiet

    def notice(self, event: Event) -> None:
        """Show what happens."""
        self._view.notice(event)

    def say(self, text: str) -> None:
        """Write a line unless quiet."""
        if not self._quiet:
            click.echo(text, err=True)

    def warn(self, text: str) -> None:
        """Write a warning, quiet or not."""
        click.echo(f"warning: {text}", err=True)

    def planned(self, prepared: Prepared) -> None:
        """Tell how large the plan is."""
        mark = "SIMULATED " if prepared.header.simulated else ""
        parts = [counted(prepared.items, "item"), counted(prepared.writes, "write")]
        parts += [counted(prepared.repeated, "repeated row")] if prepared.repeated else []
        self.say(f"{mark}{prepared.job.name}: {', '.join(parts)} (run {prepared.header.id})")

    def read(self, changes: PlannedChanges, counts: Counts, ahead: Sequence[Change]) -> None:
        """Tell what the plan would change, now that the present values are known."""
        parts = [(changes.sets, "to set"), (changes.changes, "to change"), (changes.clears, "to clear")]
        parts += [
            (counts.of(Status.UNCHANGED), "as wanted already"),
            (counts.of(Status.FAILED), "unreadable"),
        ]
        told = ", ".join(f"{count:,} {what}" for count, what in parts if count)
        self.say(f"plan: {told or 'nothing to change'}")
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
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise SafetyStop(
                f"{counted(writes, 'write')} to {url} need a confirmation, and there is no terminal "
                f"to ask on; add --yes or --confirm {writes}"
            )
        if not self._confirmed(f"{counted(writes, 'write')} to {url}; go on? [y/N] "):
            raise SafetyStop("not confirmed; nothing was written")

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
        prepared = conclusion.prepared
        for problem in conclusion.unwritten.values():
            click.echo(f"error: {problem}", err=True)
        if conclusion.safety is not None:
            click.echo(f"stopped before the first write: {conclusion.safety}", err=True)
        elif conclusion.stop is not None:
            left = conclusion.counts.of(Status.NOT_RUN)
            rest = f"; {counted(left, 'item')} not run" if left else ""
            click.echo(f"stopped: {conclusion.stop.reason}{rest}", err=True)
        if not self._quiet:
            self._tell(conclusion, prepared)

    @staticmethod
    def _run_dir_option(prepared: Prepared) -> str:
        run_dir = prepared.run_dir.parent.parent
        return "" if run_dir == DEFAULT_RUN_DIR else f" --run-dir {shlex.quote(str(run_dir))}"

    def _tell(self, conclusion: Conclusion, prepared: Prepared) -> None:
        with RunReader(prepared.run_dir) as reader:
            told = summary(reader)
            self.say(f"{prepared.job.name}: {outcome(told)}")
            pace = f" at {told['rate_reached_per_s']}/s" if told["rate_reached_per_s"] else ""
            self.say(f"  calls   {told['calls']:,}{pace}")
            for line in trouble_lines(reader):
                self.say(f"  {line}")
        for report in conclusion.reports:
            if report.path != "-" and report.path not in conclusion.unwritten:
                self.say(f"  report  {report.path} ({report.format})")
        self.say(f"  run     {prepared.run_dir}")
        self.say(f"  rows    bulkip report {prepared.header.id} -f text{self._run_dir_option(prepared)}")
        for step in next_steps(conclusion):
            self.say(f"  next    {step}")
        self.say(f"  exit    {conclusion.exit_code}")

"""How a run talks to whoever started it: plan, question, progress, recap; all of it on stderr."""

import sys
from dataclasses import dataclass

import click

from bulkip.errors import SafetyStop
from bulkip.events import Event
from bulkip.model import Status
from bulkip.progress import ProgressView
from bulkip.reports.summary import summary
from bulkip.reports.text import counted
from bulkip.run.ending import Conclusion
from bulkip.run.planning import Prepared
from bulkip.run.recap import trouble_lines
from bulkip.store import RunReader


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
        twice = f", {prepared.repeated:,} repeated rows" if prepared.repeated else ""
        self.say(
            f"{mark}{prepared.job.name}: {prepared.items:,} items, {prepared.writes:,} writes{twice} "
            f"(run {prepared.header.id})"
        )

    def agree(self, writes: int, url: str) -> None:
        """Ask on a terminal; elsewhere the command line must have answered. Raises SafetyStop."""
        if self._answers.confirm is not None and self._answers.confirm != writes:
            raise SafetyStop(
                f"--confirm {self._answers.confirm}: the plan has {writes:,} writes to {url}; "
                f"look at it, then --confirm {writes}"
            )
        if self._answers.yes or self._answers.confirm is not None:
            return
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise SafetyStop(
                f"{writes:,} writes to {url} need a confirmation, and there is no terminal to ask on; "
                f"add --yes or --confirm {writes}"
            )
        click.echo(f"{writes:,} writes to {url}; go on? [y/N] ", err=True, nl=False)
        if sys.stdin.readline().strip().lower() not in {"y", "yes"}:
            raise SafetyStop("not confirmed; nothing was written")

    def recap(self, conclusion: Conclusion) -> None:
        """Tell how the run ended: counts, what went wrong, where the reports are, what to do next."""
        prepared = conclusion.prepared
        for problem in conclusion.problems:
            click.echo(f"error: {problem}", err=True)
        if conclusion.safety is not None:
            click.echo(f"stopped before the first write: {conclusion.safety}", err=True)
        elif conclusion.stop is not None:
            left = conclusion.counts.of(Status.NOT_RUN)
            rest = f"; {left:,} items were not run" if left else ""
            click.echo(f"stopped: {conclusion.stop.reason}{rest}", err=True)
        if not self._quiet:
            self._tell(conclusion, prepared)

    def _tell(self, conclusion: Conclusion, prepared: Prepared) -> None:
        with RunReader(prepared.run_dir) as reader:
            told = summary(reader)
            self.say(f"{prepared.job.name}: {counted(told)}")
            if told["calls"]:
                self.say(f"  calls   {told['calls']:,} at {told['rate_reached_per_s']}/s")
            for line in trouble_lines(reader):
                self.say(f"  {line}")
        for report in conclusion.reports:
            if report.path != "-":
                self.say(f"  report  {report.path} ({report.format})")
        self.say(f"  run     {prepared.run_dir}")
        self.say(f"  again   bulkip report {prepared.header.id} -f text")
        self.say(f"  exit    {conclusion.exit_code}")

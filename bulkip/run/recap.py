"""How a run is told at its end: what came of it, how long it took, what went wrong, what to do next."""

from collections.abc import Iterator
from dataclasses import dataclass

from bulkip.model import JsonValue, Status
from bulkip.policy import OnExists
from bulkip.progress.figures import lasted
from bulkip.progress.lines import wrapped
from bulkip.quantities import counted
from bulkip.reports.commands import command
from bulkip.reports.nextsteps import Left, next_steps
from bulkip.reports.output import STDOUT
from bulkip.reports.summary import summary
from bulkip.reports.text import outcome
from bulkip.run.ending import Conclusion
from bulkip.run.hints import HINTS
from bulkip.store import Proofs, RunHistory, RunReader, unlooked

LONGEST_EXAMPLE = 200
SHOWN_ASTRAY = 5
LABEL = 11
"""The width of the first column, its indentation included."""
DEEPER = 4


@dataclass(frozen=True, slots=True)
class Line:
    """One fact of a recap: `label` stands before it, `whole` facts are pasted and never broken."""

    text: str
    label: str = ""
    whole: bool = False
    deeper: int = 0

    def told(self, width: int | None) -> list[str]:
        """Return the fact with its label, in lines of at most this width that break between words."""
        hang = LABEL + self.deeper
        head = f"  {self.label:<{LABEL - 2}}{' ' * self.deeper}"
        if self.whole:
            return [head + self.text]
        lines = wrapped(self.text, None if width is None else max(width - hang, 1))
        return [f"{head if first else ' ' * hang}{line}" for first, line in _with_first(lines)]


def recap_lines(conclusion: Conclusion, width: int | None) -> Iterator[str]:
    """Yield the recap of a run, wrapped at `width` if there is one."""
    prepared = conclusion.prepared
    with Proofs(prepared.home) as reader:
        told = summary(reader)
        mark = "SIMULATED " if told["simulated"] else ""
        shard = f", shard {prepared.job.shard}" if prepared.job.shard else ""
        head = f"{mark}{prepared.job.name}{shard}"
        yield from wrapped(f"{head}: {outcome(told | {'simulated': False})}", width, 2)
        for part in (_effort, _partial, _waits, _troubles, _tolerated):
            yield from _told(part(reader, told), width)
        yield from _told(_proofs(reader, checked=prepared.job.check is not None), width)
    yield from _told(_places(conclusion), width)
    yield from _told(_next(conclusion, _doubtful_ip(conclusion)), width)
    yield from _told(iter([Line(str(conclusion.exit_code), "exit")]), width)


def away_lines(conclusion: Conclusion, width: int | None) -> Iterator[str]:
    """Yield the recap of a run in a cluster whose database is away: nothing of it is lost with that."""
    lines = (
        Line(command("resume", conclusion.prepared.home), "next", whole=True),
        Line("go on with what is left when the database answers", deeper=DEEPER),
        Line(str(conclusion.exit_code), "exit"),
    )
    yield from _told(iter(lines), width)


def _told(lines: Iterator[Line], width: int | None) -> Iterator[str]:
    for line in lines:
        yield from line.told(width)


def _with_first(lines: list[str]) -> Iterator[tuple[bool, str]]:
    return ((place == 0, line) for place, line in enumerate(lines or [""]))


def _effort(reader: RunReader, told: dict[str, JsonValue]) -> Iterator[Line]:
    """Yield how long the last start took, how many calls were made, and how fast."""
    start = reader.last_start()
    began, ended = start.get("started_at"), start.get("finished_at")
    if isinstance(began, int | float) and isinstance(ended, int | float):
        yield Line(lasted(max(0.0, ended - began)), "took")
    pace = f", {told['rate_reached_per_s']}/s reached" if told["rate_reached_per_s"] else ""
    yield Line(f"{told['calls']:,}{pace}", "calls")


def _partial(_reader: RunReader, told: dict[str, JsonValue]) -> Iterator[Line]:
    """Yield how many readings are of a period that goes on, and so are not what they will be."""
    count = told["partial"]
    if isinstance(count, int) and count:
        yield Line(f"{counted(count, 'item')}: the period was not over, so it will be asked again", "partial")


def _waits(_reader: RunReader, told: dict[str, JsonValue]) -> Iterator[Line]:
    """Yield why everyone paused, how often and how long."""
    rows = told["waits"]
    for place, row in enumerate(rows if isinstance(rows, list) else []):
        match row:
            case {"reason": reason, "times": int(times), "seconds": int() | float() as seconds}:
                text = f"{lasted(seconds)} in {counted(times, 'pause')}: {reason}"
                yield Line(text, "" if place else "waited")
            case _:
                pass


def _troubles(reader: RunReader, _told: dict[str, JsonValue]) -> Iterator[Line]:
    """Yield each error class, the most frequent first, with its count, one example and a hint."""
    for place, (name, times, ip, message) in enumerate(reader.troubles()):
        yield Line(f"{name}: {counted(times, 'item')}", "" if place else "errors")
        yield Line(f"example: {f'{ip}: ' if ip else ''}{_shortened(message or 'no text')}", deeper=DEEPER)
        if name in HINTS:
            yield Line(f"hint: {HINTS[name]}", deeper=DEEPER)


def _tolerated(_reader: RunReader, told: dict[str, JsonValue]) -> Iterator[Line]:
    """Yield what would have failed the command, had its caller not tolerated it."""
    passed = told["tolerated"]
    for place, text in enumerate(passed if isinstance(passed, list) else []):
        yield Line(f"tolerated: {text}", "" if place else "fail-on")


def _proofs(reader: Proofs, *, checked: bool) -> Iterator[Line]:
    """Yield what was looked at again, and the first addresses that are not as they should be."""
    for place, tally in enumerate([] if checked else reader.tallies()):
        yield Line(str(tally), "" if place else "proofs")
    found, total = reader.astray(SHOWN_ASTRAY)
    for place, one in enumerate(found):
        yield Line(f"{one.source}: {one.ip}: {_shortened(one.found)}", "" if place else "astray")
    if total > len(found):
        yield Line(f"... and {total - len(found):,} more")


def _shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_EXAMPLE else f"{line[:LONGEST_EXAMPLE]}..."


def _doubtful_ip(conclusion: Conclusion) -> str | None:
    """Return the address of the first write in doubt; None when there is none."""
    if not conclusion.counts.of(Status.UNKNOWN):
        return None
    with RunHistory(conclusion.prepared.home) as history:
        return history.first_address(Status.UNKNOWN)


def _places(conclusion: Conclusion) -> Iterator[Line]:
    """Yield where reports and run are."""
    home = conclusion.prepared.home
    for report in conclusion.reports:
        if report.path != STDOUT and report.path not in conclusion.unwritten:
            kept = ", which was there already and stays as it is" if report.on_exists is OnExists.SKIP else ""
            yield Line(f"{report.path} ({report.format}){kept}", "report", whole=True)
    yield Line(str(home), "run", whole=True)
    yield Line(command("report", home, "-f", "text"), "rows", whole=True)


def _next(conclusion: Conclusion, doubtful_ip: str | None) -> Iterator[Line]:
    """Yield the commands to go on with, each on a line of its own below what it is for."""
    stop = conclusion.stop
    left = Left(
        conclusion.counts,
        stopped_by=stop.kind if stop else None,
        lifting=stop.lifting if stop else (),
        refused=conclusion.safety is not None,
        doubtful_ip=doubtful_ip,
        unproved=unlooked(conclusion.prepared.home),
        merged=conclusion.prepared.header.is_merged,
    )
    for place, step in enumerate(next_steps(left, conclusion.prepared.home)):
        yield Line(step.command, "" if place else "next", whole=True)
        yield Line(step.purpose, deeper=DEEPER)

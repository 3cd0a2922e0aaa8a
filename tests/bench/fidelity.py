"""Whether bulkip keeps to a rate and uses it, as the server sees it."""

import signal
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tests.bench.arrivals import REFUSED, Log, Window, excess, ideal_s, reached, stages
from tests.bench.cases import STALL_S, Case, phases
from tests.bench.jobs import write_job, write_rows
from tests.bench.processes import Child, MeasuringError, bulkip, say, script
from tests.bench.section import Section
from tests.bench.servers import AccountAt, accounts
from tests.bench.tables import number, table

PATIENCE_S = 180.0
FIRST_CALL_S = 60.0
LOOK_S = 0.05
NOTE = (
    "  worst: the fullest window of the server's log to what the limit allows, wherever the window begins\n"
    "  reached: of the limit, while there were items left to begin with; what was to be idle is left out"
)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the server saw of a case, and how the run ended."""

    case: Case
    log: Log
    code: int

    @property
    def worst(self) -> float:
        """The fullest window as a fraction of the limit."""
        return excess(self.log.times, self.case.windows)

    @property
    def reached(self) -> float:
        """The part of the limit that was used."""
        return reached(self.log, self.case.windows, self.case.idle_s)

    @property
    def lost_s(self) -> float:
        """The seconds that an even, exact sender would have saved, what was to be idle left out."""
        return sum(part.span_s - ideal_s(self.case.windows, len(part.times)) for part in stages(self.log)) - (
            self.case.idle_s
        )

    @property
    def refused(self) -> int:
        """How many calls were answered with 429."""
        return len(self.log.marked(REFUSED))


def fidelity(folder: Path, *, quick: bool) -> Section:
    """Watch every case, phase by phase."""
    found: list[Outcome] = []
    groups = phases(quick=quick)
    for order, group in enumerate(groups, start=1):
        say(f"rate: phase {order} of {len(groups)}, {len(group)} at once: {group[0].title}, ...")
        place = folder / str(order)
        place.mkdir()
        found += _watch(place, group)
    figures = {f"{one.case.title}, {one.case.places} in flight": _figures(one) for one in found}
    return Section("rate", (outcome_table(found),), figures, budget_figures(found))


def _watch(folder: Path, cases: Sequence[Case]) -> list[Outcome]:
    """Run cases at the same time, each with an account of its own."""
    with accounts([case.terms for case in cases]) as places, ExitStack() as stack:
        running: list[tuple[Case, AccountAt, Child]] = []
        for case, place in zip(cases, places, strict=True):
            child = stack.enter_context(_start(folder / str(place.port), case, place))
            _await_call(case, place, child)  # so that start-ups do not meet
            running.append((case, place, child))
        for case, place, child in running:
            if case.stalls:
                _stall(child, place, case.stall_after_s)
        codes = [child.finish().code for _, _, child in running]
        return [Outcome(one[0], one[1].log(), code) for one, code in zip(running, codes, strict=True)]


def _start(folder: Path, case: Case, place: AccountAt) -> Child:
    folder.mkdir()
    rows = write_rows(folder / "rows.csv", case.items)
    command = bulkip("run", "job.yaml", "-q", "--yes")
    if case.naive:
        command = script("scripts.py", "limited", place.url, str(rows), str(case.windows[0].calls))
    else:
        write_job(folder / "job.yaml", place.url, case.action, case.limits(), **case.more())
    return Child(command, folder, patience_s=PATIENCE_S)


def _await_call(case: Case, place: AccountAt, child: Child) -> None:
    """Wait for the first call of a run; raises MeasuringError when there is none."""
    deadline = time.monotonic() + FIRST_CALL_S
    while place.seen().first is None:
        if is_over := child.is_over():
            child.finish(0)  # says why, unless it thinks that all is well
        if is_over or time.monotonic() > deadline:
            raise MeasuringError(f"{case.title}: no call arrived")
        time.sleep(LOOK_S)


def _stall(child: Child, place: AccountAt, after_s: float) -> None:
    """Stop the process in the middle of its work and let it go on."""
    time.sleep(max(0.0, (place.seen().first or 0.0) + after_s - time.monotonic()))
    child.send(signal.SIGSTOP)
    time.sleep(STALL_S)
    child.send(signal.SIGCONT)


def outcome_table(found: Iterable[Outcome]) -> str:
    """Return what the server saw of every case."""
    head = ("", "in flight", "calls", "worst", "reached", "lost s", "429s", "exit")
    rows = [
        (
            one.case.title,
            "all" if one.case.naive else str(one.case.places),
            f"{len(one.log.times):,}",
            f"{one.worst:.3f} x",
            "-" if one.case.naive else f"{one.reached:.1%}",
            "-" if one.case.naive else number(one.lost_s),
            str(one.refused),
            str(one.code),
        )
        for one in found
    ]
    return table(f"Rate, as the server counts it\n{NOTE}", head, rows)


def budget_figures(found: Iterable[Outcome]) -> dict[str, float]:
    """Return the figures that budgets are judged by: the worst of all cases of bulkip."""
    ours = [one for one in found if not one.case.naive]
    return {
        "window": max(one.worst for one in ours),
        "reached": min(one.reached for one in ours),
        "refused": sum(one.refused for one in ours if one.case.strict),
    }


def _figures(one: Outcome) -> dict[str, object]:
    return {
        "windows": [_window(window) for window in one.case.windows],
        "calls": len(one.log.times),
        "worst": one.worst,
        "reached": one.reached,
        "lost_s": one.lost_s,
        "span_s": one.log.span_s,
        "refused": one.refused,
        "exit": one.code,
    }


def _window(window: Window) -> list[float]:
    return [window.calls, window.period_s]

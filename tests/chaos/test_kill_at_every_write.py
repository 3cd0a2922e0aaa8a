"""What is true of a run whose process is gone before, or just after, any one of its writes to the disk."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.chaos.killswitch import KillSwitch
from tests.chaos.laws import unfinished
from tests.chaos.length import LONG, patient
from tests.chaos.smallrun import SmallRun, small_run

PARTS = 6 if LONG else 1
NEVER = 10**9
MOVING = frozenset({"rename", "replace", "link"})
STOPPED_AT = 60
"""The step at which a run is killed that is to be killed once more: in the middle of its writes."""

Way = Callable[[SmallRun], tuple[str, ...]]
"""Brings a run to where it is interesting, and returns the command that is killed there."""


def from_the_beginning(run: SmallRun) -> tuple[str, ...]:
    """Begin it."""
    return run.next_command()


def resumed(run: SmallRun) -> tuple[str, ...]:
    """Kill it in the middle of its writes, and go on."""
    run.step(KillSwitch(STOPPED_AT, before=False, trace=run.home / "earlier"))
    return run.next_command()


def rebased(run: SmallRun) -> tuple[str, ...]:
    """Kill it in the middle of its writes, and go on with a job file that was changed."""
    command = resumed(run)
    job = run.home / "job.yaml"
    job.write_text(f"{job.read_text()}# changed\n")
    return (*command, "--rebase")


def retried(run: SmallRun) -> tuple[str, ...]:
    """Bring it to its end, and try again what failed."""
    run.finish()
    return ("retry", "last")


WAYS = (from_the_beginning, resumed, rebased, retried)


@contextmanager
def brought(way: Way, home: Path) -> Iterator[tuple[SmallRun, tuple[str, ...]]]:
    """Give a run that was brought somewhere, and the command that is next."""
    with small_run(home) as run:
        yield run, way(run)


def steps_of(way: Way, folder: Path) -> list[str]:
    """Return what a command does to the disk when nobody kills it, step by step."""
    folder.mkdir(exist_ok=True)
    trace = folder / "trace"
    with brought(way, folder / "whole") as (run, command):
        run.go(*command, switch=KillSwitch(NEVER, before=True, trace=trace))
    return trace.read_text().splitlines()


def kills(way: Way, steps: list[str], folder: Path, part: int) -> list[tuple[int, bool]]:
    """Return a part of the kills to be tried: before and after each step, or in a short run a few of them.

    Those are one for each kind of step. Of a way that begins with a kill only
    the kinds count that no run has from its beginning, and whatever moves a file.
    """
    if LONG:
        return [(n, before) for n in range(1, len(steps) + 1) for before in (True, False)][part::PARTS]
    known = set() if way is from_the_beginning else set(steps_of(from_the_beginning, folder / "ordinary"))
    last = {kind(step): (n, n % 2 == 0) for n, step in enumerate(steps, 1) if step not in known}
    moving = {(n, before) for n, step in enumerate(steps, 1) if step in MOVING for before in (True, False)}
    return sorted({*last.values(), *moving})


def kind(step: str) -> str:
    """Return what a step is, as far as a kill can tell: one table that is made is like another."""
    word = step.partition(" ")[0]
    return word if word in {"CREATE", "PRAGMA"} else step


@patient
@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.__name__)
def test_run_killed_at_a_write_is_finished_and_breaks_no_law(tmp_path: Path, way: Way, part: int) -> None:
    """Wherever on the disk a process stopped, the next one goes on from there and every law holds."""
    steps = steps_of(way, tmp_path)
    broken = []

    for number, before in kills(way, steps, tmp_path, part):
        with brought(way, tmp_path / f"{number}-{before}") as (run, command):
            code = run.go(*command, switch=KillSwitch(number, before=before, trace=tmp_path / "killed"))
            where = f"{'before' if before else 'after'} step {number} ({steps[number - 1]})"
            broken += [f"{found}, killed {where}" for found in run.broken()]
            run.go(*command) if way is rebased and code == -signal.SIGKILL else run.finish()
            run.finish()
            open_items = [str(item) for item in unfinished(run.evidence())]
            broken += [f"{found}, finished after a kill {where}" for found in [*run.broken(), *open_items]]

    assert broken == [], "\n".join(broken[:20])

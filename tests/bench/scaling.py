"""One job size, from planning to reports: what the server saw, the kernel counted, and the disk holds.

Planning is timed with the job that costs most, a template for each name, from
the start of the process to the first call that the server sees; then it is
killed. The run that follows reads, so that it makes one call for each item.
"""

import shutil
import signal
import sqlite3
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tests.bench.accounts import Terms
from tests.bench.contestants import LONG, RUNS
from tests.bench.jobs import READ, WRITE, lines_in, write_job, write_rows
from tests.bench.machine import CLIENT, SERVER, pins
from tests.bench.processes import Child, MeasuringError, Spent, bulkip, measured, say, script
from tests.bench.servers import AccountAt, accounts

FORMATS = (
    *("jsonl", "csv", "attempts", "text", "json", "failed-csv", "prometheus"),
    *("html", "md", "github", "junit", "sarif", "tap"),
)
"""Those that have something to say about a job that reads names; the others are of traffic."""
LEFT = 1_000
LOOK_S = 0.05
PATIENCE_S = 900.0


@dataclass(frozen=True, slots=True)
class Leg:
    """A process over the whole job, by what the server saw of it.

    `first_s` is from its start to the first call, `calling_s` from that to
    the last.
    """

    spent: Spent
    first_s: float
    calling_s: float

    @property
    def closing_s(self) -> float:
        """The seconds from the last call to the end, with the report."""
        return self.spent.wall_s - self.first_s - self.calling_s


@dataclass(frozen=True, slots=True)
class Size:
    """All that was measured with a job of so many items."""

    items: int
    reading: Spent
    planning: Leg
    run: Leg
    resume: Leg
    reports: dict[str, Spent]
    store_bytes: int


def measure(folder: Path, items: int) -> Size:
    """Plan, run, render and resume a job of so many items."""
    rows = write_rows(folder / "rows.csv", items)
    reading = measured(script("plainreading.py", str(rows)), folder)
    with accounts([Terms(), Terms()]) as (other, place):
        say(f"scale: {items:,} items: planning")
        planning = _planned(folder, other)
        say(f"scale: {items:,} items: run")
        write_job(folder / "job.yaml", place.url, READ)
        run = _leg(bulkip("run", "job.yaml", "-q"), folder, place, items)
        (store,) = (folder / ".bulkip" / RUNS).iterdir()
        size = sum(file.stat().st_size for file in store.iterdir())
        reports = _rendered(folder, store.name)
        say(f"scale: {items:,} items: resume")
        left = leave(store / "run.db", min(LEFT, items // 2))
        resume = _leg(bulkip("resume", store.name, "-q", "--max-duration", LONG), folder, place, left)
    if (written := lines_in(folder / "job.jsonl")) != items:
        raise MeasuringError(f"the report has {written} rows for {items} items")
    return Size(items, reading, planning, run, resume, reports, size)


def _planned(folder: Path, place: AccountAt) -> Leg:
    """Plan a job of writes until the server sees its first call, and kill it there."""
    write_job(folder / "names.yaml", place.url, WRITE)
    command = bulkip("run", "names.yaml", "-q", "--yes", "--run-dir", "planned")
    with Child(command, folder, patience_s=PATIENCE_S) as child:
        while (first := place.seen().first) is None and not child.is_over():
            time.sleep(LOOK_S)
        child.send(signal.SIGKILL)
        spent = child.finish(-signal.SIGKILL)
    shutil.rmtree(folder / "planned")
    if first is None:
        raise MeasuringError("the plan led to no call")
    return Leg(spent, first - spent.began, 0.0)


def _leg(command: Sequence[str], folder: Path, place: AccountAt, calls: int) -> Leg:
    """Run a command to its end and ask the server when it called, and whether as often as it should."""
    with Child(command, folder, patience_s=PATIENCE_S) as child:
        spent = child.finish(0)
    seen = place.seen()
    place.forget()
    if seen.calls != calls or seen.first is None or seen.last is None:
        raise MeasuringError(f"{' '.join(command[:3])} ...: {seen.calls} calls, expected {calls}")
    return Leg(spent, seen.first - spent.began, seen.last - seen.first)


def _rendered(folder: Path, run_id: str) -> dict[str, Spent]:
    """Render each report of a run; nobody calls now, so that half of them may have the server's core."""
    lanes = ((CLIENT, FORMATS[::2]), (SERVER, FORMATS[1::2])) if pins() else ((CLIENT, FORMATS),)
    with ThreadPoolExecutor(len(lanes)) as pool:
        waiting = [pool.submit(_lane, folder, run_id, names, core) for core, names in lanes]
        return {name: spent for lane in waiting for name, spent in lane.result().items()}


def _lane(folder: Path, run_id: str, names: Sequence[str], core: int) -> dict[str, Spent]:
    """Render reports of a run one after another, and keep none of them."""
    found: dict[str, Spent] = {}
    for name in names:
        say(f"scale: report {name}")
        command = bulkip("report", run_id, "-f", f"{name}=report.{name}")
        found[name] = measured(command, folder, whose=core)
        (folder / f"report.{name}").unlink()
    return found


def leave(store: Path, left: int) -> int:
    """Take what is known of the last items of a finished run away, as if it had been stopped before them."""
    with closing(sqlite3.connect(store)) as connection, connection:
        (items,) = connection.execute("SELECT COUNT(*) FROM item").fetchone()
        for table in ("attempt", "result"):
            connection.execute(f"DELETE FROM {table} WHERE item > ?", (items - left,))  # noqa: S608 - of the line above
    return left

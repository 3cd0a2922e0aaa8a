"""Whether processes that share a limiter keep to the rate together, and how often they ask the database."""

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import psycopg

from tests.bench.accounts import Terms
from tests.bench.arrivals import Log, Window, excess
from tests.bench.jobs import READ, write_job, write_rows
from tests.bench.processes import Child, bulkip, say
from tests.bench.section import Section
from tests.bench.servers import AccountAt, accounts
from tests.bench.tables import table
from tests.postgres import Postgres, postgres

SIDE_BY_SIDE = (1, 2, 3)
RATES = (50, 1000)
SECONDS, QUICK_SECONDS = 8, 3
IN_FLIGHT = 32
PATIENCE_S = 120.0
SETTLED_S = 1.5
"""So long the database takes to count what it did."""
NOTE = (
    "  worst: the fullest second of the server's log to the rate; reached: of the rate, first call to last\n"
    "  (95 % is the aim: headroom 5 %); commits: transactions of the database, those to connect included"
)


@dataclass(frozen=True, slots=True)
class Shared:
    """What came of some processes at one rate: the server's log, and the transactions of the database."""

    processes: int
    rate: int
    log: Log
    commits: int

    @property
    def worst(self) -> float:
        """The fullest second as a fraction of the rate."""
        return excess(self.log.times, [Window(self.rate)])

    @property
    def reached(self) -> float:
        """The part of the rate that was used, start-up of the processes that came later included."""
        return (len(self.log.times) - 1) / self.log.span_s / self.rate

    @property
    def commits_per_thousand(self) -> float:
        """Transactions for 1,000 calls."""
        return self.commits / len(self.log.times) * 1000


def sharing(folder: Path, *, quick: bool) -> Section:
    """Run every number of processes at every rate, one after the other."""
    found: list[Shared] = []
    cases = [(rate, processes) for rate in RATES for processes in SIDE_BY_SIDE]
    with postgres() as database, accounts([Terms()] * len(cases)) as places:
        for (rate, processes), place in zip(cases, places, strict=True):
            say(f"sharing: {processes} at {rate}/s")
            items = rate * (QUICK_SECONDS if quick else SECONDS) // processes
            found.append(_shared(folder / str(place.port), place, database, (rate, processes, items)))
    figures = {f"{one.processes} at {one.rate}/s": _figures(one) for one in found}
    return Section("sharing", (sharing_table(found),), figures)


def _shared(folder: Path, place: AccountAt, database: Postgres, case: tuple[int, int, int]) -> Shared:
    rate, processes, items = case
    url = database.new_database()
    with ExitStack() as stack:
        children = [
            stack.enter_context(_start(folder / str(number), place, url, rate, items))
            for number in range(processes)
        ]
        for child in children:
            child.finish(0)
    time.sleep(SETTLED_S)
    return Shared(processes, rate, place.log(), _commits(url))


def _start(folder: Path, place: AccountAt, url: str, rate: int, items: int) -> Child:
    folder.mkdir(parents=True)
    write_rows(folder / "rows.csv", items)
    write_job(folder / "job.yaml", place.url, READ, {"rate": f"{rate}/s", "concurrency": IN_FLIGHT})
    return Child(bulkip("run", "job.yaml", "-q", "--limiter", url), folder, patience_s=PATIENCE_S)


def _commits(url: str) -> int:
    with psycopg.connect(url) as connection:
        sql = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
        row = connection.execute(sql).fetchone()
    return int(row[0]) if row else 0


def sharing_table(found: Sequence[Shared]) -> str:
    """Return what the server and the database saw."""
    head = ("processes", "rate", "calls", "worst", "reached", "commits per 1,000 calls")
    rows = [
        (
            str(one.processes),
            f"{one.rate}/s",
            f"{len(one.log.times):,}",
            f"{one.worst:.3f} x",
            f"{one.reached:.1%}",
            f"{one.commits_per_thousand:.0f}",
        )
        for one in found
    ]
    return table(f"One rate for several processes (--limiter)\n{NOTE}", head, rows)


def _figures(one: Shared) -> dict[str, float]:
    return {
        "calls": len(one.log.times),
        "worst": one.worst,
        "reached": one.reached,
        "commits_per_thousand": one.commits_per_thousand,
    }

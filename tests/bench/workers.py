"""What it costs to share a run among workers: for an item, for a shard, and with many shards waiting."""

import json
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import psycopg

from tests.bench.accounts import Terms
from tests.bench.cputimes import cpu_s
from tests.bench.jobs import READ, write_job, write_rows
from tests.bench.processes import Child, MeasuringError, bulkip, measured, say, script
from tests.bench.section import Section
from tests.bench.servers import AccountAt, accounts
from tests.bench.tables import number, table
from tests.postgres import Postgres, postgres

SIDE_BY_SIDE = (0, 1, 2, 3)
"""So many workers; 0 is the engine that works alone, in one process over SQLite."""
ITEMS, QUICK_ITEMS = 6_000, 1_000
SHARD_ITEMS = 500
DEPTHS, QUICK_DEPTHS = (200, 20_000), (200, 2_000)
RATE = "20000/s"
FAR_S = 0.025
IN_FLIGHT = {0.0: 16, FAR_S: 4}
"""How many calls are on their way for each shard, by how late the server answers; 4 is what jobs have."""
PATIENCE_S = 120.0
LOOK_S = 0.05
KNOWN = "SELECT count(*) FROM bulkip.procrastinate_workers"
NOTE = (
    "  alone: one process over SQLite. A worker is at two shards, each with so many calls in flight; the\n"
    "  coordinator does none itself. CPU: of bulkip but for the start of workers, and of PostgreSQL; of a\n"
    "  shard: CPU ms of its 500 items beyond those of the first row; besides: seconds of the run before\n"
    "  its first call and after its last. Only the server has a core of its own"
)
QUEUE_NOTE = (
    "  ms for one shard after the other, by bulkip.cluster.queue: the median of 200 (defer: of all);\n"
    "  missing: ms to look whether any shard of the run has fallen out"
)


@dataclass(frozen=True, slots=True)
class Crewed:
    """What came of a run by its server's log, and what was taken for it."""

    workers: int
    delay_s: float
    items: int
    calling_s: float
    wall_s: float
    own_cpu_s: float
    database_cpu_s: float

    @property
    def calls_per_s(self) -> float:
        """Calls a second, from the first to the last."""
        return (self.items - 1) / self.calling_s

    @property
    def cpu_us(self) -> float:
        """Microseconds of CPU for an item, of bulkip and PostgreSQL together."""
        return (self.own_cpu_s + self.database_cpu_s) / self.items * 1e6


@dataclass(frozen=True, slots=True)
class Depth:
    """What the queue takes for one shard while so many wait; all in milliseconds."""

    depth: int
    defer_ms: float
    missing_ms: float
    take_ms: float
    acknowledge_ms: float


def workers(folder: Path, *, quick: bool) -> Section:
    """Run the same items with every number of workers, then fill the queue."""
    items, depths = (QUICK_ITEMS, QUICK_DEPTHS) if quick else (ITEMS, DEPTHS)
    cases = [(delay_s, count) for delay_s in IN_FLIGHT for count in SIDE_BY_SIDE if count or not delay_s]
    found: list[Crewed] = []
    with postgres() as database, accounts([Terms(delay_s=delay_s) for delay_s, _ in cases]) as places:
        for (delay_s, count), place in zip(cases, places, strict=True):
            say(f"workers: {count or 'none'}, answers after {delay_s * 1e3:.0f} ms")
            own = folder / str(place.port)
            own.mkdir()
            found.append(_run(own, place, database, (delay_s, count, items)))
        queues = [_depth(folder, database, depth) for depth in depths]
    tables = (crew_table(found), queue_table(queues))
    return Section("workers", tables, {"runs": [*map(asdict, found)], "queue": [*map(asdict, queues)]})


def _run(folder: Path, place: AccountAt, database: Postgres, case: tuple[float, int, int]) -> Crewed:
    """Run one case, by what the server logged and what processes took meanwhile."""
    delay_s, count, items = case
    write_rows(folder / "rows.csv", items)
    limits = {"rate": RATE, "headroom": "0%", "concurrency": IN_FLIGHT[delay_s]}
    write_job(folder / "job.yaml", place.url, READ, limits)
    command = ["run", "job.yaml", "-q"]
    with ExitStack() as stack:
        crew: list[int] = []
        if count:
            url = database.new_database()
            command += ["--no-work", "--cluster", url]
            crew = stack.enter_context(_crew(folder, url, count))
        before_s, servers_before_s = cpu_s(crew), cpu_s(database.pids)
        with Child(bulkip(*command), folder, patience_s=PATIENCE_S, whose=None) as child:
            spent = child.finish(0)
        own_s, servers_s = cpu_s(crew) - before_s + spent.cpu_s, cpu_s(database.pids) - servers_before_s
    log = place.log()
    if len(log.times) != items:
        raise MeasuringError(f"{len(log.times)} calls for {items} items with {count} workers")
    return Crewed(count, delay_s, items, log.span_s, spent.wall_s, own_s, servers_s if count else 0.0)


@contextmanager
def _crew(folder: Path, url: str, count: int) -> Iterator[list[int]]:
    """Let so many workers wait for work until the block ends; they cost nothing but what they do in it."""
    measured(bulkip("cluster", "init", url), folder)
    with ExitStack() as stack:
        children = [
            stack.enter_context(Child(bulkip("worker", url, "-q"), folder, whose=None)) for _ in range(count)
        ]
        _wait_for(url, count)
        yield [child.pid for child in children]
        for child in children:
            child.send(signal.SIGTERM)
            child.finish(128 + signal.SIGTERM)


def _wait_for(url: str, count: int) -> None:
    deadline = time.monotonic() + PATIENCE_S
    with psycopg.connect(url, autocommit=True) as connection:
        while connection.execute(KNOWN).fetchone() != (count,):
            if time.monotonic() > deadline:
                raise MeasuringError(f"{count} workers did not start")
            time.sleep(LOOK_S)


def _depth(folder: Path, database: Postgres, depth: int) -> Depth:
    say(f"workers: {depth:,} shards waiting")
    url, file = database.new_database(), folder / f"depth-{depth}.json"
    measured(bulkip("cluster", "init", url), folder)
    measured(script("deepqueue.py", url, str(depth), str(file)), folder, whose=None)
    return Depth(**json.loads(file.read_text(encoding="utf-8")))


def crew_table(found: Sequence[Crewed]) -> str:
    """Return what each run took, the first of them without workers."""
    head = ("", "calls/s", "CPU us/item", "bulkip", "PostgreSQL", "of a shard", "besides, s")
    rows = [
        (
            _title(one),
            number(one.calls_per_s),
            number(one.cpu_us),
            number(one.own_cpu_s / one.items * 1e6),
            number(one.database_cpu_s / one.items * 1e6) if one.workers else "",
            _of_a_shard(one, found[0]),
            number(one.wall_s - one.calling_s),
        )
        for one in found
    ]
    return table(f"Workers of a cluster: {found[0].items:,} reads, the same for all\n{NOTE}", head, rows)


def _of_a_shard(one: Crewed, alone: Crewed) -> str:
    """Return what a shard costs more in a cluster, where the server is the same."""
    if not one.workers or one.delay_s != alone.delay_s:
        return ""
    return number((one.cpu_us - alone.cpu_us) * SHARD_ITEMS / 1e3)


def _title(one: Crewed) -> str:
    who = f"{one.workers} worker{'s' * (one.workers > 1)}" if one.workers else "alone"
    when = f"after {one.delay_s * 1e3:.0f} ms" if one.delay_s else "at once"
    return f"{who}, answers {when}, {IN_FLIGHT[one.delay_s]} in flight"


def queue_table(found: Sequence[Depth]) -> str:
    """Return what the queue takes for one shard at each depth."""
    head = ("waiting", "defer", "take", "acknowledge", "missing")
    rows = [
        (
            f"{one.depth:,}",
            *map(number, (one.defer_ms, one.take_ms, one.acknowledge_ms, one.missing_ms)),
        )
        for one in found
    ]
    return table(f"The queue of shards\n{QUEUE_NOTE}", head, rows)

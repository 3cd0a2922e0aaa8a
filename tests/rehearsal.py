"""How tests carry a job out inside their own loop, against a simulator there, and what came of it."""

import sqlite3
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from anyio import current_time, to_thread

from bulkip.events import Event
from bulkip.model import Counts
from bulkip.policy import VerifyMode
from bulkip.purse import Purse
from bulkip.reports.rows import report_rows
from bulkip.run.beforehand import stages_before
from bulkip.run.ending import LastWord, Waits, close_books, code_of, count
from bulkip.run.engine import Endpoint, allowance_of
from bulkip.run.options import RunOptions
from bulkip.run.planning import Prepared, now_utc, prepare
from bulkip.run.stages import Stage, StageEnd, StageRules, run_stage, with_accounts
from bulkip.settings import load_job
from bulkip.simulator import Fault, Seed, Simulator, SimulatorSettings, Subnet
from bulkip.stops import Stop
from bulkip.store import RunReader
from bulkip.store.schema import store_path

HEAD = """
version: 1
name: rehearsal
api: {url: "http://127.0.0.1:1/ip.php"}
"""
LIMITS = "limits: {rate: 100/s}\n"
"""What a job gets that states no limits of its own."""


@dataclass(frozen=True, slots=True)
class Carried:
    """What a run left: its rows, its attempts, its counts, what stopped it, and what it told."""

    rows: list[dict[str, Any]]
    attempts: list[dict[str, Any]]
    counts: Counts
    stop: Stop | None
    events: list[Event]

    @property
    def code(self) -> int:
        """The exit code."""
        return code_of(self.counts, self.stop)

    @property
    def statuses(self) -> list[str]:
        """The status of each row, in plan order."""
        return [row["status"] for row in self.rows]

    def tally(self) -> dict[str, int]:
        """Count the rows by status."""
        return dict(Counter(self.statuses))

    def calls(self, purpose: str = "call") -> list[dict[str, Any]]:
        """Return the attempts with one purpose."""
        return [attempt for attempt in self.attempts if attempt["purpose"] == purpose]


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a test wants besides the job: how long calls may end after a stop, and who hears of events."""

    grace_s: float = 20.0
    tell: Callable[[Event], None] = field(default=lambda _event: None)
    token: str = "simulated"
    key: str = ""


@asynccontextmanager
async def provider(
    *seeds: Seed | Subnet, faults: tuple[Fault, ...] = (), latency_s: float = 0.0
) -> AsyncIterator[Simulator]:
    """Serve a simulated account in this loop, its log stamped with this loop's clock."""
    settings = SimulatorSettings(faults=faults, latency_s=latency_s)
    async with Simulator(seeds, settings, clock=current_time) as simulator:
        yield simulator


def addresses(count: int, first: int = 1) -> list[Seed]:
    """Return so many addresses of server 4711, each with a PTR record of its own."""
    hosts = range(first, first + count)
    return [
        Seed(f"203.0.{113 + host // 256}.{host % 256}", 4711, "NL", f"old-{host}.example.org")
        for host in hosts
    ]


async def plan(folder: Path, job: str, head: str = HEAD) -> Prepared:
    """Freeze the plan of a job: the text without its head."""
    path = folder / "job.yaml"

    def prepared() -> Prepared:
        path.write_text(head + job + ("" if "limits:" in job else LIMITS))
        return prepare(load_job(path), RunOptions(run_dir=folder / "runs"), now_utc())

    return await to_thread.run_sync(prepared)


async def carry_out(folder: Path, job: str, api: Simulator, wishes: Wishes | None = None) -> Carried:
    """Carry a job out against a simulator: plan, read, apply, prove, as `bulkip run --yes` does."""
    wishes = wishes or Wishes()
    endpoint = Endpoint(api.url, Purse(time.time, token="" if wishes.key else wishes.token, key=wishes.key))
    return await carry_plan(await plan(folder, job), endpoint, wishes)


async def carry_plan(prepared: Prepared, endpoint: Endpoint, wishes: Wishes) -> Carried:
    """Carry a frozen plan out against an endpoint."""
    events: list[Event] = []

    def tell(event: Event) -> None:
        events.append(event)
        wishes.tell(event)

    allowance = await to_thread.run_sync(allowance_of, prepared)
    rules = StageRules(grace_s=wishes.grace_s, tell=tell, allowance=allowance)
    proving = [] if prepared.job.verify.mode is VerifyMode.NONE else [Stage.VERIFYING]
    end, due = StageEnd(None, None), chain(stages_before(prepared, endpoint), [Stage.APPLYING], proving)
    while end.stop is None and (stage := await to_thread.run_sync(next, due, None)):
        end = await run_stage(stage, prepared, endpoint, end.start, rules)
    end = with_accounts(end, allowance)
    code = code_of(await to_thread.run_sync(count, prepared.run_dir), end.stop)
    why = (end.stop.reason, end.stop.error_class.value) if end.stop else None
    await close_books(prepared.run_dir, LastWord(end.start, code, why), Waits({}))
    return await to_thread.run_sync(_carried, prepared.run_dir, end, events)


def _carried(run_dir: Path, end: StageEnd, events: list[Event]) -> Carried:
    with RunReader(run_dir) as reader:
        rows: list[dict[str, Any]] = [*report_rows(reader)]
        counts = reader.counts()
    return Carried(rows, attempts_of(run_dir), counts, end.stop, events)


def attempts_of(run_dir: Path) -> list[dict[str, Any]]:
    """Return the attempts that a run store holds now, each with address and action of its item."""
    with closing(sqlite3.connect(store_path(run_dir))) as store:
        store.row_factory = sqlite3.Row
        found = store.execute(
            "SELECT attempt.*, item.ip, item.action FROM attempt "
            "LEFT JOIN item ON item.number = attempt.item ORDER BY sent_at, item, attempt.number"
        )
        return [dict(row) for row in found]


def by_address(carried: Carried) -> Mapping[str, dict[str, Any]]:
    """Return the rows of a run with one action by their address."""
    return {row["ip"]: row for row in carried.rows}

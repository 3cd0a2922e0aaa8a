"""A cluster of real processes: PostgreSQL, a simulated provider, workers and coordinators."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from bulkip.cluster.runs import found_run
from bulkip.reports.rows import report_rows
from bulkip.reports.summary import summary
from bulkip.store import RunHistory, RunReader
from tests.chaos.laws import Evidence, Violation, unfinished, violations
from tests.chaos.witness import LogTail, ptr_names, replaced_names
from tests.program import Ended, bulkip, clean_environment
from tests.providerprocess import TOKEN, Provider, provider

PATIENCE_S = 90
CLUSTER_ITEMS = 700
"""Enough for two shards, so that two workers with one each are both at work."""
ENV = {"HOSTKEY_TOKEN": TOKEN}
JOB = """
version: 1
name: {name}
api: {{url: "{url}"}}
targets: [{{csv: rows.csv}}]
actions: [{{action: update_ptr, with: {{id: 4711}}}}]
limits: {{rate: {rate}/s, concurrency: 8}}
retry: {{base: 10ms}}
safety: {{max_failed: none}}
verify: {{settle: 50ms}}
{more}
"""


ONE_EACH = ("--shards", "1")
TABLES = """
SELECT format('%I.%I', schemaname, tablename) FROM pg_tables
WHERE schemaname NOT IN ('pg_catalog', 'information_schema')
"""
HOLDS, LIKE = "SELECT 1 FROM", "AS t WHERE t::text LIKE %s LIMIT 1"


def address(number: int) -> str:
    """Return one of the provider's addresses."""
    return f"10.9.{number >> 8}.{number & 255}"


@dataclass(slots=True)
class Site:
    """A folder with a job, a provider that it leads to, and the cluster that it is run in."""

    folder: Path
    url: str
    api: Provider
    items: int
    env: Mapping[str, str] = field(default_factory=lambda: ENV)
    program: Sequence[str] = ("-m", "bulkip")

    def write_job(self, rate: int, more: str = "") -> None:
        """Write the job once more, with further settings."""
        job = JOB.format(name="migration", url=self.api.url, rate=rate, more=more)
        (self.folder / "job.yaml").write_text(job)

    @property
    def plan(self) -> dict[str, str]:
        """The name that each address is to get."""
        return {address(number): f"new-{number}.example.net" for number in range(self.items)}

    def bulkip(self, *arguments: str, env: Mapping[str, str] | None = None) -> Ended:
        """Run a command about the cluster to its end."""
        return bulkip(
            *arguments, "--cluster", self.url, cwd=self.folder, env=self.env if env is None else env
        )

    @contextmanager
    def coordinator(self, *options: str) -> Iterator[subprocess.Popen[str]]:
        """Run the job of the folder; it is killed when the block ends, should it still be there."""
        with self._process("run", "job.yaml", "--yes", "--cluster", self.url, *options) as process:
            yield process

    @contextmanager
    def workers(self, count: int = 1, *options: str) -> Iterator[list[subprocess.Popen[str]]]:
        """Run workers until the block ends."""
        if count == 0:
            yield []
            return
        with (
            self._process("worker", *(options or ONE_EACH), env={"BULKIP_CLUSTER": self.url}) as process,
            self.workers(count - 1, *options) as others,
        ):
            yield [process, *others]

    @contextmanager
    def _process(
        self, *arguments: str, env: Mapping[str, str] | None = None
    ) -> Iterator[subprocess.Popen[str]]:
        with subprocess.Popen(
            [sys.executable, *self.program, *arguments],
            cwd=self.folder,
            env=clean_environment() | dict(self.env) | dict(env or {}),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                yield process
            finally:
                if process.poll() is None:
                    process.send_signal(signal.SIGCONT)
                    process.kill()

    def until(self, condition: Callable[[], object], patience_s: float = PATIENCE_S) -> None:
        """Wait for something that others bring about."""
        deadline = time.monotonic() + patience_s
        while not condition():
            assert time.monotonic() < deadline, "it did not come about"
            time.sleep(0.05)

    def until_written(self, count: int, patience_s: float = PATIENCE_S) -> None:
        """Wait until the provider has seen so many writes."""
        log = LogTail(self.api.log)
        self.until(lambda: log.seen("update_ptr") >= count, patience_s)

    def writes(self) -> list[dict[str, Any]]:
        """Return the writes that reached the provider."""
        return [one for one in self.api.seen() if one["action"] == "update_ptr"]

    def doubled(self) -> int:
        """Return how many writes reached the provider more often than once for their address."""
        return sum(count - 1 for count in Counter(one["ip"] for one in self.writes()).values())

    def sql(self, text: str) -> list[tuple[Any, ...]]:
        """Ask the database of the cluster, in the schema of its only run."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            found = connection.execute("SELECT id FROM bulkip.runs ORDER BY created_at").fetchall()
            if found:
                connection.execute(f'SET search_path TO "run_{found[-1][0]}", bulkip'.encode())
            cursor = connection.execute(text.encode())
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def locked(self, table: str) -> Iterator[None]:
        """Let nobody write into a table of the newest run until the block ends."""
        run = self.run_ids()[-1]
        with psycopg.connect(self.url) as connection:
            connection.execute(f'LOCK TABLE "run_{run}"."{table}" IN EXCLUSIVE MODE'.encode())
            yield
            connection.rollback()

    def run_ids(self) -> list[str]:
        """Return the runs that the cluster keeps, the oldest first."""
        return [run for (run,) in self.sql("SELECT id FROM bulkip.runs ORDER BY created_at")]

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows that a report of the newest run has."""
        done = self.bulkip("report", "last", "-f", "jsonl")
        assert done.code == 0, done.err
        return [json.loads(line) for line in done.out.splitlines()]

    def broken_laws(self) -> list[Violation]:
        """Return which laws of a run the newest one broke, by its rows and the provider's log."""
        home = found_run(self.url, "last")
        with RunReader(home) as reader:
            rows, told = [*report_rows(reader)], summary(reader)
        with RunHistory(home) as history:
            attempts = [dict(row) for row in history.attempts()]
        state = self.api.log.parent / "state.db"
        evidence = Evidence(
            self.plan,
            rows,
            attempts,
            self.api.seen(),
            ptr_names(state, self.plan),
            summary=told,
            replaced=replaced_names(state),
        )
        return [*violations(evidence), *unfinished(evidence)]


@contextmanager
def site(folder: Path, url: str, items: int, rate: int = 500, *options: str) -> Iterator[Site]:
    """Write a job for so many addresses, and run the provider that it leads to until the block ends."""
    base = folder / "provider"
    base.mkdir(parents=True)
    state = ("--state", str((base / "state.db").absolute()))
    with provider(base, "--addresses", "10.9.0.0/16=4711", *state, *options) as api:
        found = Site(folder, url, api, items)
        lines = [f"{ip},{ptr}" for ip, ptr in found.plan.items()]
        (folder / "rows.csv").write_text("\n".join(["ip,ptr", *lines]) + "\n")
        found.write_job(rate)
        yield found


def finished(process: subprocess.Popen[str], patience_s: float = PATIENCE_S) -> tuple[int, str]:
    """Wait for the end of a process; return its exit code and what it said."""
    err = process.communicate(timeout=patience_s)[1]
    return process.returncode, err


def alive(process: subprocess.Popen[str]) -> bool:
    """Say whether a process has not ended."""
    return process.poll() is None


def kill(process: subprocess.Popen[str]) -> None:
    """Kill a process so that it cannot clean up."""
    os.kill(process.pid, signal.SIGKILL)
    process.wait(PATIENCE_S)


def secrets_found(url: str, secret: str) -> list[str]:
    """Return the tables of a database in which a secret stands."""
    with psycopg.connect(url, autocommit=True) as connection:
        found = connection.execute(TABLES).fetchall()
        like = (f"%{secret}%",)
        asked = ((name, connection.execute(f"{HOLDS} {name} {LIKE}".encode(), like)) for (name,) in found)
        return [name for name, rows in asked if rows.fetchone()]

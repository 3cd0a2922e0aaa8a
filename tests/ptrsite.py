"""A folder with a job of three PTR records, and a provider whose DNS shows them: for tests of looking."""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bulkip.simulator import DnsSettings, EmbeddedSimulator, Seed, Simulator, SimulatorSettings
from bulkip.store import RunReader
from tests.program import Ended, bulkip

TOKEN = {"HOSTKEY_TOKEN": "simulated"}
FIRST, SECOND, THIRD = "203.0.113.7", "203.0.113.8", "203.0.113.9"
OLD, NEW = "old.example.org", "mail.example.net"
WANTED = {FIRST: NEW, SECOND: "mx.example.net", THIRD: "www.example.net"}
SEEDS = tuple(Seed(ip, 4711, "NL", name) for ip, name in WANTED.items())
"""Everything as the job wants it."""


@dataclass(frozen=True)
class PtrSite:
    """The folder and the provider."""

    folder: Path
    api: Simulator

    def write_job(
        self, more: str = "", actions: str = "[{action: update_ptr}]", name: str = "job.yaml"
    ) -> None:
        """Write the job, with further blocks."""
        rows = "".join(f"{ip},4711,{ptr}\n" for ip, ptr in WANTED.items())
        (self.folder / "rows.csv").write_text("ip,id,ptr\n" + rows)
        verify = "" if "verify:" in more else f"verify: {{resolvers: ['{self.api.dns}'], settle: 10ms}}\n"
        (self.folder / name).write_text(
            f"version: 1\nname: ptrs\napi: {{url: '{self.api.url}'}}\ntargets: [{{csv: rows.csv}}]\n"
            f"actions: {actions}\nlimits: {{rate: 500/s}}\nretry: {{base: 10ms}}\n{verify}{more}"
        )

    def bulkip(self, *arguments: str, **env: str) -> Ended:
        """Run a command with the token, as a pipeline does: without a terminal."""
        return bulkip(*arguments, cwd=self.folder, env=TOKEN | env)

    def rows(self, run: str = "last") -> list[dict[str, Any]]:
        """Return the report rows of a run."""
        return rows_of(self.bulkip("report", run, "-f", "jsonl"))

    def set_ptr(self, ip: str, name: str) -> None:
        """Let somebody else change a record behind the job's back."""
        self.api.state.set_ptr(ip, 4711, (name,), time.monotonic())

    def asked(self) -> set[str | None]:
        """Return which actions the provider was called with."""
        return {entry.action for entry in self.api.log.entries()}

    def run_dirs(self) -> list[str]:
        """Return the ids of the kept runs, the oldest first."""
        return [
            folder.name for folder in sorted((self.folder / ".bulkip" / "runs").iterdir(), key=_planned_at)
        ]


def _planned_at(folder: Path) -> float:
    """Return when a run was planned; ids of one second do not tell."""
    with RunReader(folder) as reader:
        return reader.header().created_at


def rows_of(ended: Ended) -> list[dict[str, Any]]:
    """Return the rows that a command wrote to stdout."""
    return [json.loads(line) for line in ended.out.splitlines()]


def statuses(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Return the status of each row."""
    return [row["status"] for row in rows]


@contextmanager
def ptr_site(folder: Path, *seeds: Seed, dns: DnsSettings | None = None) -> Iterator[PtrSite]:
    """Serve these addresses, those of the job by default, and write the job."""
    settings = SimulatorSettings(dns=dns or DnsSettings())
    with EmbeddedSimulator(seeds or SEEDS, settings) as api:
        site = PtrSite(folder, api)
        site.write_job()
        yield site

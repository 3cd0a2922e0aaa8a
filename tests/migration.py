"""A PTR migration of many addresses, as tests tell it: the account, the job, and the program beside it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bulkip.simulator import EmbeddedSimulator, Seed, Simulator, SimulatorSettings
from tests.program import Ended, bulkip, clean_environment

TOKEN = {"HOSTKEY_TOKEN": "simulated"}
SERVER = 4711
PATIENCE_S = 60


def address(number: int) -> str:
    """Return one of the addresses, from 0."""
    return f"198.51.{number // 250}.{number % 250}"


def old_name(number: int) -> str:
    """Return the PTR name that an address has before."""
    return f"old-{number}.example.org"


def new_name(number: int) -> str:
    """Return the PTR name that the migration gives an address."""
    return f"new-{number}.example.net"


ACTIONS = """actions:
  - {action: update_ptr, allow_empty: true, with: {id: 4711, ptr: "{{ row.ptr }}"}}
"""


@dataclass(frozen=True, slots=True)
class Migration:
    """The folder where the operator works, the provider, and how many addresses there are."""

    folder: Path
    api: Simulator
    count: int

    def write_job(self, more: str = "", **rows: str) -> None:
        """Write the job and its rows; `rows` maps an address's number (n7) to another cell for `ptr`."""
        cells = [rows.get(f"n{number}", new_name(number)) for number in range(self.count)]
        table = "".join(f"{address(number)},{ptr}\n" for number, ptr in enumerate(cells))
        (self.folder / "rows.csv").write_text(f"ip,ptr\n{table}")
        verify = "" if "verify:" in more else "verify: {settle: 50ms}\n"
        action = "" if "actions:" in more else ACTIONS
        (self.folder / "job.yaml").write_text(
            f"version: 1\nname: move\napi: {{url: '{self.api.url}'}}\ntargets: [{{csv: rows.csv}}]\n"
            f"{action}limits: {{rate: 500/s, concurrency: 8}}\nretry: {{base: 20ms}}\n{verify}{more}"
        )

    def do(self, *arguments: str, stdin: str = "") -> Ended:
        """Run the program in the operator's folder."""
        return bulkip(*arguments, cwd=self.folder, env=TOKEN, stdin=stdin)

    def planned(self, *options: str) -> Ended:
        """Save a plan as p.json."""
        return self.do("plan", "job.yaml", "-o", "p.json", *options)

    def done(self, *arguments: str) -> Ended:
        """Run the program with --yes; it must succeed."""
        ended = self.do(*arguments, "--yes")
        assert ended.code == 0, ended.err
        return ended

    @contextmanager
    def under_way(self, *arguments: str) -> Iterator[subprocess.Popen[str]]:
        """Start the program, and wait for its end when the block ends."""
        command = [sys.executable, "-m", "bulkip", *arguments]
        environment = clean_environment() | TOKEN
        pipe = subprocess.PIPE
        with subprocess.Popen(
            command, cwd=self.folder, env=environment, stdout=pipe, stderr=pipe, text=True
        ) as process:
            yield process
            process.communicate(timeout=PATIENCE_S)

    def cut_short(self, how: signal.Signals, action: str, after: int, *arguments: str) -> int:
        """Start the program, and send it a signal once the provider saw so many more calls of an action."""
        mark, deadline = self.api.state.count(action) + after, time.monotonic() + PATIENCE_S
        with self.under_way(*arguments) as process:
            while self.api.state.count(action) < mark and time.monotonic() < deadline:
                os.sched_yield()
            process.send_signal(how)
        return process.returncode

    def rows(self, run: str = "last") -> list[dict[str, Any]]:
        """Return the rows of a run."""
        told = self.do("report", run, "-f", "jsonl").out
        return [json.loads(line) for line in told.splitlines()]

    def tally(self, run: str = "last") -> dict[str, int]:
        """Count the rows of a run by status."""
        return dict(Counter(row["status"] for row in self.rows(run)))

    def items(self) -> list[dict[str, Any]]:
        """Return the items of the saved plan."""
        found: list[dict[str, Any]] = json.loads((self.folder / "p.json").read_text())["items"]
        return found

    def digest(self) -> str:
        """Return the digest of the saved plan."""
        return str(json.loads((self.folder / "p.json").read_text())["head"]["digest"])

    def names(self) -> list[str]:
        """Return the PTR name of each address as the provider has it now; `-` for none."""
        return [",".join(self.api.state.ptr_of(address(number))) or "-" for number in range(self.count)]

    def set_elsewhere(self, number: int, name: str) -> None:
        """Change a PTR as somebody else would, without the program."""
        self.api.state.set_ptr(address(number), SERVER, (name,) if name else (), 0.0)

    def writes(self) -> Counter[str]:
        """Count the update_ptr calls that arrived, by address, whatever came of them."""
        return Counter(str(entry.ip) for entry in self.api.log.entries("update_ptr"))


@contextmanager
def migration(
    folder: Path, count: int, settings: SimulatorSettings | None = None, *, bare: tuple[int, ...] = ()
) -> Iterator[Migration]:
    """Serve so many addresses; the `bare` ones have no PTR."""
    seeds = [
        Seed(address(number), SERVER, "NL", "" if number in bare else old_name(number))
        for number in range(count)
    ]
    with EmbeddedSimulator(seeds, settings or SimulatorSettings()) as api:
        told = Migration(folder, api, count)
        told.write_job()
        yield told

"""A run to which something happens at its n-th write, just before the server answers that."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from bulkip.simulator import EmbeddedSimulator, Seed, Simulator, SimulatorSettings
from tests.chaos.forked import ended
from tests.chaos.witness import run_folder
from tests.program import Ended

COUNT, WORKERS, AT = 30, 4, 10
LATENCY_S = 0.02
"""So that there are always calls in flight."""
TOKEN = {"HOSTKEY_TOKEN": "simulated"}
MARK = '"action": "update_ptr"'
JOB = """
version: 1
name: accident
api: {{url: "{url}"}}
targets: [{{cidr: 203.0.113.0/27, id: 4711}}, "!203.0.113.30/31"]
actions: [{{action: update_ptr, with: {{ptr: "{{{{ ip.dashed }}}}.example.net"}}}}]
limits: {{rate: 2000/s, concurrency: {workers}}}
verify: {{settle: 10ms}}
"""
Happening = Callable[[Path], None]
"""What happens, to the folder of the run."""


@dataclass(frozen=True, slots=True)
class Umask:
    """A habit of the caller's shell; as `first` of a `Start` it is called in the new process."""

    mask: int

    def __call__(self) -> None:
        """Take the habit on."""
        os.umask(self.mask)


class Accident(StringIO):
    """A request log in which something happens when the write of that number arrives."""

    def __init__(self, happening: Happening, base: Path) -> None:
        """Let it happen to the only run that is kept below a folder."""
        super().__init__()
        self._happening = happening
        self._base = base
        self._left = AT

    def write(self, line: str) -> int:
        """Keep a line; the server answers when this returns."""
        self._left -= MARK in line
        if self._left == 0 and MARK in line:
            folder = run_folder(self._base)
            assert folder is not None
            self._happening(folder)
        return super().write(line)


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What is left when the run has ended."""

    home: Path
    api: Simulator
    ended: Ended

    @property
    def folder(self) -> Path | None:
        """The folder of the run, if there still is one."""
        return run_folder(self.home / ".bulkip")

    def facts(self) -> list[dict[str, Any]]:
        """Return what was printed because no store took it."""
        return [json.loads(line) for line in self.ended.out.splitlines() if line.startswith('{"unsaved"')]

    def written(self) -> set[str]:
        """Return the addresses that the server changed."""
        return {effect.ip for effect in self.api.state.writes()}

    def bulkip(self, *arguments: str) -> Ended:
        """Run a command in the same place."""
        (self.home / "told.txt").unlink()
        return ended(*arguments, folder=self.home, environment=TOKEN)


@contextmanager
def aftermath(home: Path, happening: Happening, *options: str) -> Iterator[Aftermath]:
    """Carry out a run of thirty writes to which something happens; the provider stays for what comes next."""
    seeds = [Seed(f"203.0.113.{host}", 4711, "NL", f"old-{host}.example.org") for host in range(COUNT)]
    settings = SimulatorSettings(log=Accident(happening, home / ".bulkip"), latency_s=LATENCY_S)
    with EmbeddedSimulator(seeds, settings) as api:
        (home / "job.yaml").write_text(JOB.format(url=api.url, workers=WORKERS))
        yield Aftermath(
            home, api, ended("run", "job.yaml", "--yes", *options, folder=home, environment=TOKEN)
        )

"""A nightly job and its provider, for tests that run many commands: in this process, which is quick."""

import json
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, field
from io import BytesIO, StringIO, TextIOWrapper
from pathlib import Path
from typing import Any

from bulkip.cli import exit_code_of
from bulkip.run.signals import STOPPING_SIGNALS
from bulkip.simulator import EmbeddedSimulator, Fault, Seed, SimulatorSettings
from tests.program import Ended

ADDRESSES = 32
TOKEN = "simulated"
JOB = """
version: 1
name: nightly
api: {{url: "{url}"}}
timezone: Europe/Amsterdam
targets: [203.0.113.0/27]
actions: [{{action: get_traffic, period: {period}}}]
limits: {{rate: 500/s, concurrency: 8}}
retry: {{base: 1ms, max: 2ms}}
"""


@dataclass(frozen=True)
class NightSite:
    """A folder in which tests stand, with a nightly job, and the log of its provider."""

    folder: Path
    url: str
    log: StringIO = field(default_factory=StringIO)

    def job(self, period: str = "yesterday") -> None:
        """Write the job."""
        (self.folder / "job.yaml").write_text(JOB.format(url=self.url, period=period))

    def run(self, *options: str) -> Ended:
        """Run the job to its end."""
        return self.bulkip("run", "job.yaml", "--progress", "none", *options)

    def bulkip(self, *arguments: str) -> Ended:
        """Run a command to its end; what it did to the handlers of signals is taken back."""
        handlers = {number: signal.getsignal(number) for number in STOPPING_SIGNALS}
        out, err = TextIOWrapper(BytesIO(), encoding="utf-8", write_through=True), StringIO()
        try:
            with redirect_stdout(out), redirect_stderr(err):
                code = exit_code_of(list(arguments))
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
        out.seek(0)
        return Ended(code, out.read(), err.getvalue())

    def seen(self) -> list[dict[str, Any]]:
        """Return what the provider saw so far, in order."""
        return [json.loads(line) for line in self.log.getvalue().splitlines()]

    def asked(self) -> Counter[tuple[str, str]]:
        """Count the questions by address and first second."""
        return Counter((call["ip"], call["form"]["period_start"]) for call in self.seen())

    def runs(self) -> list[Path]:
        """Return the folders of runs."""
        return sorted((self.folder / ".bulkip" / "runs").glob("*"))


@contextmanager
def night_site(folder: Path, *faults: Fault, latency_s: float = 0.0) -> Iterator[NightSite]:
    """Serve 32 addresses, and write the job."""
    log = StringIO()
    seeds = [Seed(f"203.0.113.{host}", 4711, "NL") for host in range(ADDRESSES)]
    settings = SimulatorSettings(faults=faults, latency_s=latency_s, log=log)
    with EmbeddedSimulator(seeds, settings) as api:
        site = NightSite(folder, api.url, log)
        site.job()
        yield site


def rows_of(text: str) -> list[dict[str, Any]]:
    """Return the rows of a JSONL report."""
    return [json.loads(line) for line in text.splitlines()]


def data_of(text: str) -> dict[str, Any]:
    """Return what a report says of each address and period."""
    return {f"{row['ip']} {row['params']['period_start']}": row["data"] for row in rows_of(text)}

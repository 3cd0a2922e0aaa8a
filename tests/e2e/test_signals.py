"""What is left after a signal in the middle of a run: rows, reports, and no write that nobody knows of."""

import json
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from bulkip.simulator import EmbeddedSimulator, Fault, Seed, Simulator, SimulatorSettings
from tests.program import bulkip, clean_environment

PATIENCE_S = 30
TOKEN = {"HOSTKEY_TOKEN": "simulated"}
COUNT = 80
LATER = "203.0.113.24-203.0.113.255"
JOB = """
version: 1
name: signals
api: {{url: "{url}"}}
targets: [{{cidr: 203.0.113.0/24, id: 4711}}, "!203.0.113.80-203.0.113.255"]
actions: [{{action: update_ptr, with: {{ptr: "{{{{ ip.dashed }}}}.example.net"}}}}]
limits: {{rate: 400/s, concurrency: 4}}
verify: {{settle: 10ms}}
"""


class Milestone(StringIO):
    """A request log that tells when so many calls of an action have arrived."""

    def __init__(self, action: str, calls: int) -> None:
        """Wait for this many."""
        super().__init__()
        self.action = action
        self._mark = f'"action": "{action}"'
        self._left = calls
        self.reached = Event()

    def write(self, line: str) -> int:
        """Count a line."""
        if self._mark in line:
            self._left -= 1
        if self._left == 0:
            self.reached.set()
        return super().write(line)


@dataclass
class Running:
    """A run in a process of its own, and the provider it talks to."""

    api: Simulator
    process: subprocess.Popen[str]
    folder: Path
    told: list[str] = field(default_factory=list)

    def signal(self, number: int) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def hear(self, word: str) -> None:
        """Read what the run says until a line holds a word."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.told.append(line)
            if word in line:
                return

    def end(self) -> int:
        """Wait for the end and return the exit code."""
        _, rest = self.process.communicate(timeout=PATIENCE_S)
        self.told.append(rest)
        return self.process.returncode

    def rows(self) -> list[dict[str, Any]]:
        """Return the rows that `bulkip report` renders from the store."""
        ended = bulkip("report", "last", "-f", "jsonl", cwd=self.folder)
        assert ended.code == 0, ended.err
        return [json.loads(line) for line in ended.out.splitlines()]

    def written(self) -> set[str]:
        """Return the addresses whose write the provider carried out."""
        return {effect.ip for effect in self.api.state.writes()}


@contextmanager
def running(
    folder: Path, milestone: Milestone, *options: str, faults: tuple[Fault, ...] = ()
) -> Iterator[Running]:
    """Start a run of eighty writes and wait until the milestone is reached."""
    seeds = [Seed(f"203.0.113.{host}", 4711, "NL", f"old-{host}.example.org") for host in range(COUNT)]
    slow = Fault(action=milestone.action, ip=LATER, delay_s=0.5)  # so that the signal comes in time
    settings = SimulatorSettings(log=milestone, faults=(*faults, slow))
    with EmbeddedSimulator(seeds, settings) as api:
        (folder / "job.yaml").write_text(JOB.format(url=api.url))
        command = [sys.executable, "-m", "bulkip", "run", "job.yaml", "--yes", "--progress", "plain"]
        process = subprocess.Popen(
            [*command, "--report", "jsonl=rows.jsonl", *options],
            cwd=folder,
            env=clean_environment() | TOKEN,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        with process:
            try:
                assert milestone.reached.wait(PATIENCE_S), "the run never came so far"
                yield Running(api, process, folder)
            finally:
                process.kill()


def known(rows: list[dict[str, Any]], *statuses: str) -> set[str]:
    """Return the addresses whose row has one of these statuses."""
    return {row["ip"] for row in rows if row["status"] in statuses}


@pytest.mark.parametrize(
    ("number", "code"),
    [
        pytest.param(signal.SIGINT, 130, id="ctrl-c"),
        pytest.param(signal.SIGTERM, 143, id="terminate"),
        pytest.param(signal.SIGHUP, 129, id="hang-up"),
    ],
)
def test_signal_ends_a_run_in_order(tmp_path: Path, number: int, code: int) -> None:
    """After the first signal calls in flight are answered, nothing new goes out, a report is written."""
    with running(tmp_path, Milestone("update_ptr", 20)) as run:
        run.signal(number)
        ended = run.end()
        written = run.written()

    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert ended == code, run.told
    assert known(rows, "changed") == written
    assert Counter(row["status"] for row in rows) == {
        "changed": len(written),
        "not_run": COUNT - len(written),
    }
    assert 20 <= len(written) < COUNT


def test_signal_while_reading_writes_nothing(tmp_path: Path) -> None:
    """A run that is stopped while it reads the values before has written nothing, and says so."""
    with running(tmp_path, Milestone("get_ptr", 20)) as run:
        run.signal(signal.SIGINT)
        ended = run.end()
        rows, written = run.rows(), run.written()

    assert (ended, written) == (130, set())
    assert {row["status"] for row in rows} == {"not_run"}
    assert {row["error_class"] for row in rows} == {"cancelled"}


def test_second_signal_ends_what_is_in_flight(tmp_path: Path) -> None:
    """A second signal does not wait for the answers: writes without one are unknown."""
    silent = Fault(action="update_ptr", ip=LATER, hang_s=600, effect=True)
    with running(tmp_path, Milestone("update_ptr", 28), faults=(silent,)) as run:
        run.signal(signal.SIGINT)
        run.hear("SIGINT")
        run.signal(signal.SIGINT)
        ended = run.end()
        rows, written = run.rows(), run.written()

    assert ended == 130, run.told
    assert known(rows, "changed", "unknown") == written
    assert len(known(rows, "unknown")) == 4
    assert (tmp_path / "rows.jsonl").exists()


def test_grace_ends_what_is_in_flight(tmp_path: Path) -> None:
    """A call that is not answered within --grace is given up, and its write is unknown."""
    silent = Fault(action="update_ptr", ip=LATER, hang_s=600, effect=True)
    milestone = Milestone("update_ptr", 28)
    with running(tmp_path, milestone, "--grace", "200ms", faults=(silent,)) as run:
        run.signal(signal.SIGINT)
        ended = run.end()
        rows = run.rows()

    assert (ended, len(known(rows, "unknown"))) == (130, 4)


def test_third_signal_leaves_at_once_and_the_store_is_true(tmp_path: Path) -> None:
    """However a run is left, the store has a row per item, and calls no write that was sent not run."""
    silent = Fault(action="update_ptr", ip=LATER, hang_s=600, effect=True)
    with running(tmp_path, Milestone("update_ptr", 28), faults=(silent,)) as run:
        run.signal(signal.SIGINT)
        run.hear("SIGINT")
        run.signal(signal.SIGINT)
        run.signal(signal.SIGINT)
        ended = run.end()
        rows, written = run.rows(), run.written()

    assert ended == 130
    assert len(rows) == COUNT
    assert known(rows, "changed", "unknown") == written


def test_killed_run_leaves_every_row_and_every_write(tmp_path: Path) -> None:
    """After kill -9 the store has a row per item and knows of every write that was carried out (L1, L2)."""
    with running(tmp_path, Milestone("update_ptr", 30)) as run:
        os.kill(run.process.pid, signal.SIGKILL)
        run.end()
        rows, written = run.rows(), run.written()

    assert len(rows) == COUNT
    assert written <= known(rows, "changed", "unknown")
    assert known(rows, "changed") <= written
    assert len(known(rows, "unknown")) <= 4 + 4  # in flight, and answered but not yet committed


def test_signal_at_the_very_end_still_writes_the_report(tmp_path: Path) -> None:
    """A Ctrl-C that comes when the last call is done leaves books and report whole, and nothing hangs."""
    for attempt in range(6):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        seeds = [Seed(f"203.0.113.{host}", 4711) for host in range(64)]
        log = Milestone("get_ip", 64)
        with EmbeddedSimulator(seeds, SimulatorSettings(log=log)) as api:
            (folder / "job.yaml").write_text(
                f"version: 1\napi: {{url: '{api.url}'}}\ntargets: [203.0.113.0/26]\n"
                "actions: [{action: get_ip}]\nlimits: {rate: 2000/s, concurrency: 16}\n"
            )
            command = [
                sys.executable,
                "-m",
                "bulkip",
                "run",
                "job.yaml",
                "-q",
                "--report",
                "jsonl=rows.jsonl",
            ]
            with subprocess.Popen(
                command, cwd=folder, env=clean_environment() | TOKEN, stderr=subprocess.PIPE, text=True
            ) as process:
                assert log.reached.wait(PATIENCE_S)
                process.send_signal(signal.SIGINT)
                _out, told = process.communicate(timeout=PATIENCE_S)

        assert process.returncode in {0, 130}, told
        assert len((folder / "rows.jsonl").read_text().splitlines()) == 64
        assert "Traceback" not in told

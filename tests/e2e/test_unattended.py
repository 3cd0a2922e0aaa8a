"""A run without a terminal, with streams that are closed, or stopped for a while by its shell."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from tests.program import ROOT, clean_environment
from tests.providerprocess import TOKEN, Provider, provider

PTR = str(ROOT / "jobs" / "ptr-migration.yaml")
PATIENCE_S = 30
JOB = """
version: 1
name: sleeper
api: {{url: "{url}"}}
targets: [{{cidr: 203.0.112.0/24, id: 4711}}]
actions: [{{action: get_ip}}]
limits: {{rate: {rate}/s, concurrency: 20}}
"""


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_do_not_hinder_a_run(tmp_path: Path, closed: str) -> None:
    """A run whose caller closed standard streams runs to its end, and its files hold what they should."""
    command = f"{sys.executable} -m bulkip run {PTR} --simulate --yes --rate 1000/s --limit 203.0.113.0/29 -q"

    done = subprocess.run(
        ["/bin/sh", "-c", f"{command} --report jsonl=rows.jsonl {closed}"],
        cwd=tmp_path,
        env=clean_environment(),
        timeout=PATIENCE_S,
        check=False,
    )

    rows = (tmp_path / "rows.jsonl").read_text().splitlines()
    assert done.returncode == 0
    assert rows
    assert all(line.startswith('{"key":') for line in rows)


def test_question_without_a_stdin_is_a_no(tmp_path: Path) -> None:
    """Where nobody can answer, the writes are not made, and it says how to allow them."""
    done = subprocess.run(
        ["/bin/sh", "-c", f"{sys.executable} -m bulkip run {PTR} --simulate --rate 1000/s <&-"],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )

    assert done.returncode == 5
    assert "--yes" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.xdist_group("pace")
def test_run_that_was_stopped_for_a_while_goes_on_without_a_burst(tmp_path: Path) -> None:
    """After a stop and a continue, as after a laptop's sleep, no second holds more calls than the rate."""
    rate = 50
    with provider(tmp_path, "--limit", f"{rate}/s", "--addresses", "203.0.112.0/24") as strict:
        (tmp_path / "job.yaml").write_text(JOB.format(url=strict.url, rate=rate))
        process = subprocess.Popen(
            [sys.executable, "-m", "bulkip", "run", "job.yaml", "-q"],
            cwd=tmp_path,
            env=clean_environment() | {"HOSTKEY_TOKEN": TOKEN},
        )
        with process:
            wait_until(lambda: len(strict.seen()) > rate)
            os.kill(process.pid, signal.SIGSTOP)
            wait_until(lambda: quiet(strict))
            os.kill(process.pid, signal.SIGCONT)
            code = process.wait(PATIENCE_S)
        times = [call["at"] for call in strict.seen()]
        refused = [call for call in strict.seen() if call["status"] == 429]

    assert (code, refused) == (0, [])
    assert len(times) == 256
    assert max(later - before for before, later in pairwise(times)) > 1
    assert max(sum(1 for at in times if begun <= at < begun + 1) for begun in times) <= rate


def quiet(strict: Provider) -> bool:
    """Say whether no call arrived within the last second and a half."""
    begun, seen = time.monotonic(), len(strict.seen())
    wait_until(lambda: time.monotonic() > begun + 1.5)
    return len(strict.seen()) == seen


def wait_until(holds: Callable[[], bool]) -> None:
    """Wait until something holds, and not for ever."""
    patience = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < patience, "it never came to that"
        time.sleep(0.02)

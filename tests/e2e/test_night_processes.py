"""Nights as processes: killed in the middle, and one after the other against a strict rate."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from bulkip.lock import Holder, account_locks, take
from bulkip.lockname import lock_name
from bulkip.store import RunReader
from bulkip.store.questions import OVER
from tests.nightsite import ADDRESSES, JOB, rows_of
from tests.program import bulkip, clean_environment
from tests.providerprocess import TOKEN, Provider, provider

PATIENCE_S = 30
ENV = {"HOSTKEY_TOKEN": TOKEN}


def test_killed_night_loses_nothing_that_is_stored(tmp_path: Path) -> None:
    """After a kill -9 the same command asks what the store does not hold, and the file has every address."""
    with provider(tmp_path, "--addresses", "203.0.113.0/27=4711") as api:
        (tmp_path / "job.yaml").write_text(JOB.format(url=api.url, period="yesterday"))
        process = subprocess.Popen(
            [sys.executable, "-m", "bulkip", "run", "job.yaml", "-q", "--rate", "20/s"],
            cwd=tmp_path,
            env=clean_environment() | ENV,
        )
        with process:
            wait_for_calls(api, ADDRESSES // 2)
            os.kill(process.pid, signal.SIGKILL)
            process.wait(PATIENCE_S)
        (run,) = (tmp_path / ".bulkip" / "runs").iterdir()
        with closing(sqlite3.connect(run / "run.db")) as store:
            (stored,) = store.execute("SELECT COUNT(*) FROM result").fetchone()
        before = len(api.seen())

        again = bulkip("run", "job.yaml", "-q", "--report", "jsonl=night.jsonl", cwd=tmp_path, env=ENV)
        asked = len(api.seen()) - before

    assert again.code == 0, again.err
    assert 0 < stored < ADDRESSES
    assert asked == ADDRESSES - stored
    assert len(rows_of((tmp_path / "night.jsonl").read_text())) == ADDRESSES


@pytest.mark.xdist_group("pace")
def test_rate_holds_over_the_seams_of_a_backfill(tmp_path: Path) -> None:
    """A strict server refuses nothing of nights in a row: each run counts what the one before it sent."""
    with provider(tmp_path, "--addresses", "203.0.113.0/27=4711", "--limit", "20/2s") as api:
        (tmp_path / "job.yaml").write_text(JOB.format(url=api.url, period="yesterday"))
        nights = ("--backfill", "2026-09-01..2026-09-02", "--limit", "203.0.113.0/28")
        rates = ("--rate", "100/s", "--rate", "20/2s")

        ended = bulkip("run", "job.yaml", *nights, *rates, "-q", cwd=tmp_path, env=ENV)
        seen = api.seen()

    assert ended.code == 0, ended.err
    assert [call for call in seen if call["status"] == 429] == []
    assert len(seen) == 32


def test_wait_for_the_lock_does_not_move_the_night(tmp_path: Path) -> None:
    """What `yesterday` means is known when a run starts, not when it gets the lock: one look at the clock."""
    with provider(tmp_path, "--addresses", "203.0.113.0/27=4711") as api:
        (tmp_path / "job.yaml").write_text(JOB.format(url=api.url, period="yesterday"))
        ours = Holder("test", "nightly", os.getpid(), "here", time.time())
        lock = take(account_locks(os.environ) / lock_name(api.url, TOKEN), ours)
        assert lock is not None
        with lock:
            process = subprocess.Popen(
                [sys.executable, "-m", "bulkip", "run", "job.yaml", "--lock-timeout", "30s"],
                cwd=tmp_path,
                env=clean_environment() | ENV,
                stderr=subprocess.PIPE,
                text=True,
            )
            assert process.stderr is not None
            assert any("waiting up to 30s" in line for line in iter(process.stderr.readline, ""))
            released_at = time.time()
        _out, _err = process.communicate(timeout=PATIENCE_S)

    (run,) = (tmp_path / ".bulkip" / "runs").iterdir()
    with RunReader(run) as reader:
        header = reader.header()
    assert process.returncode == 0
    assert header.created_at < released_at
    assert header.settings[OVER] == int(header.created_at)


def test_interrupted_backfill_stops_and_says_what_is_left(tmp_path: Path) -> None:
    """Ctrl-C ends the night that goes on and starts no other; quiet or not, the rest is named."""
    with provider(tmp_path, "--addresses", "203.0.113.0/27=4711") as api:
        (tmp_path / "job.yaml").write_text(JOB.format(url=api.url, period="yesterday"))
        command = ["run", "job.yaml", "--backfill", "2026-09-01..2026-09-03", "--rate", "20/s", "-q"]
        process = subprocess.Popen(
            [sys.executable, "-m", "bulkip", *command],
            cwd=tmp_path,
            env=clean_environment() | ENV,
            stderr=subprocess.PIPE,
            text=True,
        )
        with process:
            wait_for_calls(api, ADDRESSES // 2)
            process.send_signal(signal.SIGINT)
            _out, err = process.communicate(timeout=PATIENCE_S)

    assert process.returncode == 130
    assert "backfill stopped; left: 2026-09-01 .. 2026-09-03 (3 runs)" in err
    assert f"bulkip {' '.join(command)}" in err
    assert len([*(tmp_path / ".bulkip" / "runs").iterdir()]) == 1


def wait_for_calls(api: Provider, count: int) -> None:
    """Wait until the provider saw so many calls."""
    patience = time.monotonic() + PATIENCE_S
    while len(api.seen()) < count:
        assert time.monotonic() < patience
        time.sleep(0.01)

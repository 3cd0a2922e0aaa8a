"""`make demo-cluster` shows what it promises, can be stopped, and leaves nothing behind."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.program import ROOT, clean_environment

PATIENCE_S = 110
LEFT = {".lockfile"}
"""What the wheel of PostgreSQL keeps for all who start one."""


@contextmanager
def demo(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Start the demo as make does, with a folder for all that it makes, until the block ends."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.demo"],
        cwd=ROOT,
        env=clean_environment() | {"TMPDIR": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def said(printed: str, name: str) -> str:
    """Return what one of those who speak in the demo said."""
    lines = re.findall(rf"^{name} *\| ?(.*)$", printed, re.MULTILINE)
    return "\n".join(lines)


@pytest.mark.xdist_group("pace")
def test_worker_dies_and_the_run_comes_to_its_end(tmp_path: Path) -> None:
    """A worker is killed in mid-run; the run ends with 0, every address written once, and the rate kept."""
    with demo(tmp_path) as process:
        printed, _ = process.communicate(timeout=PATIENCE_S)

    assert process.returncode == 0, printed
    assert re.search(r"^kill -9 [0-9]+: worker 2 is dead", said(printed, "demo"), re.MULTILINE)
    assert "3,000 items: 3,000 changed" in said(printed, "run")
    assert "As promised: exit code 0" in said(printed, "demo")
    assert "at rest: 3,000 items: 3,000 changed" in said(printed, "demo")
    assert "3,000 addresses were written, 0 of them more than once" in said(printed, "provider")
    assert re.search("held [0-9]+ calls; 300 are allowed", said(printed, "provider"))
    assert "worker ended after" in said(printed, "worker 1")
    assert "worker ended after" not in said(printed, "worker 2")
    assert {one.name for one in tmp_path.iterdir()} <= LEFT


@pytest.mark.xdist_group("pace")
def test_demo_can_be_stopped(tmp_path: Path) -> None:
    """Ctrl-C in mid-run ends all processes, PostgreSQL too, removes every file, and says so."""
    with demo(tmp_path) as process:
        assert process.stdout is not None
        before = "".join(until("reading current values", process.stdout))
        servers = commands_with(str(tmp_path))
        process.send_signal(signal.SIGINT)
        after, _ = process.communicate(timeout=PATIENCE_S)

    assert process.returncode == 130, before + after
    assert after.splitlines()[-1].endswith("all that was started has ended and is removed")
    assert "Traceback" not in after
    players = re.findall("# process ([0-9]+)$", before, re.MULTILINE)
    assert (len(players), len(servers)) >= (5, 2)
    assert [number for number in players if is_alive(int(number))] == []
    assert commands_with(str(tmp_path)) == []
    assert {one.name for one in tmp_path.iterdir()} <= LEFT


def until(word: str, lines: Iterable[str]) -> Iterator[str]:
    """Yield lines as they come, up to the first that has a word in it."""
    for line in lines:
        yield line
        if word in line:
            return


def commands_with(word: str) -> list[str]:
    """Return the command lines of running processes that have a word in them."""
    command = ["ps", "-A", "-ww", "-o", "args="]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [line for line in done.stdout.splitlines() if word in line]


def is_alive(number: int) -> bool:
    """Say whether a process is there."""
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return True

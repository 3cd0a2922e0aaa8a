"""What stands on stderr while a real run goes on, wherever stderr leads."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.program import Ended, bulkip, clean_environment

JOB = """
version: 1
targets: [203.0.113.0/29]
actions: [{action: get_ip}]
limits: {rate: 100/s}
"""
RUN = ("run", "job.yaml", "--simulate", "--format", "jsonl")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a job of eight reads."""
    (tmp_path / "job.yaml").write_text(JOB)
    return tmp_path


@pytest.mark.parametrize("progress", ["plain", "tty"])
def test_reader_of_stderr_may_leave(folder: Path, progress: str) -> None:
    """A run whose stderr nobody reads any more ends as it would have, with all its rows."""
    ours, theirs = os.pipe()
    os.close(ours)

    done = subprocess.run(
        [sys.executable, "-m", "bulkip", *RUN, "--progress", progress],
        cwd=folder,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=theirs,
        timeout=60,
        check=False,
    )
    os.close(theirs)

    assert (done.returncode, len(done.stdout.splitlines())) == (0, 8)


def in_a_bare_locale(folder: Path, *options: str) -> Ended:
    """Return what a run left that knows no encoding but ASCII."""
    env = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "FORCE_COLOR": "1"}
    return bulkip("run", "job.yaml", "--simulate", *options, cwd=folder, env=env)


@pytest.mark.parametrize("options", [(), ("--progress", "tty", "--no-color")], ids=["log", "screen"])
def test_progress_needs_no_unicode(folder: Path, options: tuple[str, ...]) -> None:
    """Progress and recap are ASCII, and a run in the C locale shows them whole."""
    ended = in_a_bare_locale(folder, *options)

    assert (ended.code, ended.err.isascii()) == (0, True)
    assert "8 of 8 in " in ended.err


def test_log_holds_no_terminal_codes(folder: Path) -> None:
    """A log stays readable, also where the environment asks for colours."""
    assert "\x1b" not in in_a_bare_locale(folder).err

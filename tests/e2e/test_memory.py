"""Whether memory grows with the job."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.program import clean_environment
from tests.providerprocess import TOKEN, Provider, provider

JOB = """
version: 1
name: memory
api: {{url: "{url}"}}
targets: [{{csv: addresses.csv}}]
actions: [{{action: get_ip}}]
"""


def peak_of(folder: Path, api: Provider, count: int) -> int:
    """Return the peak memory of a run over so many addresses, in the unit of this machine."""
    rows = (f"10.0.{number // 256}.{number % 256}" for number in range(count))
    (folder / "addresses.csv").write_text("\n".join(["ip", *rows]))
    (folder / "job.yaml").write_text(JOB.format(url=api.url))
    command = [sys.executable, "-m", "bulkip", "run", "job.yaml", "--rate", "100000/s", "--concurrency", "32"]
    process = subprocess.Popen(
        [*command, "-q", "--report", "jsonl=rows.jsonl"],
        cwd=folder,
        env=clean_environment() | {"HOSTKEY_TOKEN": TOKEN},
    )
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    assert (folder / "rows.jsonl").read_text().count('"ok"') == count
    return usage.ru_maxrss


@pytest.mark.xdist_group("pace")
def test_memory_does_not_grow_with_the_job(tmp_path: Path) -> None:
    """A job of ten times the addresses needs less than a quarter more memory."""
    with provider(tmp_path, "--addresses", "10.0.0.0/19=4711") as api:
        small = peak_of(tmp_path, api, 800)
        large = peak_of(tmp_path, api, 8000)

    assert large < small * 1.25

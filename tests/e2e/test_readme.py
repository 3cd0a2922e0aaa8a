"""The README shows jobs that are valid as they stand."""

import re
from pathlib import Path

import pytest

from tests.program import ROOT, bulkip

BLOCK = re.compile(r"(?:^    .*\n|^\n)+", re.MULTILINE)


def jobs() -> list[str]:
    """Return every job file that the README shows, without its indentation."""
    blocks = BLOCK.findall((ROOT / "README.md").read_text("utf-8"))
    found = [re.sub(r"^    ", "", block, flags=re.MULTILINE) for block in blocks]
    inner = [block.partition("<<'END'\n")[2].partition("\nEND")[0] or block for block in found]
    return [block for block in inner if block.lstrip().startswith("version: 1")]


@pytest.mark.parametrize("job", jobs(), ids=lambda job: job.splitlines()[-1])
def test_job_of_the_readme_is_valid(tmp_path: Path, job: str) -> None:
    """What a reader copies from the README passes `bulkip validate`."""
    (tmp_path / "job.yaml").write_text(job)
    (tmp_path / "ptrs.csv").write_text("ip,id,ptr\n203.0.113.7,4711,mail.example.net\n")
    (tmp_path / "migration.csv").write_text("ip;id;role\n203.0.113.8;4711;web\n")

    ended = bulkip("validate", "job.yaml", cwd=tmp_path)

    assert ended.code == 0, ended.err


def test_readme_shows_jobs() -> None:
    """The README has the smallest job and a full one."""
    assert len(jobs()) >= 2

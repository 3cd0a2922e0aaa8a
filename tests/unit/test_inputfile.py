"""Which files are read at all: real ones, within the cap, and each refusal in plain words."""

import os
from pathlib import Path

import pytest

from bulkip.errors import JobError
from bulkip.jobfile import read_tree


def test_folder_is_refused(tmp_path: Path) -> None:
    """A folder given as a file is named as such."""
    with pytest.raises(JobError, match="is a folder, not a file"):
        read_tree(tmp_path)


def test_missing_file_is_refused(tmp_path: Path) -> None:
    """A file that is not there is named."""
    with pytest.raises(JobError, match=r"gone\.yaml:1:1: does not exist"):
        read_tree(tmp_path / "gone.yaml")


@pytest.mark.timeout(5)
def test_fifo_is_refused_without_waiting(tmp_path: Path) -> None:
    """A FIFO that nobody writes to is refused at once."""
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(JobError, match="is a pipe, not a file"):
        read_tree(tmp_path / "pipe")


def test_device_is_refused() -> None:
    """An endless device is refused at once."""
    with pytest.raises(JobError, match="is a device, not a file"):
        read_tree("/dev/zero")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_file_is_refused(tmp_path: Path) -> None:
    """A file without read permission is refused with that reason."""
    path = tmp_path / "job.yaml"
    path.touch(mode=0)

    with pytest.raises(JobError, match="check its permissions"):
        read_tree(path)


def test_path_with_nul_is_refused() -> None:
    """A path that no system can open is refused like any other."""
    with pytest.raises(JobError, match="cannot be opened"):
        read_tree("a\x00b")


def test_file_above_the_cap_is_refused(tmp_path: Path) -> None:
    """A file beyond the cap is refused before it is parsed."""
    path = tmp_path / "job.yaml"
    with path.open("wb") as file:
        file.truncate(65 * 2**20)

    with pytest.raises(JobError, match="is larger than 64 MiB"):
        read_tree(path)

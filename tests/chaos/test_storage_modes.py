"""Who may read what a run leaves on the disk, also while it goes on: its owner alone."""

from collections.abc import Callable
from pathlib import Path
from stat import S_IMODE, S_ISDIR

import pytest

from tests.chaos.accidents import Umask, aftermath
from tests.chaos.forked import Start, started
from tests.program import clean_environment

JOB = """
version: 1
name: modes
targets: [{cidr: 203.0.113.0/28, id: 4711}]
actions: [{action: update_ptr, with: {ptr: "{{ ip.dashed }}.example.net"}}]
limits: {rate: 2000/s}
reports: [csv=ptr.csv]
"""


def too_open(folder: Path, skipped: Callable[[Path], bool] = lambda _path: False) -> dict[str, str]:
    """Return what lies below a folder with another mode than 0600, or 0700 for folders."""
    found = {}
    for path in folder.rglob("*"):
        mode = path.stat().st_mode
        if not skipped(path) and S_IMODE(mode) != (0o700 if S_ISDIR(mode) else 0o600):
            found[str(path.relative_to(folder))] = oct(S_IMODE(mode))
    return found


@pytest.mark.parametrize("mask", [pytest.param(0, id="open"), pytest.param(0o277, id="shut")])
def test_whole_run_is_its_owners_alone_whatever_the_umask(tmp_path: Path, mask: int) -> None:
    """Folders are 0700; the store and the reports are 0600."""
    (tmp_path / "job.yaml").write_text(JOB)
    start = Start(
        ("run", "job.yaml", "--simulate", "--yes", "-q"), tmp_path, clean_environment(), first=Umask(mask)
    )

    with started(start) as program:
        assert program.code() == 0, program.told.read_text()

    assert too_open(tmp_path, lambda path: path.name in {"job.yaml", "told.txt"}) == {}


def test_journals_of_a_run_that_goes_on_are_its_owners_alone(tmp_path: Path) -> None:
    """What SQLite puts beside the store is no wider open than the store."""
    seen: list[tuple[list[str], dict[str, str]]] = []

    def look(folder: Path) -> None:
        seen.append((sorted(path.name for path in folder.iterdir()), too_open(folder.parent.parent)))

    with aftermath(tmp_path, look) as left:
        assert left.ended.code == 0, left.ended.out

    names, modes = seen[0]
    assert modes == {}
    assert {"run.db", "run.db-shm", "run.db-wal"} <= set(names)

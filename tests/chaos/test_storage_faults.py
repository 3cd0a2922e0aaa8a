"""What is true of a run whose disk fails at any one of the things that are asked of it."""

import json
import os
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bulkip.reports.places import TEMPORARY
from tests.chaos.faultydisk import BROKEN, FULL, FULL_ONCE, LYING, READ_ONLY, FaultyDisk, SmallDisk
from tests.chaos.laws import unfinished
from tests.chaos.length import LONG
from tests.chaos.smallrun import SmallRun, small_run

PARTS = 2
SHORT = 4
NEVER = 10**9
PAGE, SMALLEST, LARGEST = 4096, 24 * 1024, 400 * 1024
HALTED = 6
UNHARMED = {3, 9}
"""How this run ends on a good disk, with its failed items and its unknown one."""
WEAKNESSES = {"full-once": FULL_ONCE, "full": FULL, "read-only": READ_ONLY, "broken": BROKEN, "lying": LYING}


def steps_of(folder: Path) -> int:
    """Return how many things a run asks of a disk that never fails."""
    trace = folder / "trace"
    with small_run(folder / "whole") as run:
        assert run.step(FaultyDisk(NEVER, FULL, trace)) in UNHARMED
    return len(trace.read_text().splitlines())


def chosen(steps: int, part: int) -> range:
    """Return at which steps the disk is to fail: at each, or in a short test at a few all over the run."""
    return range(1 + part, steps + 1, PARTS if LONG else steps // SHORT)


def said(run: SmallRun) -> str:
    """Return what the program said since the last time."""
    told = run.home / "told.txt"
    text = told.read_text() if told.exists() else ""
    told.unlink(missing_ok=True)
    return text


def unsaved(text: str) -> list[dict[str, Any]]:
    """Return the facts that the program printed because no store took them."""
    return [json.loads(line) for line in text.splitlines() if line.startswith('{"unsaved":')]


def forgotten(run: SmallRun, facts: list[dict[str, Any]]) -> list[str]:
    """Return the writes that were answered and whose end is neither in the store nor printed."""
    if run.run_dir is None:
        return []
    attempts = run.evidence().sent
    known = {(one["ip"], one["number"]) for one in attempts if one["finished_at"] is not None}
    known |= {(one["ip"], one["number"]) for one in facts if one["unsaved"] == "attempt"}
    lost = [one for one in attempts if (one["ip"], one["number"]) not in known]
    reached = {entry["ip"] for entry in run.evidence().writes}
    return [f"the end of write {one['number']} of {one['ip']}" for one in lost if one["ip"] in reached]


def litter(run: SmallRun, disk: FaultyDisk | SmallDisk) -> list[str]:
    """Return the unfinished files that were left; a disk that removes nothing is excused."""
    if isinstance(disk, FaultyDisk) and not disk.weakness.reads:
        return []
    found = [*run.home.rglob(f"{TEMPORARY}*"), *run.home.rglob("*.partial")]
    return [f"{path.name} was left" for path in found]


def troubles(
    run: SmallRun, disk: FaultyDisk | SmallDisk, repair: Callable[[], object] = lambda: None
) -> list[str]:
    """Let the disk of a run fail, then finish it on a good one; return everything that is wrong with that."""
    code = run.step(disk)
    text = said(run)
    repair()  # whoever reads a store needs a little room, too
    found = [f"exit {code}"] if code not in {HALTED, *UNHARMED} else []
    found += ["a traceback"] if "Traceback" in text else []
    found += ["no word about the disk"] if code == HALTED and disk.text not in _plain(text) else []
    found += run.broken() + forgotten(run, unsaved(text)) + litter(run, disk)
    run.finish()
    said(run)
    found += [f"{one} at last" for one in [*run.broken(), *map(str, unfinished(run.evidence()))]]
    return found


def _plain(text: str) -> str:
    """Return a text in which both ways of saying that a disk failed read the same."""
    for ours, theirs in (
        ("No space left on device", "database or disk is full"),
        ("Read-only file system", "attempt to write a readonly database"),
        ("Input/output error", "disk I/O error"),
    ):
        text = text.replace(ours, theirs)
    return text.replace("File too large", "disk I/O error")


@pytest.mark.parametrize("part", range(PARTS))
def test_write_that_is_cut_short_costs_no_item_and_hides_nothing(tmp_path: Path, part: int) -> None:
    """Wherever the system refuses to let a file grow, the run halts with exit 6, or nothing was wrong."""
    broken = []

    for limit in range(SMALLEST + part * PAGE, LARGEST, PAGE * (PARTS if LONG else PARTS * 9)):
        with small_run(tmp_path / str(limit)) as run:
            broken += [
                f"{trouble}, no file beyond {limit} bytes" for trouble in troubles(run, SmallDisk(limit))
            ]

    assert broken == [], "\n".join(broken[:20])


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("weakness", WEAKNESSES)
def test_disk_that_fails_costs_no_item_and_hides_nothing(tmp_path: Path, weakness: str, part: int) -> None:
    """Whatever a disk refuses ends in exit 6 or changes nothing; what is known is stored or printed."""
    broken = []

    for number in chosen(steps_of(tmp_path), part):
        trace = tmp_path / f"trace-{number}"
        with small_run(tmp_path / str(number)) as run:
            for trouble in troubles(run, FaultyDisk(number, WEAKNESSES[weakness], trace)):
                step = [*trace.read_text().splitlines(), *["?"] * number][number - 1]
                broken.append(f"{trouble}, {weakness} at step {number} ({step})")

    assert broken == [], "\n".join(broken[:20])


def resized(place: Path, kib: int, *, mounted: bool = True) -> bool:
    """Give a file system in memory so many KiB, and say whether that could be done."""
    what = f"{'remount,' if mounted else ''}size={kib}k,mode=0700"
    mount = shutil.which("mount")
    command = ["-t", "tmpfs", "-o", what, "tmpfs", str(place)]
    return (
        bool(mount)
        and not subprocess.run([str(mount), *command], capture_output=True, check=False).returncode
    )


@contextmanager
def disk_of(place: Path, kib: int) -> Iterator[None]:
    """Put a file system of so many KiB where a run is to be kept; skip where that needs another user."""
    place.mkdir()
    if os.geteuid() != 0 or not resized(place, kib, mounted=False):
        pytest.skip("only root may mount a small disk, and not everywhere")
    try:
        yield
    finally:
        subprocess.run([str(shutil.which("umount")), "--lazy", str(place)], check=True)


@pytest.mark.parametrize("kib", range(64, 385, 16 if LONG else 80))
def test_small_disk_costs_no_item_and_hides_nothing(tmp_path: Path, kib: int) -> None:
    """A real file system without room: the run halts, and goes on when there is some."""
    with small_run(tmp_path / "home") as run, disk_of(run.home / ".bulkip", kib):
        disk = SmallDisk(resource.RLIM_INFINITY, text="")

        assert troubles(run, disk, lambda: resized(run.home / ".bulkip", 16_384)) == []

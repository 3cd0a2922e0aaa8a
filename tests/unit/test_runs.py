"""Which run a user means."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from anyio import run

from bulkip.errors import StoreError, UsageError
from bulkip.run.runs import DamagedRun, find_run, kept_runs
from bulkip.store import open_writer
from tests.storedruns import HEADER, frozen, item

FIRST, SECOND, PLAN = "20260901T031500-aaaaaa", "20260902T031500-bbbbbb", "20260903T031500-cccccc"


async def started(folder: Path, at: float) -> None:
    """Start a run at this moment."""
    async with open_writer(folder) as writer:
        await writer.begin_start(at)


def made(run_dir: Path, name: str, started_at: float | None) -> None:
    """Make a run with one item; without a moment it stays a plan."""
    frozen(run_dir / "runs" / name, [item(1)], replace(HEADER, id=name))
    if started_at is not None:
        run(started, run_dir / "runs" / name, started_at)


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    """Return a run directory with two runs, a plan, and things that are neither."""
    made(tmp_path, FIRST, 100.0)
    made(tmp_path, SECOND, 200.0)
    made(tmp_path, PLAN, None)
    (tmp_path / "runs" / "20260904T000000-dddddd").mkdir()
    (tmp_path / "runs" / "notes.txt").write_text("")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "found"),
    [
        pytest.param("last", SECOND, id="last"),
        pytest.param("last~0", SECOND, id="last-itself"),
        pytest.param("last~1", FIRST, id="the-one-before"),
        pytest.param(FIRST, FIRST, id="whole-id"),
        pytest.param("20260901", FIRST, id="unique-prefix"),
        pytest.param(PLAN, PLAN, id="plan-by-its-id"),
    ],
)
def test_run_is_found_by_what_users_say(run_dir: Path, name: str, found: str) -> None:
    """An id, a unique prefix, `last` and `last~1` name a run; a plan is never the last run."""
    assert find_run(run_dir, name) == run_dir / "runs" / found


def test_last_is_the_one_that_started_last(run_dir: Path) -> None:
    """A run that was resumed yesterday comes after one that was planned later."""
    run(started, run_dir / "runs" / FIRST, 300.0)

    assert find_run(run_dir, "last").name == FIRST


def test_whole_id_beats_longer_ones(run_dir: Path) -> None:
    """An id that is the beginning of another one still names its own run."""
    made(run_dir, f"{FIRST}0", 300.0)

    assert find_run(run_dir, FIRST).name == FIRST


@pytest.mark.parametrize(
    ("name", "words"),
    [
        pytest.param("2026090", "fits 3 runs", id="ambiguous"),
        pytest.param("2025", f"the newest is {PLAN}", id="unknown"),
        pytest.param("last~2", "holds 2 runs that executed", id="too-far-back"),
        pytest.param("20260904", "no run `20260904`", id="folder-without-store"),
        pytest.param("../runs", "no run `../runs`", id="path"),
        pytest.param("last~x", "no run `last~x`", id="no-number"),
    ],
)
def test_run_that_is_not_there_is_told(run_dir: Path, name: str, words: str) -> None:
    """A name that fits no run, or several, is refused with what there is."""
    with pytest.raises(UsageError) as caught:
        find_run(run_dir, name)

    assert words in str(caught.value)


def test_first_run_is_still_to_come(tmp_path: Path) -> None:
    """Where nothing ever ran, the message says how a run is made."""
    with pytest.raises(UsageError, match="`bulkip run JOB` makes one"):
        find_run(tmp_path / "nowhere", "last")


def test_damaged_older_run_does_not_hide_the_last(run_dir: Path) -> None:
    """An old store that cannot be read does not make `last` useless."""
    (run_dir / "runs" / FIRST / "run.db").write_bytes(b"damaged " * 999)

    assert find_run(run_dir, "last").name == SECOND


def test_damaged_newer_run_is_told(run_dir: Path) -> None:
    """`last` never passes silently over a newer run that cannot be read."""
    (run_dir / "runs" / SECOND / "run.db").write_bytes(b"damaged " * 999)

    with pytest.raises(StoreError, match=SECOND):
        find_run(run_dir, "last")


def test_runs_are_listed_newest_first(run_dir: Path) -> None:
    """The run that started last leads, as `last` counts; a plan stands where it was planned."""
    listed = [(run.folder.name, type(run).__name__) for run in kept_runs(run_dir)]

    assert listed == [(PLAN, "KeptRun"), (SECOND, "KeptRun"), (FIRST, "KeptRun")]


def cut(store: Path) -> None:
    """Overwrite a store with what is no database."""
    store.write_bytes(b"damaged " * 999)


def without_header(store: Path) -> None:
    """Take the header out of a store that SQLite still reads."""
    with closing(sqlite3.connect(store, isolation_level=None)) as damaged:
        damaged.execute("DELETE FROM run WHERE name='job_name'")


def strange_status(store: Path) -> None:
    """Give an item a status that does not exist."""
    with closing(sqlite3.connect(store, isolation_level=None)) as damaged:
        damaged.execute(
            "INSERT INTO result (item, generation, status, empty, settled_at) VALUES (1,0,'x',0,0)"
        )


def endless_time(store: Path) -> None:
    """Let a run start at a moment that no calendar has."""
    with closing(sqlite3.connect(store, isolation_level=None)) as damaged:
        damaged.execute("UPDATE start SET started_at = 1e300")


def older(store: Path) -> None:
    """Mark a store as written by an earlier version."""
    with closing(sqlite3.connect(store)) as old:
        old.execute("PRAGMA user_version=1")


@pytest.mark.parametrize("damage", [cut, without_header, strange_status, endless_time, older])
def test_damaged_run_is_listed_with_its_reason(run_dir: Path, damage: Callable[[Path], None]) -> None:
    """A store that cannot be read, for whatever reason, hides neither itself nor the others."""
    damage(run_dir / "runs" / FIRST / "run.db")

    listed = kept_runs(run_dir)

    (damaged,) = [run for run in listed if isinstance(run, DamagedRun)]
    assert (len(listed), damaged.folder.name) == (3, FIRST)
    assert str(run_dir / "runs" / FIRST / "run.db") in damaged.reason


def test_name_tells_when_a_damaged_run_was_planned(run_dir: Path) -> None:
    """A damaged run keeps its place among the others, as far as its name tells."""
    run = DamagedRun(run_dir / "runs" / FIRST, "damaged")

    assert (run.at, DamagedRun(run_dir / "copy", "damaged").at) == (1_788_232_500.0, 0.0)

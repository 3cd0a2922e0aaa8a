"""Which runs `--keep` removes, and which it never touches."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bulkip.lock import Holder, take
from bulkip.model import Item, Result, Status
from bulkip.run.locking import FILE_NAME
from bulkip.run.retention import YOUNG_S, Swept, sweep
from bulkip.store import RunHeader
from bulkip.store.schema import store_path
from tests.storedruns import HEADER, SENT_AT, frozen, item, settled

LONG_AFTER = SENT_AT + YOUNG_S + 60
CHANGED = Result(Status.CHANGED, names=("x.example.net",))
OK = Result(Status.OK)


def read_item() -> Item:
    """Return an item that only reads."""
    return Item(1, 1, "k", "1", "get_ip", "203.0.113.1", {"ip": "203.0.113.1"}, "rows.csv:2")


def header(number: int, **more: Any) -> RunHeader:
    """Return the header of the run of one night; a higher number is a later one."""
    return replace(HEADER, id=f"202609{number:02}T031500-abc123", created_at=SENT_AT + number, **more)


def kept(
    run_dir: Path, number: int, result: Result | None = OK, one: Item | None = None, **more: Any
) -> Path:
    """Keep a run with one item that ended so; without a result it was never carried out."""
    head, one = header(number, **more), one or read_item()
    folder = run_dir / "runs" / head.id
    frozen(folder, [one], head)
    if result is not None:
        settled(folder, (one, result))
    return folder


def swept(run_dir: Path, keep: int, now: float = LONG_AFTER, **more: Any) -> tuple[Swept, list[str]]:
    """Sweep after the run of night 9, and return what it did and warned of."""
    warnings: list[str] = []
    return sweep(run_dir, header(9, **more), keep, now, warnings.append), warnings


def nights(run_dir: Path) -> list[int]:
    """Return the nights of which a run is kept."""
    return sorted(int(folder.name[6:8]) for folder in (run_dir / "runs").iterdir())


def test_newest_runs_of_the_job_are_kept(tmp_path: Path) -> None:
    """So many stay, the one that has just ended among them; the older ones go."""
    for number in (1, 2, 3, 9):
        kept(tmp_path, number)

    done, warnings = swept(tmp_path, 2)

    assert nights(tmp_path) == [3, 9]
    assert (done.removed, warnings) == (2, [])


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({"job_name": "other"}, id="another-job"),
        pytest.param({"simulated": True}, id="rehearsal"),
        pytest.param({"settings": {"check": {"allow_empty": False}}}, id="check"),
        pytest.param({"settings": {"shard": "1/2"}}, id="shard"),
    ],
)
def test_runs_of_another_kind_are_counted_apart(tmp_path: Path, more: dict[str, Any]) -> None:
    """A job's rehearsals and checks, and other jobs, neither go nor push runs out."""
    kept(tmp_path, 1, **more)
    kept(tmp_path, 9)

    done, _ = swept(tmp_path, 1)

    assert (nights(tmp_path), done.removed) == ([1, 9], 0)


@pytest.mark.parametrize(
    ("result", "one", "now"),
    [
        pytest.param(None, read_item(), LONG_AFTER, id="resumable"),
        pytest.param(Result(Status.NOT_RUN), read_item(), LONG_AFTER, id="not-run"),
        pytest.param(Result(Status.UNKNOWN), item(1), LONG_AFTER, id="unknown-write"),
        pytest.param(CHANGED, item(1), SENT_AT + YOUNG_S - 60, id="young-write"),
    ],
)
def test_run_that_may_be_needed_stays(tmp_path: Path, result: Result | None, one: Item, now: float) -> None:
    """What can be resumed, is in doubt, or could be undone is not removed, however old."""
    kept(tmp_path, 1, result, one)
    kept(tmp_path, 9)

    done, warnings = swept(tmp_path, 1, now)

    assert (nights(tmp_path), done.spared, warnings) == ([1, 9], 1, [])


def test_old_write_goes(tmp_path: Path) -> None:
    """After 90 days a run with writes is as any other."""
    kept(tmp_path, 1, CHANGED, item(1))
    kept(tmp_path, 9)

    swept(tmp_path, 1)

    assert nights(tmp_path) == [9]


def test_writes_of_a_rehearsal_keep_nothing(tmp_path: Path) -> None:
    """A simulator's writes are not to be undone."""
    kept(tmp_path, 1, CHANGED, item(1), simulated=True)
    kept(tmp_path, 9, simulated=True)

    swept(tmp_path, 1, SENT_AT + 60, simulated=True)

    assert nights(tmp_path) == [9]


def test_run_that_somebody_is_at_stays(tmp_path: Path) -> None:
    """A run whose lock is held, by a resume for example, is left alone."""
    folder = kept(tmp_path, 1)
    kept(tmp_path, 9)
    lock = take(folder / FILE_NAME, Holder("resume", "job", 1, "host", SENT_AT))
    assert lock is not None

    with lock:
        done, _ = swept(tmp_path, 1)

    assert (nights(tmp_path), done.spared) == ([1, 9], 1)


def test_what_is_no_run_of_ours_stays(tmp_path: Path) -> None:
    """A damaged store and another program's database are counted and not touched."""
    for number in (1, 2, 9):
        kept(tmp_path, number)
    store_path(tmp_path / "runs" / header(1).id).write_bytes(b"garbage" * 100)
    with closing(sqlite3.connect(store_path(tmp_path / "runs" / header(2).id))) as store:
        store.execute("PRAGMA application_id = 7")

    done, _ = swept(tmp_path, 1)

    assert (nights(tmp_path), done.damaged) == ([1, 2, 9], 2)


def test_link_is_not_followed(tmp_path: Path) -> None:
    """A run that lies elsewhere stays there, and its link here."""
    elsewhere = kept(tmp_path / "archive", 1)
    kept(tmp_path, 9)
    (tmp_path / "runs" / elsewhere.name).symlink_to(elsewhere)

    swept(tmp_path, 1)

    assert store_path(elsewhere).exists()
    assert nights(tmp_path) == [1, 9]


def test_folder_of_runs_that_is_a_link_is_left_alone(tmp_path: Path) -> None:
    """Where the runs of another place would be removed, it is said and nothing happens."""
    (tmp_path / "here").mkdir()
    for number in (1, 9):
        kept(tmp_path / "archive", number)
    (tmp_path / "here" / "runs").symlink_to(tmp_path / "archive" / "runs")

    _, warnings = swept(tmp_path / "here", 1)

    assert nights(tmp_path / "archive") == [1, 9]
    assert "a link to another place" in warnings[0]


def test_file_that_a_user_put_there_saves_the_folder(tmp_path: Path) -> None:
    """A folder with something else in it is warned of, and loses nothing."""
    folder = kept(tmp_path, 1)
    (folder / "notes.txt").write_text("why that night was odd")
    kept(tmp_path, 9)

    done, warnings = swept(tmp_path, 1)

    assert store_path(folder).exists()
    assert (done.spared, "notes.txt" in warnings[0]) == (1, True)

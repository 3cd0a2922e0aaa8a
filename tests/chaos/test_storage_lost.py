"""What is left of a run whose store is taken away while it goes on: no write that nobody knows of."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from bulkip.store import RunReader
from tests.chaos.accidents import AT, COUNT, WORKERS, Aftermath, Happening, aftermath

HALTED = 6
OTHER = "20260101T000000-0123ab"
REPORT = ("--report", "jsonl=rows.jsonl")


def store_removed(folder: Path) -> None:
    """Remove the store."""
    (folder / "run.db").unlink()


def everything_removed(folder: Path) -> None:
    """Remove all runs that are kept."""
    shutil.rmtree(folder.parent.parent)


def folder_moved(folder: Path) -> None:
    """Move the folder of the run away."""
    folder.rename(folder.parent.parent / "elsewhere")


def store_overwritten(folder: Path) -> None:
    """Put a text file in the place of the store."""
    (folder / "new").write_text("no database")
    (folder / "new").replace(folder / "run.db")


def store_restored(folder: Path) -> None:
    """Put a copy of the store in its place, as a restored backup does."""
    shutil.copy(folder / "run.db", folder / "copy.db")
    (folder / "copy.db").replace(folder / "run.db")


def other_run_put_there(folder: Path) -> None:
    """Put the store of another run in its place."""
    shutil.copy(folder / "run.db", folder / "copy.db")
    with closing(sqlite3.connect(folder / "copy.db")) as other, other:
        other.execute("UPDATE run SET value = json_quote(?) WHERE name = 'id'", (OTHER,))
    (folder / "copy.db").replace(folder / "run.db")


def journal_removed(folder: Path) -> None:
    """Remove the journal of the store."""
    (folder / "run.db-wal").unlink()


GONE = (store_removed, everything_removed, folder_moved, store_overwritten, other_run_put_there)
LOSSES = (*GONE, store_restored)
ACCIDENTS = (*LOSSES, journal_removed)


def known(left: Aftermath) -> set[str]:
    """Return the addresses of which a write was printed with its end, or is stored."""
    printed = {
        fact["ip"] for fact in left.facts() if fact["unsaved"] == "attempt" and fact["purpose"] == "call"
    }
    stored = left.bulkip("report", "last", "-f", "attempts")
    return printed | {
        line.split('"ip":"')[1].split('"')[0] for line in stored.out.splitlines() if '"call"' in line
    }


@pytest.mark.parametrize("happening", ACCIDENTS)
def test_run_without_its_store_halts_and_tells_what_it_knows(tmp_path: Path, happening: Happening) -> None:
    """Exit 6, no further write, no traceback, and every write that was carried out is stored or printed."""
    with aftermath(tmp_path, happening, *REPORT) as left:
        assert left.ended.code == HALTED
        assert "Traceback" not in left.ended.out
        assert len(left.written()) <= AT + 2 * WORKERS < COUNT
        assert left.written() - known(left) == set()


def test_calls_in_flight_may_end_when_the_store_fails(tmp_path: Path) -> None:
    """What the server says to them is known, and printed; cutting them off would only make doubts."""
    with aftermath(tmp_path, store_removed) as left:
        ends = [fact for fact in left.facts() if fact["unsaved"] == "attempt" and fact["outcome"]]

    assert [fact for fact in ends if fact["error_class"] == "cancelled"] == []
    assert {fact["outcome"] for fact in ends} <= {"success", "not_sent"}


@pytest.mark.parametrize("happening", LOSSES)
def test_lost_store_is_told_in_one_line(tmp_path: Path, happening: Happening) -> None:
    """The user of a quiet run reads once what happened and what to do, and all that is known."""
    with aftermath(tmp_path, happening, "-q") as left:
        said = [line for line in left.ended.out.splitlines() if "while the run went on" in line]
        assert left.written() - known(left) == set()

    assert len(said) == 1, left.ended.out
    assert "put it back" in said[0] or "resume it" in said[0]


@pytest.mark.parametrize("happening", GONE)
def test_report_of_a_lost_store_is_told_and_replaces_nothing(tmp_path: Path, happening: Happening) -> None:
    """A report that cannot be rendered leaves the one before."""
    (tmp_path / "rows.jsonl").write_text("yesterday's")

    with aftermath(tmp_path, happening, *REPORT) as left:
        assert "rows.jsonl: the report could not be written: " in left.ended.out

    assert (tmp_path / "rows.jsonl").read_text() == "yesterday's"


def test_results_of_a_lost_store_are_printed(tmp_path: Path) -> None:
    """Also what had been stored long before is told, because it stands nowhere any more."""
    with aftermath(tmp_path, everything_removed) as left:
        facts = left.facts()

    assert len({fact["ip"] for fact in facts if fact["unsaved"] == "before"}) == COUNT
    assert len({fact["ip"] for fact in facts if fact.get("status") == "changed"}) >= AT - WORKERS


def test_store_that_lost_its_journal_can_be_resumed(tmp_path: Path) -> None:
    """The journal was still open: the run is told to be resumable, and goes on where it was."""
    with aftermath(tmp_path, journal_removed) as left:
        assert "bulkip resume" in left.ended.out
        resumed = left.bulkip("resume")

        assert (resumed.code, len(left.written()), len(left.api.log.entries("update_ptr"))) == (
            0,
            COUNT,
            COUNT,
        )


def test_store_of_another_run_is_left_alone(tmp_path: Path) -> None:
    """A run writes nothing about itself into what lies in its place now."""
    with aftermath(tmp_path, other_run_put_there) as left:
        assert left.folder is not None
        with RunReader(left.folder) as reader:
            found = reader.header().id, reader.last_start()["exit_code"], reader.remembered("waits")

    assert found == (OTHER, None, None)


def test_nothing_is_made_in_the_place_of_what_was_removed(tmp_path: Path) -> None:
    """Who removes a run does not find half of it there again."""
    with aftermath(tmp_path, everything_removed):
        pass

    assert sorted(path.name for path in tmp_path.iterdir()) == ["job.yaml", "told.txt"]

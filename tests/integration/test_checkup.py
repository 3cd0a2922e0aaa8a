"""Whether a run can be believed: an honest store passes, and each broken law is found in its place."""

from pathlib import Path
from shutil import copytree

import pytest

from bulkip.errors import StoreError
from bulkip.run.checkup import checkup
from bulkip.run.findings import Finding, Grade, code_of
from tests.honestrun import honest_run, tampered

ID = "20260901T031500-abc123"
MORE_CALLS = """
WITH RECURSIVE more(number) AS (SELECT 4 UNION ALL SELECT number + 1 FROM more WHERE number < 7)
INSERT INTO attempt SELECT 5, more.number, 1, 'call', sent_at, finished_at, 'transient', 'server', 503, NULL,
  wanted, seen, 1 FROM attempt, more WHERE item = 5 AND attempt.number = 2
"""
NOT_ACCEPTED = "UPDATE attempt SET outcome = 'transient', http_status = 503"


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make one honest run for all tests."""
    return honest_run(tmp_path_factory.mktemp("honest") / "runs" / ID)


@pytest.fixture
def folder(honest: Path, tmp_path: Path) -> Path:
    """Return the folder of a copy of the honest run, to be broken at will."""
    return Path(copytree(honest, tmp_path / "runs" / ID))


def broken(folder: Path) -> list[Finding]:
    """Return what is wrong with a run."""
    return [finding for finding in checkup(folder).findings if finding.grade is Grade.WRONG]


def test_honest_run_keeps_every_law(folder: Path) -> None:
    """Every law has one line, and each says that it holds."""
    found = checkup(folder)

    subjects = [finding.subject for finding in found.findings]
    assert subjects == ["file", "store", "L1", "L2", "L3", "L4", "L5", "L6", "L7", "state"]
    assert [finding for finding in found.findings if finding.grade is not Grade.OK] == []
    assert (code_of(found.findings), found.counts.total) == (0, 8)


def test_next_commands_settle_what_is_unknown(folder: Path) -> None:
    """A run with an unknown write names the command that reads it back."""
    commands = [step.command for step in checkup(folder).steps]

    assert [command.split()[:2] for command in commands] == [["bulkip", "explain"], ["bulkip", "resume"]]


def test_write_that_no_read_shows_is_not_resumed(folder: Path) -> None:
    """Where a resume would do nothing, no resume is named."""
    tampered(folder, "UPDATE item SET action = 'get_ip' WHERE number = 5")

    assert [step.command.split()[1] for step in checkup(folder).steps] == ["explain"]


@pytest.mark.parametrize(
    ("statement", "law", "words", "place"),
    [
        pytest.param("UPDATE item SET source = x'ff' WHERE number = 6", "store", "names it is no text",
                     "203.0.113.6 get_ip", id="source"),
        pytest.param("UPDATE item SET form = 'x' WHERE number = 6", "store", "parameters are no object",
                     "203.0.113.6 get_ip", id="form"),
        pytest.param("UPDATE item SET form = '[1]' WHERE number = 6", "store", "parameters are no object",
                     "203.0.113.6 get_ip", id="form-list"),
        pytest.param("UPDATE reading SET names = '[1]' WHERE item = 1", "store", "names read before it",
                     "203.0.113.1 update_ptr", id="reading"),
        pytest.param("UPDATE result SET settled_at = 'late' WHERE item = 1", "store", "result cannot be read",
                     "203.0.113.1 update_ptr", id="time-of-result"),
        pytest.param("UPDATE result SET value = '{' WHERE item = 6", "store", "result cannot be read",
                     "203.0.113.6 get_ip", id="value"),
        pytest.param("UPDATE attempt SET sent_at = 'x' WHERE item = 6", "store", "call cannot be read",
                     "attempt 1", id="time-of-call"),
        pytest.param("UPDATE item SET writes = 0 WHERE number = 1", "store", "not marked as the write",
                     "203.0.113.1 update_ptr", id="write-in-disguise"),
        pytest.param("UPDATE item SET action = 'drop_all' WHERE number = 6", "store", "that nobody knows",
                     "203.0.113.6 drop_all", id="foreign-action"),
        pytest.param("UPDATE item SET key = (SELECT key FROM item WHERE number = 2) WHERE number = 1",
                     "L1", "its key stands twice", "203.0.113.1 update_ptr", id="key-twice"),
        pytest.param("UPDATE item SET ip = '198.51.100.1' WHERE number = 1", "L1", "key does not fit",
                     "198.51.100.1 update_ptr", id="other-address"),
        pytest.param("UPDATE item SET chain = 900 WHERE number = 6", "L1", "no chain that a run would",
                     "203.0.113.6 get_ip", id="unreachable"),
        pytest.param("UPDATE attempt SET wanted = NULL WHERE item = 1 AND number = 2", "L2",
                     "does not say which value", "attempt 2", id="write-without-value"),
        pytest.param("DELETE FROM attempt WHERE item = 2 AND number = 2", "L2", "calls before this one",
                     "attempt 3", id="lost-call"),
        pytest.param("UPDATE result SET generation = 7 WHERE item = 3", "L3", "was never begun",
                     "203.0.113.3 update_ptr", id="foreign-generation"),
        pytest.param("DELETE FROM result WHERE item = 6", "L3", "told that all had ended",
                     "203.0.113.6 get_ip", id="lost-result"),
        pytest.param(f"{NOT_ACCEPTED} WHERE item = 1 AND number = 2", "L4", "no write was accepted",
                     "203.0.113.1 update_ptr", id="changed-without-proof"),
        pytest.param("UPDATE attempt SET outcome = 'unknown' WHERE item = 2 AND number = 3", "L4",
                     "no write was accepted", "203.0.113.2 update_ptr", id="read-back-that-showed-nothing"),
        pytest.param("UPDATE result SET names = '[\"x.example\"]' WHERE item = 1", "L4", "to another value",
                     "203.0.113.1 update_ptr", id="changed-to-something-else"),
        pytest.param("UPDATE result SET status = 'failed' WHERE item = 5", "L4", "still in doubt",
                     "203.0.113.5 update_ptr", id="failed-in-doubt"),
        pytest.param("UPDATE result SET status = 'failed' WHERE item = 1", "L4",
                     "accepted, and the row does not say", "attempt 2", id="false-failure"),
        pytest.param("DELETE FROM result WHERE item = 1", "L4", "accepted, and the row does not say",
                     "attempt 2", id="accepted-and-not-run"),
        pytest.param("DELETE FROM attempt WHERE item = 3", "L4", "`unchanged`, but nobody looked",
                     "203.0.113.3 update_ptr", id="unchanged-unread"),
        pytest.param("UPDATE attempt SET purpose = 'lookup' WHERE item = 3", "L4", "`unchanged`, but nobody",
                     "203.0.113.3 update_ptr", id="unchanged-by-search-of-server"),
        pytest.param("DELETE FROM attempt WHERE item = 6", "L4", "`ok`, but no answer", "203.0.113.6 get_ip",
                     id="ok-unasked"),
        pytest.param("DELETE FROM attempt WHERE item = 5", "L4", "nothing was sent that could",
                     "203.0.113.5 update_ptr", id="unknown-unsent"),
        pytest.param("UPDATE result SET status = 'changed' WHERE item = 6", "L4", "its action cannot have",
                     "203.0.113.6 get_ip", id="changed-by-reading"),
        pytest.param("UPDATE result SET status = 'changed' WHERE item = 4 AND generation = 0", "L5",
                     "after a status that is final", "203.0.113.4 update_ptr", id="final-reopened"),
        pytest.param("DELETE FROM result WHERE item = 4 AND generation = 0", "L5", "the result before that",
                     "203.0.113.4 update_ptr", id="generation-lost"),
        pytest.param("DELETE FROM item WHERE number = 1", "L6", "not in the plan",
                     "(item 1, not in the plan, attempt 1)", id="call-outside-the-plan"),
        pytest.param("INSERT INTO attempt SELECT 7, 1, start, purpose, sent_at, finished_at, outcome, "
                     "error_class, http_status, message, wanted, seen, in_doubt FROM attempt "
                     "WHERE item = 6", "L6", "was to be skipped", "attempt 1", id="call-for-the-skipped"),
        pytest.param("INSERT INTO sought VALUES (6, NULL)", "L6", "whose server is not known",
                     "203.0.113.6 get_ip", id="call-without-server"),
        pytest.param("UPDATE attempt SET wanted = '[\"x.example\"]' WHERE item = 1 AND number = 2", "L6",
                     "another value than the one planned", "attempt 2", id="other-value"),
        pytest.param("INSERT INTO attempt SELECT 1, 3, start, purpose, sent_at, finished_at, 'transient', "
                     "error_class, 503, message, wanted, seen, in_doubt FROM attempt "
                     "WHERE item = 1 AND number = 2", "L6", "after the one that had succeeded", "attempt 3",
                     id="call-after-success"),
        pytest.param("INSERT INTO attempt SELECT 2, 4, start, purpose, sent_at, finished_at, 'permanent', "
                     "error_class, 200, message, wanted, seen, 0 FROM attempt "
                     "WHERE item = 2 AND number = 2", "L6", "after the reading that had ended it",
                     "203.0.113.2 update_ptr", id="call-after-read-back"),
        pytest.param(MORE_CALLS, "L6", "`retry.attempts` allows", "attempt 7", id="too-many-calls"),
        pytest.param("UPDATE result SET status = 'done' WHERE item = 3", "L7", "a status that there is not",
                     "203.0.113.3 update_ptr", id="foreign-status"),
        pytest.param("UPDATE result SET error_class = 'bad luck' WHERE item = 5", "L7", "error class that",
                     "203.0.113.5 update_ptr", id="foreign-class"),
        pytest.param("UPDATE attempt SET purpose = 'fun' WHERE item = 6", "L7", "of a kind that there is not",
                     "attempt 1", id="foreign-purpose"),
        pytest.param("DELETE FROM start WHERE number = 1", "L7", "start that is not in the books",
                     "attempt 1", id="foreign-start"),
        pytest.param("INSERT INTO result SELECT 99, generation, status, error_class, error_code, message, "
                     "http_status, value, empty, note, names, settled_at FROM result WHERE item = 6", "L7",
                     "result of an item that is not in the plan", "item 99", id="foreign-result"),
        pytest.param("INSERT INTO reading VALUES (99, '[]', 1.0)", "L7", "value read for an item",
                     "item 99", id="foreign-reading"),
    ],
)  # fmt: skip
def test_planted_violation_is_found(folder: Path, statement: str, law: str, words: str, place: str) -> None:
    """Whatever breaks a law is told under that law, with its place and a way out."""
    tampered(folder, statement)

    found = [finding for finding in broken(folder) if finding.subject == law and words in finding.text]

    assert len(found) == 1, broken(folder)
    assert place in found[0].places[0]
    assert found[0].way_out
    assert code_of(found) == 3


def test_exit_code_that_does_not_fit_the_rows_is_found(folder: Path) -> None:
    """A run that told of success while a row is unknown did not tell the truth."""
    tampered(folder, "UPDATE start SET exit_code = 0")

    (found,) = broken(folder)

    assert found.text == "the run ended with exit code 0, its rows say 9"


def test_lost_item_is_found(folder: Path) -> None:
    """An item that vanished with all that speaks of it is missed, because the plan counted them."""
    tampered(folder, "DELETE FROM item WHERE number = 7", "DELETE FROM result WHERE item = 7")

    assert [finding.text for finding in broken(folder)] == ["the plan froze 8 items, the store holds 7"]


def test_items_that_a_retry_left_open_are_no_violation(folder: Path) -> None:
    """A retry that was killed before it began leaves its items open, and nothing is wrong."""
    tampered(folder, "UPDATE item SET generation = 1 WHERE number = 5")

    assert broken(folder) == []


def test_calls_in_flight_at_a_kill_are_no_violation(folder: Path) -> None:
    """A killed run has calls without an end; the state tells of them, and how to go on."""
    tampered(
        folder,
        "UPDATE start SET finished_at = NULL, exit_code = NULL WHERE number = 2",
        "DELETE FROM result WHERE item IN (5, 6)",
        "UPDATE attempt SET finished_at = NULL, outcome = NULL WHERE item = 5 AND number = 2",
        "DELETE FROM attempt WHERE (item = 5 AND number = 3) OR item = 6",
    )

    found = checkup(folder)

    assert broken(folder) == []
    assert "with 1 call under way" in found.findings[-1].text
    assert found.steps[-1].command.startswith("bulkip resume ")


def test_start_with_more_retries_is_no_violation(folder: Path) -> None:
    """What a start was allowed by its own options counts, not what the job says."""
    tampered(folder, MORE_CALLS, "INSERT INTO run VALUES ('attempts in start 1', '5')")

    assert broken(folder) == []


def test_starts_of_another_plan_are_not_measured_by_this_one(folder: Path) -> None:
    """After a rebase nobody knows what the starts before it were allowed."""
    tampered(folder, MORE_CALLS, "UPDATE run SET value = '1999999999.0' WHERE name = 'created_at'")

    assert broken(folder) == []


@pytest.mark.parametrize(
    ("name", "mode", "words"),
    [
        pytest.param("run.db", 0o644, "others can open", id="readable-store"),
        pytest.param("run.1.db", 0o604, "others can open", id="readable-old-store"),
    ],
)
def test_file_that_others_can_read_is_found(folder: Path, name: str, mode: int, words: str) -> None:
    """The files of a run are its owner's alone."""
    (folder / name).touch()
    (folder / name).chmod(mode)

    (found,) = broken(folder)

    assert words in found.text
    assert found.way_out == f"chmod 600 {folder / name}"


@pytest.mark.parametrize("name", ["run.partial", "rebased"])
def test_leftover_is_a_warning(folder: Path, name: str) -> None:
    """What a killed process left is told, and is no violation."""
    (folder / name).mkdir(mode=0o700)

    found = [finding for finding in checkup(folder).findings if finding.grade is not Grade.OK]

    assert [finding.grade for finding in found] == [Grade.WARN]
    assert found[0].way_out == f"when nothing is running: rm -r {folder / name}"


def test_damaged_pages_are_found(folder: Path) -> None:
    """Pages that were overwritten are told by every law that cannot be recounted, and nothing is raised."""
    content = bytearray((folder / "run.db").read_bytes())
    root = 1 + 4096 * 2
    content[root : root + 2000] = b"\xa5" * 2000
    (folder / "run.db").write_bytes(content)

    found = broken(folder)

    assert found[0].subject == "file"
    assert "damaged" in found[0].text


def test_store_that_cannot_be_read_at_all_is_an_error(folder: Path) -> None:
    """A file that is no store is refused like everywhere."""
    (folder / "run.db").write_bytes(b"no store" * 99)

    with pytest.raises(StoreError, match="run store"):
        checkup(folder)

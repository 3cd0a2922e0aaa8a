"""`bulkip undo`: what a run changed is set back, where it is still what the run has set."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from bulkip.model import JsonValue
from bulkip.simulator import Fault
from tests.migration import Migration, address, migration, new_name, old_name

DENIED: JsonValue = {"code": -1, "message": "access denied"}


@pytest.fixture
def move(tmp_path: Path) -> Iterator[Migration]:
    """Begin with ten addresses."""
    with migration(tmp_path, 10) as told:
        yield told


def all_old(move: Migration) -> list[str]:
    """Return the names that were there before the migration."""
    return [old_name(number) for number in range(move.count)]


def first_run(move: Migration) -> str:
    """Return the id of the first run."""
    return min(path.name for path in (move.folder / ".bulkip" / "runs").iterdir())


def test_undo_gives_every_name_back(move: Migration) -> None:
    """Each address has the name that it had before the run, without job file and list."""
    move.done("run", "job.yaml")
    (move.folder / "job.yaml").unlink()
    (move.folder / "rows.csv").unlink()

    move.done("undo", "last")

    assert move.names() == all_old(move)
    assert move.tally() == {"changed": 10}


def test_name_that_is_not_ours_any_more_is_left_alone(move: Migration) -> None:
    """Somebody who set another name since meant it: a conflict, exit 3, and the others are set back."""
    move.done("run", "job.yaml")
    move.set_elsewhere(4, "somebody.example.com")

    ended = move.do("undo", "last", "--yes")

    assert ended.code == 3, ended.err
    assert move.tally() == {"changed": 9, "conflict": 1}
    assert move.names()[4] == "somebody.example.com"


def test_undoing_twice_sends_nothing(move: Migration) -> None:
    """The second undo of a run only looks: all is as it was before."""
    move.done("run", "job.yaml")
    move.done("undo", "last")
    sent = move.writes()

    move.done("undo", first_run(move))

    assert move.writes() == sent
    assert move.tally() == {"unchanged": 10}


def test_undo_of_an_undo_does_it_again(move: Migration) -> None:
    """An undo is a run like others."""
    move.done("run", "job.yaml")
    move.done("undo", "last")

    move.done("undo", "last")

    assert move.names() == [new_name(number) for number in range(move.count)]


def test_clearing_what_had_no_name_needs_a_number(tmp_path: Path) -> None:
    """Addresses without a PTR before are shown with `-`, cleared only with --max-clears, and read back."""
    with migration(tmp_path, 10, bare=(3, 7)) as move:
        move.done("run", "job.yaml")
        reads = move.api.state.count("get_ptr", address(3))

        refused = move.do("undo", "last", "--yes")
        before = move.names()
        move.done("undo", first_run(move), "--max-clears", "2")

        assert refused.code == 5
        assert f"  - {address(3):<15} {new_name(3)}\n" in refused.err
        assert "2 PTR records would be cleared, `max_clears` allows 0" in refused.err
        assert before[3] == new_name(3)
        assert [move.names()[number] for number in (2, 3, 7)] == [old_name(2), "-", "-"]
        assert move.api.state.count("get_ptr", address(3)) == reads + 2  # before the write, and after it


def test_limit_of_the_job_for_clearing_is_not_that_of_its_undo(tmp_path: Path) -> None:
    """Who allowed a job to clear three names has not allowed its undo to clear any."""
    with migration(tmp_path, 4, bare=(3,)) as move:
        move.write_job("safety: {max_clears: 3}\n")
        move.done("run", "job.yaml")

        assert move.do("undo", "last", "--yes").code == 5


def test_name_that_was_cleared_comes_back(move: Migration) -> None:
    """An undo sets again what the run has cleared; that is no clearing."""
    move.write_job(n4="")
    move.done("run", "job.yaml", "--max-clears", "1")
    assert move.names()[4] == "-"

    move.done("undo", "last")

    assert move.names() == all_old(move)


def test_clearing_that_did_not_happen_is_unknown(tmp_path: Path) -> None:
    """A server that says OK and clears nothing is found out by the read-back; exit 9."""
    with migration(tmp_path, 4, bare=(3,)) as move:
        move.done("run", "job.yaml")
        move.api.fault(Fault(action="update_ptr", ip=address(3), json={"result": "OK"}))

        ended = move.do("undo", "last", "--yes", "--max-clears", "1")

        assert ended.code == 9, ended.err
        assert move.rows()[3]["status"] == "unknown"
        assert move.rows()[3]["note"] == f"read-back still shows `{new_name(3)}`"


def test_share_of_the_addresses_is_no_limit_for_an_undo(move: Migration) -> None:
    """A job that may change 30 % can be undone as a whole once it was allowed to change more."""
    move.write_job("safety: {max_changes: 30%}\n")
    move.done("run", "job.yaml", "--max-changes", "100%")

    move.done("undo", "last")

    assert move.names() == all_old(move)


def test_count_is_a_limit_for_an_undo_too(move: Migration) -> None:
    """A plain number of changes holds in both directions."""
    move.write_job("safety: {max_changes: 3}\n")
    move.done("run", "job.yaml", "--max-changes", "10")

    ended = move.do("undo", "last", "--yes", "--max-changes", "9")

    assert ended.code == 5
    assert "--max-changes 10" in ended.err


def test_partial_run_is_undone_as_far_as_it_came(move: Migration) -> None:
    """Only what was written is set back; what failed was never ours."""
    move.api.fault(Fault(action="update_ptr", ip=address(4), json=DENIED))
    assert move.do("run", "job.yaml", "--yes", "--max-failed", "100%").code == 3

    move.done("undo", "last")

    assert move.names() == all_old(move)
    assert len(move.rows()) == 9
    assert move.writes()[address(4)] == 1


def test_killed_run_is_undone_as_far_as_it_came(move: Migration) -> None:
    """After kill -9 in the middle nothing of the run is left behind, be it recorded as done or in doubt."""
    move.cut_short(signal.SIGKILL, "update_ptr", 3, "run", "job.yaml", "--yes", "--rate", "8/s")
    changed = sum(name.startswith("new") for name in move.names())
    assert 0 < changed < move.count

    move.done("undo", "last")

    assert move.names() == all_old(move)


def test_write_that_stayed_unknown_is_undone(move: Migration) -> None:
    """A lost answer and an unreadable value leave a doubt; the undo looks, and sets back what is ours."""
    move.api.fault(Fault(action="update_ptr", ip=address(4), attempts=(1,), reset="after"))
    move.api.fault(Fault(action="update_ptr", ip=address(5), attempts=(1,), reset="before"))
    for number in (4, 5):
        move.api.fault(Fault(action="get_ptr", ip=address(number), attempts=(2, 3, 4, 5, 6), status=503))
    assert move.do("run", "job.yaml", "--yes", "--max-failed", "100%").code == 9
    assert (move.names()[4], move.names()[5]) == (new_name(4), old_name(5))

    ended = move.do("undo", "last", "--yes")

    assert ended.code == 0, ended.err
    assert move.names() == all_old(move)
    assert {row["ip"]: row["status"] for row in move.rows()}[address(5)] == "unchanged"


def test_run_that_changed_nothing_is_not_undone(move: Migration) -> None:
    """There is nothing to take back from a run that found all as wanted."""
    move.write_job(**{f"n{number}": old_name(number) for number in range(move.count)})
    move.done("run", "job.yaml")

    ended = move.do("undo", "last", "--yes")

    assert ended.code == 2
    assert "changed no PTR record" in ended.err


def test_undo_asks_like_a_run(move: Migration) -> None:
    """Without a terminal it needs --yes or the number of writes."""
    move.done("run", "job.yaml")
    run = first_run(move)

    codes = [move.do("undo", run).code, move.do("undo", run, "--confirm", "10").code]

    assert codes == [5, 0]


def test_killed_undo_goes_on(move: Migration) -> None:
    """A resume finishes an undo, compares still, and needs no job file; the changed job is not in its way."""
    move.done("run", "job.yaml")
    move.cut_short(signal.SIGKILL, "update_ptr", 3, "undo", "last", "--yes", "--rate", "8/s")
    move.write_job("vars: {another: job}\n")

    rebased = move.do("resume", "--rebase", "--yes")
    ended = move.do("resume", "--rate", "500/s")

    assert (rebased.code, ended.code) == (2, 0), ended.err
    assert move.names() == all_old(move)


def test_simulated_run_is_undone_in_a_simulator(move: Migration) -> None:
    """A rehearsal can be taken back as a rehearsal; the provider is not called."""
    move.done("run", "job.yaml", "--simulate")

    ended = move.done("undo", first_run(move))

    assert "SIMULATED undo of move: 10 items: 10 changed" in ended.err
    assert move.api.log.total == 0


def test_apply_and_undo_together_leave_the_plan_as_it_was(move: Migration) -> None:
    """After an undo the same job plans the same again."""
    move.planned()
    before = move.digest()
    move.done("apply", "p.json")
    move.done("undo", "last")

    move.planned()

    assert move.digest() == before

"""`bulkip plan`: what is there, what would change, and a file to apply later; nothing is written."""

import json
import os
import signal
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from bulkip.model import JsonValue
from bulkip.simulator import Fault, Simulator, TokenEnd
from tests.migration import SERVER, Migration, address, migration, new_name, old_name

DENIED: JsonValue = {"code": -1, "message": "access denied"}


@pytest.fixture
def move(tmp_path: Path) -> Iterator[Migration]:
    """Begin with eight addresses, of which the last has no PTR."""
    with migration(tmp_path, 8, bare=(7,)) as told:
        yield told


def mixed(move: Migration) -> None:
    """Plan one of each kind: 0 is as wanted, 1 is cleared, 2 cannot be read, 7 is set, the rest changes."""
    move.write_job(n0=old_name(0), n1="")
    move.api.fault(Fault(action="get_ptr", ip=address(2), json=DENIED))


def test_diff_shows_each_address_under_its_mark(move: Migration) -> None:
    """The diff is grouped by what is done: set, change, clear, as wanted, not to be done."""
    mixed(move)

    told = move.do("plan", "job.yaml")

    heads = [line for line in told.out.splitlines() if not line.startswith(" ")]
    assert heads == [
        "+ to set where there is none: 1",
        "~ to change: 4",
        "- to clear: 1",
        "= as wanted already: 1",
        "! not to be done: 1",
    ]
    assert f"  ~ {address(3):<15} {old_name(3)} -> {new_name(3)}\n" in told.out
    assert f"  - {address(1):<15} {old_name(1)}\n" in told.out
    assert f"  ! {address(2):<15} update_ptr: access denied\n" in told.out


def test_unreadable_value_makes_the_plan_incomplete(move: Migration) -> None:
    """A value that cannot be read is told by exit code 3; the other addresses are planned."""
    mixed(move)

    told = move.planned()

    assert told.code == 3, told.err
    assert [item["change"] for item in move.items()].count("left_out") == 1


@pytest.mark.parametrize("form", ["json", "jsonl", "csv"])
def test_other_formats_hold_every_item(move: Migration, form: str) -> None:
    """A program reads the same plan as JSON, JSON lines or CSV, with the value before and after."""
    told = move.do("plan", "job.yaml", "--format", form)

    lines = told.out.splitlines()
    found = json.loads(told.out)["items"] if form == "json" else lines[1:] if form == "csv" else lines
    assert len(found) == move.count
    assert old_name(3) in str(found[3])
    assert new_name(3) in str(found[3])


def test_planning_never_writes(move: Migration) -> None:
    """The provider sees reads only, one per address."""
    move.planned()

    assert {entry.action for entry in move.api.log.entries()} == {"get_ptr"}
    assert move.api.state.count("get_ptr") == move.count


def test_digest_stands_for_state_and_wishes(move: Migration) -> None:
    """Two plans of the same state have the same digest and items; another state has another digest."""
    move.planned()
    first, items = move.digest(), move.items()
    move.planned()
    second, again = move.digest(), move.items()
    move.set_elsewhere(5, "somebody.example.com")
    move.planned()

    assert first == second
    assert [{**item, "read_at": 0} for item in items] == [{**item, "read_at": 0} for item in again]
    assert move.digest() != first


def test_plan_file_is_private_and_holds_no_secret(move: Migration) -> None:
    """The file is its owner's alone; it says where the token is, not what it is."""
    (move.folder / "token").write_text("simulated")
    (move.folder / "token").chmod(0o600)
    job = move.folder / "job.yaml"
    job.write_text(job.read_text().replace("api: {", "api: {token: file:token, "))
    move.planned()
    plan = move.folder / "p.json"

    assert stat.S_IMODE(plan.stat().st_mode) == 0o600
    assert "simulated" not in plan.read_text().replace('"simulated":false', "")


def test_nothing_of_a_plan_is_a_run(move: Migration) -> None:
    """The folder of the runs stays as it was, so `last` is never a plan."""
    move.planned()

    assert [*(move.folder / ".bulkip").iterdir()] == []
    assert move.do("report", "last", "-f", "text").code == 2


def test_store_of_a_killed_plan_is_swept_up(move: Migration) -> None:
    """What a killed plan left is removed by the next one, once it is surely nobody's."""
    killed = move.cut_short(signal.SIGKILL, "get_ptr", 1, "plan", "job.yaml", "--rate", "2/s")
    (left,) = (move.folder / ".bulkip" / "plans").iterdir()
    os.utime(left, (0, 0))

    told = move.planned()

    assert (killed, told.code) == (-signal.SIGKILL, 0), told.err
    assert [*(move.folder / ".bulkip").iterdir()] == []


def test_interrupted_plan_leaves_nothing(move: Migration) -> None:
    """Ctrl-C while the values are read ends with 130, and neither a plan nor a file of it is there."""
    options = ("plan", "job.yaml", "-o", "p.json", "--rate", "2/s")
    code = move.cut_short(signal.SIGINT, "get_ptr", 1, *options)

    assert code == 130
    assert sorted(path.name for path in move.folder.iterdir()) == [".bulkip", "job.yaml", "rows.csv"]
    assert [*(move.folder / ".bulkip").iterdir()] == []


def test_no_changes_can_be_demanded(move: Migration) -> None:
    """A pipeline asks whether all is as wanted: 4 while it is not, 0 once it is."""
    before = move.do("plan", "job.yaml", "--expect-no-changes")
    move.done("run", "job.yaml")
    after = move.do("plan", "job.yaml", "--expect-no-changes")

    assert (before.code, after.code) == (4, 0)
    assert "the plan has 8 writes" in before.err
    assert "plan: 0 writes of 8 items" in after.err


def test_plan_names_the_limit_that_apply_will_meet(move: Migration) -> None:
    """Whoever reads a plan learns at once what would stop it, with the numbers and the way on."""
    move.write_job("safety: {max_changes: 3, min_existing: 1}\n")

    told = move.planned()

    assert told.code == 0
    assert "apply will refuse this: 8 PTR records would be written" in told.err
    assert "--max-changes 8" in told.err


@pytest.mark.parametrize("victim", ["job.yaml", "rows.csv"])
def test_plan_never_replaces_what_it_was_made_from(move: Migration, victim: str) -> None:
    """A plan that would overwrite the job or its list is refused before a call."""
    before = (move.folder / victim).read_bytes()

    told = move.do("plan", "job.yaml", "-o", victim)

    assert (told.code, move.api.log.total) == (2, 0)
    assert (move.folder / victim).read_bytes() == before


def test_plan_goes_to_stdout_alone(move: Migration) -> None:
    """`-o -` gives the file's content to a pipe, without the diff."""
    told = move.do("plan", "job.yaml", "-o", "-")

    assert json.loads(told.out)["head"]["job_name"] == "move"


def test_account_that_is_refused_gives_no_plan(move: Migration) -> None:
    """A dead token ends the plan with 7, and no file is written."""
    move.api.fault(Fault(action="get_ptr", token=TokenEnd.INVALID))

    told = move.planned()

    assert told.code == 7, told.err
    assert "no plan was made" in told.err
    assert not (move.folder / "p.json").exists()


def test_several_names_are_one_value(move: Migration) -> None:
    """A list of names is planned, kept and applied as a whole."""
    names = f"with: {{id: {SERVER}, ptr: [a.example.net, b.example.net]}}, allow_same: true"
    move.write_job(f"actions: [{{action: update_ptr, {names}}}]\n")
    move.planned()

    move.done("apply", "p.json")

    assert move.names() == ["a.example.net,b.example.net"] * move.count


def test_simulated_plan_says_so(move: Migration) -> None:
    """A rehearsed plan is marked wherever it is told, and calls no API."""
    told = move.planned("--simulate")

    assert told.err.count("SIMULATED") == 2
    assert move.api.log.total == 0
    assert json.loads((move.folder / "p.json").read_text())["head"]["simulated"] is True


def test_witness_is_real(move: Migration) -> None:
    """The provider of these tests counts writes, so that a plan without one proves something."""
    move.done("run", "job.yaml")

    assert isinstance(move.api, Simulator)
    assert move.writes().total() == move.count

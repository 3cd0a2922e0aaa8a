"""`bulkip apply`: a saved plan is carried out item by item, and only where nothing has moved."""

import hashlib
import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from bulkip.model import JsonValue
from bulkip.simulator import Fault, TokenEnd
from tests.migration import Migration, address, migration, new_name, old_name

COUNT = 2_000
DENIED: JsonValue = {"code": -1, "message": "access denied"}


@pytest.fixture
def move(tmp_path: Path) -> Iterator[Migration]:
    """Begin with ten addresses."""
    with migration(tmp_path, 10) as told:
        yield told


def all_new(move: Migration) -> list[str]:
    """Return the names that the whole migration leaves."""
    return [new_name(number) for number in range(move.count)]


def test_plan_is_all_that_apply_needs(move: Migration) -> None:
    """Job and list may be gone; each address gets its name by one write."""
    move.planned()
    (move.folder / "job.yaml").unlink()
    (move.folder / "rows.csv").unlink()

    move.done("apply", "p.json")

    assert move.names() == all_new(move)
    assert set(move.writes().values()) == {1}


def test_address_changed_meanwhile_is_a_conflict_and_the_others_proceed(tmp_path: Path) -> None:
    """Of 2,000 addresses one is somebody else's now: it is left alone, 1,999 are written, exit 3."""
    with migration(tmp_path, COUNT) as move:
        move.planned()
        move.set_elsewhere(1_234, "somebody.example.com")

        ended = move.do("apply", "p.json", "--yes")

        assert ended.code == 3, ended.err
        assert move.tally() == {"changed": COUNT - 1, "conflict": 1}
        assert move.names()[1_234] == "somebody.example.com"
        assert move.writes()[address(1_234)] == 0
        assert move.writes().total() == COUNT - 1


def test_address_that_has_its_name_already_is_not_written(move: Migration) -> None:
    """Equal to the value wanted is unchanged, whoever set it."""
    move.planned()
    move.set_elsewhere(4, new_name(4))

    move.done("apply", "p.json")

    assert move.tally() == {"changed": 9, "unchanged": 1}
    assert move.writes()[address(4)] == 0


def test_plan_applied_twice_writes_once(move: Migration) -> None:
    """A plan that was carried out finds everything as wanted."""
    move.planned()
    move.done("apply", "p.json")
    move.done("apply", "p.json")

    assert move.tally() == {"unchanged": 10}
    assert set(move.writes().values()) == {1}


def test_strict_stops_everything_for_one_address(move: Migration) -> None:
    """With --strict a value that moved stops all before the first write, tells which, and leaves no run."""
    move.planned()
    move.set_elsewhere(4, "somebody.example.com")

    ended = move.do("apply", "p.json", "--strict", "--yes")

    assert ended.code == 5
    assert f"{address(4)}: planned from {old_name(4)}, now somebody.example.com" in ended.err
    assert move.writes().total() == 0
    assert move.do("resume", "--yes").code == 2


def test_strict_looks_at_what_is_as_wanted_too(move: Migration) -> None:
    """An address that needed nothing when it was planned may need something now."""
    move.write_job(n4=old_name(4))
    move.planned()
    move.set_elsewhere(4, "somebody.example.com")

    ended = move.do("apply", "p.json", "--strict", "--yes")

    assert (ended.code, move.writes().total()) == (5, 0)


def test_strict_stops_for_a_value_that_cannot_be_read(move: Migration) -> None:
    """What nobody can see may have moved."""
    move.planned()
    move.api.fault(Fault(action="get_ptr", ip=address(4), json=DENIED))

    ended = move.do("apply", "p.json", "--strict", "--yes")

    assert (ended.code, move.writes().total()) == (5, 0)
    assert "cannot be read now" in ended.err


def test_strict_applies_what_has_not_moved(move: Migration) -> None:
    """Nothing moved, so the plan is carried out."""
    move.planned()

    move.done("apply", "p.json", "--strict")

    assert move.names() == all_new(move)


def test_only_the_plan_that_was_reviewed_is_applied(move: Migration) -> None:
    """--expect-plan lets no other plan through: not in apply, and not in run."""
    move.planned()
    digest, other = move.digest(), "0" * 64

    refused = [
        move.do("apply", "p.json", "--yes", "--expect-plan", other),
        move.do("run", "job.yaml", "--yes", "--expect-plan", other),
    ]
    before = move.writes().total()
    accepted = move.do("run", "job.yaml", "--yes", "--expect-plan", digest)

    assert ([one.code for one in refused], before, accepted.code) == ([5, 5], 0, 0)
    assert all(digest in one.err for one in refused)


def test_run_expects_the_values_of_the_review_too(move: Migration) -> None:
    """A value that moved since the review makes another plan, so `run --expect-plan` sends nothing."""
    move.planned()
    move.set_elsewhere(4, "somebody.example.com")

    ended = move.do("run", "job.yaml", "--yes", "--expect-plan", move.digest())

    assert (ended.code, move.writes().total()) == (5, 0)
    assert "look at it again" in ended.err


def test_question_needs_an_answer(move: Migration) -> None:
    """Without a terminal nothing is written until --yes or the right --confirm."""
    move.planned()

    codes = [
        move.do("apply", "p.json").code,
        move.do("apply", "p.json", "--confirm", "9").code,
        move.do("apply", "p.json", "--confirm", "10").code,
    ]

    assert codes == [5, 5, 0]
    assert move.writes().total() == 10


def test_killed_apply_goes_on_and_compares_still(move: Migration) -> None:
    """A resume of an applied plan needs neither job nor plan, and overwrites nobody's value."""
    move.planned()
    move.cut_short(signal.SIGKILL, "update_ptr", 3, "apply", "p.json", "--yes", "--rate", "4/s")
    left = [row["ip"] for row in move.rows() if row["status"] == "not_run"]
    (move.folder / "job.yaml").write_text("version: 1\nname: another\nactions: [{action: get_client_ip}]\n")
    (move.folder / "p.json").unlink()
    number = next(number for number in range(move.count) if address(number) == left[-1])
    move.set_elsewhere(number, "somebody.example.com")

    ended = move.do("resume", "--rate", "500/s")

    assert ended.code == 3, ended.err
    assert move.tally() == {"changed": 9, "conflict": 1}
    assert move.names()[number] == "somebody.example.com"


def test_applied_plan_is_not_rebased(move: Migration) -> None:
    """The job file has nothing to do with an applied plan, so a resume cannot go by it."""
    move.planned()
    move.cut_short(signal.SIGKILL, "update_ptr", 3, "apply", "p.json", "--yes", "--rate", "4/s")

    ended = move.do("resume", "--rebase", "--yes")

    assert ended.code == 2
    assert "not from a job file" in ended.err


def test_simulated_plan_never_reaches_the_provider(move: Migration) -> None:
    """What was planned in a rehearsal is applied in one."""
    move.planned("--simulate")

    ended = move.done("apply", "p.json")

    assert "SIMULATED" in ended.err
    assert move.api.log.total == 0


def test_real_plan_can_be_rehearsed(move: Migration) -> None:
    """With --simulate a real plan goes against a simulator that has its values."""
    move.planned()
    calls = move.api.log.total

    ended = move.done("apply", "p.json", "--simulate", "--strict")

    assert "SIMULATED move: 10 items: 10 changed" in ended.err
    assert move.api.log.total == calls


def test_unreadable_addresses_stay_out_of_it(move: Migration) -> None:
    """What the plan left out is failed and not called for; the others are written; exit 3."""
    move.api.fault(Fault(action="get_ptr", ip=address(4), times=1, json=DENIED))
    assert move.planned().code == 3
    calls = move.api.state.count("get_ptr", address(4))

    ended = move.do("apply", "p.json", "--yes")

    assert ended.code == 3
    assert move.tally() == {"changed": 9, "failed": 1}
    assert move.api.state.count("get_ptr", address(4)) == calls
    assert "left out of the plan: access denied" in ended.err


def test_edited_plan_sends_nothing(move: Migration) -> None:
    """One letter is enough."""
    move.planned()
    plan, calls = move.folder / "p.json", move.api.log.total
    plan.write_text(plan.read_text().replace("new-7", "new-8"))

    ended = move.do("apply", "p.json", "--yes")

    assert (ended.code, move.api.log.total) == (2, calls)
    assert "edited or cut short" in ended.err


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param('"concurrency":8', '"concurrency":"many"', id="type"),
        pytest.param('"limits":', '"limit":', id="missing"),
        pytest.param('"calls":500', '"calls":0', id="no-calls-at-all"),
        pytest.param('"calls":500', '"calls":NaN', id="no-number"),
        pytest.param('"period_s":1.0', '"period_s":-1.0', id="time-backwards"),
        pytest.param('"period_s":1.0', '"period_s":1e400', id="infinite"),
        pytest.param('"concurrency":8', '"concurrency":0', id="nobody-works"),
        pytest.param('"headroom":0.03', '"headroom":2.0', id="no-rate-is-left"),
        pytest.param('"url":"http://127.0.0.1', '"url":"http://192.0.2.1', id="not-encrypted"),
        pytest.param('"head":{"job_name":"move"', '"head":{"job_name":"\\ud800"', id="half-a-character"),
    ],
)
def test_settings_that_no_job_could_have_are_refused(move: Migration, old: str, new: str) -> None:
    """A plan with the right sha256 but impossible settings is its author's mistake, not a crash."""
    move.planned()
    plan, calls = move.folder / "p.json", move.api.log.total
    text = plan.read_text().replace(old, new).rpartition('],"sha256":')[0]
    assert new in text
    plan.write_text(f'{text}],"sha256":"{hashlib.sha256(text.encode()).hexdigest()}"}}\n')

    ended = move.do("apply", "p.json", "--yes")

    assert (ended.code, move.api.log.total) == (2, calls), ended.err
    assert "Traceback" not in ended.err


def test_report_does_not_replace_the_plan(move: Migration) -> None:
    """The plan is an input of the run, so no report may lie in its place."""
    move.planned()

    ended = move.do("apply", "p.json", "--yes", "--report", "csv=p.json")

    assert (ended.code, move.writes().total()) == (2, 0)
    assert json.loads((move.folder / "p.json").read_text())["bulkip_plan"] == 1


def test_plan_without_writes_is_applied_in_silence(move: Migration) -> None:
    """Nothing to do is no failure, and asks nothing."""
    move.done("run", "job.yaml")
    move.planned()
    calls = move.api.log.total

    ended = move.do("apply", "p.json")

    assert (ended.code, move.api.log.total) == (0, calls), ended.err


def test_limits_hold_for_a_saved_plan(tmp_path: Path) -> None:
    """Writes for 31 of 100 addresses are more than 30 %, so nothing is sent, and it says how to go on."""
    with migration(tmp_path, 100) as move:
        kept = {f"n{number}": old_name(number) for number in range(31, 100)}
        move.write_job("safety: {max_changes: 30%}\n", **kept)
        move.planned()

        stopped = move.do("apply", "p.json", "--yes")
        before = move.writes().total()
        allowed = move.do("apply", "p.json", "--yes", "--max-changes", "31")

        assert (stopped.code, before, allowed.code) == (5, 0, 0), allowed.err
        assert "31 PTR records would be written" in stopped.err
        assert "100 addresses have one" in stopped.err
        assert "`max_changes` allows 30%; if that is meant: --max-changes 31" in stopped.err


def test_strict_look_can_be_broken_off(move: Migration) -> None:
    """Ctrl-C while the values are compared ends with 130; nothing was written, and there is no run."""
    move.planned()

    code = move.cut_short(
        signal.SIGINT, "get_ptr", 2, "apply", "p.json", "--strict", "--yes", "--rate", "4/s"
    )

    assert (code, move.writes().total()) == (130, 0)
    assert [*(move.folder / ".bulkip").iterdir()] == []


def test_strict_look_at_a_refused_account_ends_as_such(move: Migration) -> None:
    """A dead token is no drift: exit 7, as without --strict."""
    move.planned()
    move.api.fault(Fault(action="get_ptr", token=TokenEnd.INVALID))

    ended = move.do("apply", "p.json", "--strict", "--yes")

    assert (ended.code, move.writes().total()) == (7, 0), ended.err

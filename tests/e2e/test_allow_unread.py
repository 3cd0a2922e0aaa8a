"""`--allow-unread`: a value that cannot be read keeps nobody from writing another one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bulkip.model import JsonValue
from bulkip.simulator import Fault
from tests.migration import Migration, address, migration, new_name, old_name

DENIED: JsonValue = {"code": -1, "message": "access denied"}
MUTE = 4
"""The address whose value nobody may read."""


@pytest.fixture
def move(tmp_path: Path) -> Iterator[Migration]:
    """Begin with ten addresses, of which one cannot be read."""
    with migration(tmp_path, 10) as told:
        told.api.fault(Fault(action="get_ptr", ip=address(MUTE), json=DENIED))
        yield told


def test_unreadable_value_is_overwritten_only_on_request(move: Migration) -> None:
    """Without the option the item fails and nothing is sent for it; with it, it is written like others."""
    careful = move.do("run", "job.yaml", "--yes")
    calls = move.writes()[address(MUTE)]

    bold = move.do("run", "job.yaml", "--yes", "--allow-unread")

    assert (careful.code, calls) == (3, 0)
    assert bold.code == 0, bold.err
    assert "1 to write without a look before" in bold.err
    assert move.names()[MUTE] == new_name(MUTE)
    row = move.rows()[MUTE]
    assert (row["status"], row["before"]) == ("changed", None)
    assert row["note"] == "written without a look before (access denied)"


def test_plan_says_that_it_goes_blind_and_apply_does_it(move: Migration) -> None:
    """The diff marks the item and says why; the saved plan writes it without asking once more."""
    planned = move.planned("--allow-unread")
    reads = move.api.state.count("get_ptr", address(MUTE))

    applied = move.do("apply", "p.json", "--yes")

    assert planned.code == 0, planned.err
    assert f"> {address(MUTE):<15} update_ptr id=4711 ptr={new_name(MUTE)}" in planned.out
    assert "the value before cannot be read: access denied" in planned.out
    assert applied.code == 0, applied.err
    assert move.names()[MUTE] == new_name(MUTE)
    assert move.api.state.count("get_ptr", address(MUTE)) == reads


def test_limit_counts_what_is_written_blind(move: Migration) -> None:
    """`max_changes` is about all that would be written, seen or not."""
    ended = move.do("run", "job.yaml", "--yes", "--allow-unread", "--max-changes", "9")

    assert ended.code == 5
    assert "10 PTR records would be written (0 set, 9 changed, 0 cleared, 1 unread" in ended.err
    assert not move.writes()


def test_blind_write_is_not_undone(move: Migration) -> None:
    """What was there before is not known, so the way back leaves it alone and says so."""
    move.done("run", "job.yaml", "--allow-unread")

    ended = move.do("undo", "last", "--yes")

    assert ended.code == 0, ended.err
    assert "1 write was made without a look before, and cannot be taken back" in ended.err
    assert move.names() == [old_name(n) if n != MUTE else new_name(n) for n in range(move.count)]


def test_lost_blind_write_is_unknown(move: Migration) -> None:
    """When its answer is lost and nobody can read what is there, it is unknown, and not sent again."""
    move.api.fault(Fault(action="update_ptr", ip=address(MUTE), times=1, reset="after"))

    ended = move.do("run", "job.yaml", "--yes", "--allow-unread")

    assert ended.code == 9, ended.err
    assert move.tally() == {"changed": 9, "unknown": 1}
    assert move.writes()[address(MUTE)] == 1


def test_retry_reads_again(move: Migration) -> None:
    """What was allowed once is not allowed for ever: a retry without the option fails."""
    move.api.fault(Fault(action="update_ptr", ip=address(MUTE), times=1, json=DENIED))
    move.do("run", "job.yaml", "--yes", "--allow-unread")

    ended = move.do("retry", "last", "--yes")

    assert ended.code == 3
    assert move.writes()[address(MUTE)] == 1

"""`--fail-on`: how much may go wrong before a command fails."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bulkip.model import JsonValue
from bulkip.simulator import Fault
from tests.called import called
from tests.migration import Migration, address, migration, new_name

DENIED: JsonValue = {"code": -1, "message": "access denied"}
LENIENT = "failed>10%,conflict,unverified,unknown,mismatch"


@pytest.fixture
def move(tmp_path: Path) -> Iterator[Migration]:
    """Begin with ten addresses, one of which cannot be written."""
    with migration(tmp_path, 10) as told:
        told.api.fault(Fault(action="update_ptr", ip=address(3), json=DENIED))
        yield told


@pytest.mark.parametrize("fail_on", [(), ("--fail-on", "failed>9%")], ids=["default", "exceeded"])
def test_more_failures_than_tolerated_fail_the_run(move: Migration, fail_on: tuple[str, ...]) -> None:
    """One failed item of ten fails the command, unless it is told to tolerate as many."""
    assert move.do("run", "job.yaml", "--yes", *fail_on).code == 3


def test_tolerated_failures_are_told_and_the_books_balance(move: Migration) -> None:
    """The code is 0, the recap says what was tolerated, and the store keeps what the process returned."""
    ended = move.do("run", "job.yaml", "--yes", "--fail-on", LENIENT)

    told = json.loads(called("report", "last", "-f", "json", cwd=move.folder).out)
    assert ended.code == told["exit_code"] == 0
    assert "tolerated: 1 failed (failed>10%)" in ended.err
    assert told["by_status"] == {"changed": 9, "failed": 1}
    assert called("doctor", "last", cwd=move.folder).code == 0


def test_silence_about_unknown_writes_is_told_loudly(move: Migration) -> None:
    """A list without `unknown` passes writes over that nobody knows of: a warning, quiet or not."""
    ended = move.do("run", "job.yaml", "--yes", "-q", "--fail-on", "failed>10%")

    assert ended.code == 0
    assert "warning: --fail-on failed>10% does not name `unknown`" in ended.err


def test_check_tolerates_a_few_mismatches(move: Migration) -> None:
    """Drift of a few addresses may be accepted."""
    few = ("--limit", ",".join(map(address, range(3))))

    mild = move.do("check", "job.yaml", *few, "--fail-on", "mismatch>3")
    strict = move.do("check", "job.yaml", *few)

    assert (mild.code, strict.code) == (0, 4)
    assert "does not name" not in mild.err  # a check writes nothing


def test_nothing_to_check_is_never_tolerated(move: Migration) -> None:
    """A check over zero items fails, whatever is tolerated."""
    assert move.do("check", "job.yaml", "--limit", "192.0.2.1", "--fail-on", "failed>100%").code == 4


def test_safety_stop_is_never_tolerated(move: Migration) -> None:
    """Limits and confirmations stand above it."""
    ended = move.do("run", "job.yaml", "--yes", "--max-changes", "2", "--fail-on", "unknown")

    assert (ended.code, move.writes().total()) == (5, 0)


def test_retry_and_apply_take_it_too(move: Migration) -> None:
    """Whatever carries items out may be told, and the environment may tell it."""
    move.planned()
    applied = move.do("apply", "p.json", "--yes", "--fail-on", LENIENT)
    again = move.do("retry", "--yes", "--fail-on", LENIENT)

    assert (applied.code, again.code) == (0, 0)
    assert move.names()[3] != new_name(3)


def test_mistake_is_told_before_anything_is_sent(move: Migration) -> None:
    """A wrong list ends with 2, the place, the value and the way out."""
    ended = move.do("run", "job.yaml", "--yes", "--fail-on", "faild>1%")

    assert (ended.code, move.writes().total()) == (2, 0)
    assert "'--fail-on': `faild` is no status that a command fails for; did you mean `failed`?" in ended.err

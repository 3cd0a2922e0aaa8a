"""`--shard K/N` and `bulkip merge`: several processes carry one job out."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bulkip.lock import Holder, account_locks, take
from bulkip.lockname import lock_name
from bulkip.reports import FORMATS
from tests.called import called
from tests.migration import Migration, address, migration, new_name

COUNT = 20


@pytest.fixture
def move(tmp_path: Path) -> Iterator[Migration]:
    """Begin with twenty addresses."""
    with migration(tmp_path, COUNT) as told:
        yield told


def shard(move: Migration, number: int, count: int = 2, *options: str) -> str:
    """Carry a shard out in a --run-dir of its own, and return that."""
    place = f"shard-{number}"
    move.done("run", "job.yaml", "--shard", f"{number}/{count}", "--run-dir", place, *options)
    return place


def test_shards_do_the_whole_job_once(move: Migration) -> None:
    """Each address is written once; merged, they report in the order of the list, and balance."""
    places = [shard(move, number) for number in (2, 1)]

    merged = called("merge", *places, "-o", "all", cwd=move.folder)

    rows = [json.loads(line) for line in report(move, "jsonl").splitlines()]
    assert (merged.code, move.names()) == (0, [new_name(number) for number in range(COUNT)])
    assert set(move.writes().values()) == {1}
    assert [row["ip"] for row in rows] == [address(number) for number in range(COUNT)]
    assert called("doctor", "last", "--run-dir", "all", cwd=move.folder).code == 0
    assert all(report(move, form) for form in FORMATS if not form.startswith(("traffic", "failed")))


def report(move: Migration, form: str) -> str:
    """Render a report of the merged run."""
    return called("report", "last", "-f", form, "--run-dir", "all", cwd=move.folder).out


def test_plan_of_a_shard_is_applied_as_such(move: Migration) -> None:
    """A plan knows that it is a shard's: applied, it is told as one, and merged with the others."""
    for number in (1, 2):
        move.do("plan", "job.yaml", "--shard", f"{number}/2", "-o", f"{number}.json")
        ended = move.done("apply", f"{number}.json", "--run-dir", f"applied-{number}")
        assert f"shard {number}/2" in ended.err

    merged = called("merge", "applied-1", "applied-2", "-o", "all", cwd=move.folder)

    assert merged.code == 0
    assert "move, merged: 20 items: 20 changed" in merged.err
    assert set(move.writes().values()) == {1}


def test_shards_do_not_wait_for_each_other(move: Migration, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each shard locks itself: another one of the same account goes on, the same one is refused."""
    monkeypatch.setenv("XDG_STATE_HOME", str(move.folder / "state"))
    locks = account_locks({"XDG_STATE_HOME": str(move.folder / "state")})
    name = lock_name(move.api.url, "simulated", "1/2")

    with take(locks / name, Holder("run", "move", 1, "here", 0.0)) or pytest.fail("nobody else has it"):
        same = move.do("run", "job.yaml", "--shard", "1/2", "--yes")
        other = move.do("run", "job.yaml", "--shard", "2/2", "--yes")

    assert (same.code, other.code) == (8, 0)


def test_shard_without_items_has_nothing_to_do(move: Migration) -> None:
    """A shard may be empty, even of a check; a check that asserts nothing at all is none."""
    one = f"{address(0)}"
    codes = [move.do("check", "job.yaml", "--limit", one, "--shard", f"{number}/2").code for number in (1, 2)]
    nothing = move.do("check", "job.yaml", "--limit", "192.0.2.1", "--shard", "1/2")

    assert sorted(codes) == [0, 4]  # 4 is the mismatch of the one that has the address
    assert nothing.code == 4
    assert "nothing was checked" in nothing.err


def test_shard_goes_on_as_that_shard(move: Migration) -> None:
    """A shard that was cut short is resumed as what it was; with a changed job it still has its part only."""
    move.do("run", "job.yaml", "--shard", "1/2")  # nobody confirmed it
    move.write_job("timeouts: {attempt: 20s}\n")

    ended = move.done("resume", "last", "--rebase")

    assert "shard 1/2" in ended.err
    assert 0 < move.writes().total() < COUNT


def test_targets_of_a_shard_can_be_counted(move: Migration) -> None:
    """The addresses of all shards are those of the job."""
    found = [
        ip
        for number in (1, 2, 3)
        for ip in called("targets", "job.yaml", "--shard", f"{number}/3", cwd=move.folder).out.split()
    ]

    assert sorted(found) == sorted(address(number) for number in range(COUNT))


def test_digest_of_a_plan_is_the_same_everywhere(move: Migration) -> None:
    """The same job in another checkout has the same digest, which --format json prints, too."""
    checkout = move.folder / "other" / "checkout"
    checkout.mkdir(parents=True)
    for name in ("job.yaml", "rows.csv"):
        (checkout / name).write_bytes((move.folder / name).read_bytes())
    move.planned()

    there = move.do("plan", str(checkout / "job.yaml"), "--format", "json")

    assert json.loads(there.out)["digest"] == move.digest()

"""The whole story of a migration of 2,000 addresses: look, try, be killed, go on, prove, and take it back."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from bulkip.simulator import DnsSettings, SimulatorSettings
from tests.migration import Migration, migration, new_name, old_name

COUNT = 2_000
CANARY = 5
RATE = "limits: {rate: 2000/s, concurrency: 16}\n"
BARE = (1_000, 1_999)
"""These addresses have no PTR before."""


@pytest.fixture
def move(tmp_path: Path) -> Iterator[Migration]:
    """Begin with 2,000 addresses whose names can be looked up in the DNS."""
    with migration(tmp_path, COUNT, SimulatorSettings(dns=DnsSettings()), bare=BARE) as told:
        asked = f"mode: dns, resolvers: ['{told.api.dns}'], timeout: 5s, settle: 20ms, required: true"
        steps = f"steps: [{CANARY}, 10%, 100%], verify_between: true"
        told.write_job(f"rollout: {{{steps}}}\nverify: {{{asked}}}\n")
        job = told.folder / "job.yaml"
        job.write_text(job.read_text().replace("limits: {rate: 500/s, concurrency: 8}\n", RATE))
        yield told


@pytest.mark.timeout(120)
def test_two_thousand_addresses_move_and_come_back(move: Migration) -> None:
    """Every address is written once, proved in the DNS, and in the end as it was in the beginning."""
    begin = move.names()
    assert move.planned().code == 0
    first_look = move.digest()

    killed = move.cut_short(signal.SIGKILL, "update_ptr", COUNT // 2, "apply", "p.json", "--yes")
    half_way = sum(now != before for now, before in zip(move.names(), begin, strict=True))
    assert (killed, CANARY < half_way < COUNT) == (-signal.SIGKILL, True)

    resumed = move.do("resume")
    assert resumed.code == 0, resumed.err
    assert move.tally() == {"changed": COUNT}
    assert {row["verified"] for row in move.rows()} == {True}
    assert move.names() == [new_name(number) for number in range(COUNT)]
    assert set(move.writes().values()) == {1}

    second_look = move.do("plan", "job.yaml", "--expect-no-changes", "-q")
    assert second_look.code == 0, second_look.err

    undone = move.do("undo", "last", "--yes", "--max-clears", str(len(BARE)))
    assert undone.code == 0, undone.err
    assert move.names() == begin
    assert begin[BARE[0]] == "-"
    assert begin[1] == old_name(1)

    assert move.planned().code == 0
    assert move.digest() == first_look


def test_plan_beyond_its_limit_sends_nothing_and_says_how_to_go_on(move: Migration) -> None:
    """With `max_changes: 30%`, 31 % of the addresses are too many; the numbers and the way on are told."""
    with_name = COUNT - len(BARE)
    writes = with_name * 31 // 100 + 1
    kept = {f"n{number}": old_name(number) for number in range(COUNT) if number not in BARE}
    kept |= {f"n{number}": new_name(number) for number in range(writes - len(BARE))}
    move.write_job("safety: {max_changes: 30%}\n", **kept)

    stopped = move.do("run", "job.yaml", "--yes", "--rate", "2000/s")

    assert (stopped.code, move.writes().total()) == (5, 0)
    assert f"{writes} PTR records would be written" in stopped.err
    assert "`max_changes` allows 30%; if that is meant: --max-changes 620" in stopped.err

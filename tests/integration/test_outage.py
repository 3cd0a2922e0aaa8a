"""A server that goes away in the middle of a run: what waits, what it costs, and when the run gives up."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from anyio import create_task_group, current_time, sleep
from yarl import URL

from bulkip.model import ErrorClass
from bulkip.simulator import Fault, Simulator
from bulkip.stops import StopKind
from tests.doorway import Door, Doorway, doorway
from tests.rehearsal import Carried, Wishes, addresses, carry_out, provider

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]

WRITES = """
targets: [{cidr: 203.0.113.0/26, id: 4711}]
actions: [{action: update_ptr, with: {ptr: "{{ ip.dashed }}.example.net"}}]
limits: {rate: 10/s}
verify: {settle: 1s}
safety: {max_failed: 0}
"""
READS = """
targets: [{cidr: 203.0.113.0/26, id: 4711}]
actions: [{action: get_ip}]
limits: {rate: 10/s}
"""
KEY = "simulated-key"
AWAY = [Door.REFUSING, Door.CLOSING, Door.SILENT]


@dataclass(frozen=True, slots=True)
class Front:
    """A server with a door in front of it; the URL of the simulator is that of the door."""

    api: Simulator
    door: Doorway

    async def carry_out(self, folder: Path, job: str, key: str = "") -> Carried:
        """Carry a job out through the door, with a ready token or a key."""
        self.api.url = self.door.url
        return await carry_out(folder, job, self.api, Wishes(key=key))

    async def shut(self, door: Door, after_s: float, for_s: float | None = None) -> None:
        """Shut the door after a while, and open it again if it is to be opened."""
        await sleep(after_s)
        await self.door.turn(door)
        if for_s is not None:
            await sleep(for_s)
            await self.door.turn(Door.OPEN)


@asynccontextmanager
async def front(*faults: Fault) -> AsyncIterator[Front]:
    """Serve 64 addresses behind a door."""
    async with provider(*addresses(64, 0), faults=faults) as api, doorway(URL(api.url).port or 0) as door:
        yield Front(api, door)


async def shut_in_mid_run(
    folder: Path, job: str, door: Door, after_s: float = 8.0, for_s: float | None = None
) -> tuple[Carried, Front]:
    """Carry a job out while the server goes away."""
    async with front() as there, create_task_group() as group:
        group.start_soon(there.shut, door, after_s, for_s)
        run = await there.carry_out(folder, job)
        group.cancel_scope.cancel()
    return run, there


@pytest.mark.parametrize("door", AWAY)
@pytest.mark.parametrize("away_s", [0.7, 5.0, 60.0])
async def test_server_that_comes_back_costs_no_item(tmp_path: Path, door: Door, away_s: float) -> None:
    """Whether it refuses, closes or says nothing for a while: in the end every name is set."""
    run, _ = await shut_in_mid_run(tmp_path, WRITES, door, for_s=away_s)

    assert run.tally() == {"changed": 64}
    assert run.code == 0


@pytest.mark.parametrize("door", AWAY)
async def test_items_without_a_second_try_survive_an_outage(tmp_path: Path, door: Door) -> None:
    """Calls that opened the breaker cost no attempt, not even of items that have only one."""
    job = WRITES + "retry: {attempts: 1}\ntimeouts: {attempt: 2s}\n"

    run, _ = await shut_in_mid_run(tmp_path, job, door, for_s=60)

    assert run.tally() == {"changed": 64}


async def test_outage_spends_no_retry_budget(tmp_path: Path) -> None:
    """What was paid for retries comes back once the server turns out to have been away."""
    job = WRITES + "retry: {budget: 50}\n"

    run, _ = await shut_in_mid_run(tmp_path, job, Door.CLOSING, for_s=20)

    assert run.tally() == {"changed": 64}


@pytest.mark.parametrize("door", AWAY)
async def test_server_that_never_comes_back_halts_the_run(tmp_path: Path, door: Door) -> None:
    """After `give_up` the run halts, with what is left not run and every write in doubt unknown."""
    run, there = await shut_in_mid_run(tmp_path, WRITES, door)

    left = [row for row in run.rows if row["status"] != "changed"]
    assert run.stop is not None
    assert (run.stop.kind, run.stop.error_class) == (StopKind.HALT, ErrorClass.BREAKER)
    assert "has not answered for 300 s" in run.stop.reason
    assert run.code == 6
    assert {row["status"] for row in left} <= {"not_run", "unknown"}
    assert {row["error_class"] for row in left if row["status"] == "not_run"} == {"breaker"}
    assert there.door.knocks < 64


@pytest.mark.parametrize("door", AWAY)
async def test_server_that_is_not_there_costs_a_bounded_number_of_calls(tmp_path: Path, door: Door) -> None:
    """Ten calls in a row and those in flight open the breaker; then one probe at a time, ever later."""
    run, _ = await shut_in_mid_run(tmp_path, READS, door, after_s=0)

    probes = run.calls("probe")
    assert len(run.attempts) - len(probes) <= 10 + 4
    assert 6 <= len(probes) <= 15
    assert run.tally() == {"not_run": 64}


async def test_only_probes_go_out_while_the_server_is_away(tmp_path: Path) -> None:
    """From the call that opened it until a probe is answered, nothing but one probe at a time is sent."""
    run, _ = await shut_in_mid_run(tmp_path, READS, Door.CLOSING, after_s=2, for_s=50)

    calls = sorted(run.attempts, key=lambda attempt: attempt["sent_at"])
    first, last = (
        [i for i, one in enumerate(calls) if one["purpose"] == "probe"][place] for place in (0, -1)
    )
    assert {one["purpose"] for one in calls[first : last + 1]} == {"probe"}
    assert run.tally() == {"ok": 64}


async def test_addresses_that_always_hang_fail_although_the_server_lives(tmp_path: Path) -> None:
    """A server that answers probes but resets every other call ends the items, and the run, in order."""
    async with front(Fault(action="get_ip", reset="close")) as there:
        run = await there.carry_out(tmp_path, READS.replace("/26", "/28"))

    calls = [one for one in run.calls() if one["ip"]]
    assert run.tally() == {"failed": 16}
    assert len(calls) <= 16 * 5 + 10 + 4
    assert run.code == 3


async def test_server_that_is_away_at_the_login_costs_no_item(tmp_path: Path) -> None:
    """Logins that are lost to an outage are no refusal: the run waits for the server like for any call."""
    async with front() as there, create_task_group() as group:
        await there.door.turn(Door.CLOSING)
        group.start_soon(there.shut, Door.CLOSING, 0, 20)
        run = await there.carry_out(tmp_path, READS, KEY)
        group.cancel_scope.cancel()

    assert run.tally() == {"ok": 64}


async def test_logins_that_always_hang_halt_the_run(tmp_path: Path) -> None:
    """A server that answers probes but never a login ends the run, after a bounded number of them."""
    async with front(Fault(action="login", reset="close")) as there:
        run = await there.carry_out(tmp_path, READS, KEY)

    assert run.stop is not None
    assert "no token could be had" in run.stop.reason
    assert len(run.calls("login")) <= 30
    assert run.tally() == {"not_run": 64}


async def test_retries_are_no_more_than_the_budget_pays_for(tmp_path: Path) -> None:
    """A server in trouble is asked again only so often, then the run halts."""
    job = WRITES.replace("get_ip", "get_ip") + "retry: {budget: 50, attempts: 100, base: 10ms, max: 10ms}\n"
    async with front(Fault(action="*", status=503)) as there:
        run = await there.carry_out(tmp_path, job)

    assert run.stop is not None
    assert (run.stop.kind, run.stop.error_class) == (StopKind.HALT, ErrorClass.BUDGET)
    assert len(run.attempts) <= 10 + 4 + 4
    assert run.tally() == {"not_run": 64}
    assert {row["error_class"] for row in run.rows} == {"budget"}


@pytest.mark.parametrize("door", [Door.CLOSING, Door.SILENT])
async def test_calls_that_wait_for_their_pace_stay_back_when_it_opens(tmp_path: Path, door: Door) -> None:
    """However many calls stand ready, no more leave than opened the breaker or were on the wire."""
    job = READS.replace("10/s", "5/s, concurrency: 60") + "timeouts: {attempt: 500ms}\n"

    run, _ = await shut_in_mid_run(tmp_path, job, door, after_s=0)

    assert len([one for one in run.attempts if one["purpose"] != "probe"]) <= 10 + 4


async def test_waiting_calls_leave_the_pace_to_the_probes(tmp_path: Path) -> None:
    """At a slow rate the probes are not held up by calls that may not go anyway."""
    async with front() as there:
        await there.door.turn(Door.CLOSING)
        run = await there.carry_out(tmp_path, READS.replace("10/s", "1/s, concurrency: 40"))

    assert len(run.calls("probe")) >= 10


async def test_item_ends_when_its_time_is_up(tmp_path: Path) -> None:
    """A read that never comes through is failed after `timeouts.item`, in the middle of an attempt."""
    job = READS.replace("/26", "/32") + "timeouts: {item: 40s}\n"
    async with front(Fault(action="get_ip", hang_s=900)) as there:
        begun = current_time()
        run = await there.carry_out(tmp_path, job)
        assert current_time() - begun == pytest.approx(40, abs=1)
        spans = [one["finished_at"] - one["sent_at"] for one in run.attempts]

    assert run.rows[0]["error_class"] == "deadline"
    assert "`timeouts.item` (40 s)" in run.rows[0]["message"]
    assert run.tally() == {"failed": 1}
    assert len(spans) == 2


async def test_write_in_doubt_whose_time_is_up_is_unknown(tmp_path: Path) -> None:
    """Without time for a read-back nobody knows what the write did, and it says so."""
    job = WRITES.replace("/26", "/32") + "timeouts: {item: 20s}\n"
    async with front(Fault(action="update_ptr", hang_s=900)) as there:
        run = await there.carry_out(tmp_path, job)

    assert run.tally() == {"unknown": 1}
    assert run.rows[0]["error_class"] == "deadline"


async def test_time_of_an_item_stands_still_while_everyone_pauses(tmp_path: Path) -> None:
    """A cool-down of eight minutes does not use up the five minutes of an item."""
    fault = Fault(action="get_ip", attempts=(1,), status=429, retry_after_s=480)
    async with front(fault) as there:
        run = await there.carry_out(tmp_path, READS.replace("/26", "/28"))

    assert run.tally() == {"ok": 16}


async def test_run_halts_when_its_time_is_up(tmp_path: Path) -> None:
    """After `timeouts.job` no new item begins; what is left is not run."""
    async with front() as there:
        run = await there.carry_out(tmp_path, READS + "timeouts: {job: 2s}\n")

    assert run.stop is not None
    assert run.stop.error_class is ErrorClass.DEADLINE
    assert run.code == 6
    assert 15 <= run.tally()["ok"] <= 25


async def test_time_of_a_run_counts_over_both_stages(tmp_path: Path) -> None:
    """Reading the values before and applying share `timeouts.job`."""
    async with front() as there:
        run = await there.carry_out(tmp_path, WRITES + "timeouts: {job: 9s}\n")

    assert run.stop is not None
    assert 10 <= run.tally()["changed"] <= 30


async def test_too_many_failures_halt_the_run(tmp_path: Path) -> None:
    """When more items fail than `max_failed` allows, the others are left alone."""
    refusal = Fault(action="update_ptr", json={"code": -1, "message": "IP is not assigned for server"})
    async with front(refusal) as there:
        run = await there.carry_out(tmp_path, WRITES.replace("max_failed: 0", "max_failed: 10"))
        sent = there.api.log.entries("update_ptr")

    assert run.stop is not None
    assert "11 of 64 items failed, more than `max_failed` 10 allows" in run.stop.reason
    assert (run.code, len(sent)) == (6, run.tally()["failed"])
    assert len(sent) <= 11 + 4


async def test_first_answers_count_only_while_the_run_never_had_a_readable_one(tmp_path: Path) -> None:
    """Unreadable answers to the first writes are no wrong URL when the values before were read."""
    garbage = Fault(action="update_ptr", times=6, body="<html>busy</html>")
    async with front(garbage) as there:
        run = await there.carry_out(tmp_path, WRITES)

    assert run.tally() == {"changed": 64}

"""How an item ends: every status, and what a write whose answer is lost comes to."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from anyio import current_time

from bulkip.model import JsonValue
from bulkip.simulator import Effect, Fault, LogEntry, Seed, TrafficPoint
from tests.rehearsal import Carried, addresses, carry_out, provider

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]

IP = "203.0.113.7"
OLD, NEW, THIRD = "old-7.example.org", "new.example.net", "third.example.org"
WRITE = f"""
targets: [{{ip: {IP}, id: 4711}}]
actions: [{{action: update_ptr, with: {{ptr: {NEW}}}}}]
"""
MAIN = f"""
targets: [{{ip: {IP}, id: 4711}}]
actions: [{{action: set_main, with: {{main: 1}}}}]
"""
READ = f"""
targets: [{{ip: {IP}, id: 4711}}]
actions: [{{action: get_ip}}]
"""
WEIRD: JsonValue = {"code": -1, "message": "weird"}


@dataclass(frozen=True, slots=True)
class Settled:
    """How a job for one address ended, what the server saw, and what it carried out."""

    run: Carried
    seen: list[LogEntry]
    effects: list[Effect]

    @property
    def shown(self) -> dict[str, Any]:
        """What the row says about the address."""
        (row,) = self.run.rows
        return {name: row[name] for name in ("status", "before", "after", "attempts")}


async def settle(folder: Path, job: str, *faults: Fault, ptr: str = OLD) -> Settled:
    """Carry a job for one address out against a server with these faults."""
    traffic = (TrafficPoint(1716206400, 125, 85),)
    first = Seed("203.0.113.1", 4711)  # the main address, as long as nobody sets another
    async with provider(first, Seed(IP, 4711, "NL", ptr, traffic), faults=faults) as api:
        run = await carry_out(folder, job, api)
        return Settled(run, api.log.entries(), api.state.writes())


async def test_accepted_write_is_changed(tmp_path: Path) -> None:
    """A write that the server accepted is changed, with the value before and the one after."""
    ended = await settle(tmp_path, WRITE)

    assert ended.shown == {"status": "changed", "before": OLD, "after": NEW, "attempts": 1}


async def test_value_that_is_there_is_not_written(tmp_path: Path) -> None:
    """A value that is as wanted is unchanged, and nothing is sent."""
    ended = await settle(tmp_path, WRITE, ptr=f"{NEW.upper()}.")

    assert ended.run.statuses == ["unchanged"]
    assert [entry.action for entry in ended.seen] == ["get_ptr"]


async def test_write_without_a_value_before(tmp_path: Path) -> None:
    """An address without a PTR record gets one."""
    ended = await settle(tmp_path, WRITE, ptr="")

    assert ended.shown == {"status": "changed", "before": None, "after": NEW, "attempts": 1}


@pytest.mark.parametrize(
    ("fault", "sent"),
    [
        pytest.param(Fault(action="update_ptr", attempts=(1,), reset="after"), 1, id="reset-after-effect"),
        pytest.param(
            Fault(action="update_ptr", attempts=(1,), status=500, effect=True), 1, id="500-but-done"
        ),
        pytest.param(
            Fault(action="update_ptr", attempts=(1,), hang_s=900, effect=True), 1, id="hang-but-done"
        ),
        pytest.param(
            Fault(action="update_ptr", attempts=(1,), body="<p>", effect=True), 1, id="html-but-done"
        ),
        pytest.param(
            Fault(action="update_ptr", attempts=(1,), json=WEIRD, effect=True), 1, id="weird-but-done"
        ),
        pytest.param(Fault(action="update_ptr", attempts=(1,), reset="before"), 2, id="reset-before-effect"),
        pytest.param(Fault(action="update_ptr", attempts=(1,), reset="close"), 2, id="closed-without-answer"),
        pytest.param(Fault(action="update_ptr", attempts=(1,), status=503), 2, id="503-not-done"),
        pytest.param(Fault(action="update_ptr", attempts=(1,), status=408), 2, id="408-not-done"),
        pytest.param(Fault(action="update_ptr", attempts=(1,), status=425), 2, id="425-not-done"),
        pytest.param(Fault(action="update_ptr", attempts=(1,), body="<p>"), 2, id="html-not-done"),
        pytest.param(Fault(action="update_ptr", attempts=(1,), hang_s=900), 2, id="hang-not-done"),
        pytest.param(Fault(action="update_ptr", attempts=(1,), status=429), 2, id="throttled"),
    ],
)
async def test_lost_answer_of_a_write_is_settled(tmp_path: Path, fault: Fault, sent: int) -> None:
    """A write in doubt is read back; it is sent again only when the reading shows the value before."""
    ended = await settle(tmp_path, WRITE, fault)

    assert ended.shown == {"status": "changed", "before": OLD, "after": NEW, "attempts": sent}
    assert [effect.after for effect in ended.effects] == [(NEW,)]


async def test_readback_waits_for_the_settle_time(tmp_path: Path) -> None:
    """Between the lost answer and the read-back lies the settle time of 5 s."""
    fault = Fault(action="update_ptr", reset="after")
    async with provider(Seed(IP, 4711, "NL", OLD), faults=(fault,)) as api:
        await carry_out(tmp_path, WRITE, api)
        write, readback = api.log.entries()[-2:]

    assert (write.action, readback.action) == ("update_ptr", "get_ptr")
    assert readback.at - write.at == pytest.approx(5, abs=0.1)


async def test_third_value_is_unknown_and_not_overwritten(tmp_path: Path) -> None:
    """A read-back that shows neither the old nor the new value ends as unknown, not overwritten."""
    faults = (
        Fault(action="update_ptr", reset="before"),
        Fault(action="get_ptr", attempts=(2,), json={"result": "OK", "message": THIRD}),
    )

    ended = await settle(tmp_path, WRITE, *faults)

    assert ended.shown == {"status": "unknown", "before": OLD, "after": THIRD, "attempts": 1}
    assert ended.run.code == 9


async def test_unreadable_readback_is_unknown(tmp_path: Path) -> None:
    """A write in doubt whose read-back never answers is unknown, and is not sent again."""
    faults = (
        Fault(action="update_ptr", reset="after"),
        Fault(action="get_ptr", attempts=tuple(range(2, 100)), status=503),
    )

    ended = await settle(tmp_path, WRITE, *faults)

    assert ended.shown == {"status": "unknown", "before": OLD, "after": None, "attempts": 1}
    assert len(ended.run.calls("readback")) == 5


async def test_refusal_nobody_knows_is_read_back_once_and_never_sent_again(tmp_path: Path) -> None:
    """A write refused with an unknown text has failed when a reading shows the value before."""
    ended = await settle(tmp_path, WRITE, Fault(action="update_ptr", json=WEIRD))

    assert ended.shown == {"status": "failed", "before": OLD, "after": OLD, "attempts": 1}
    assert len(ended.run.calls("readback")) == 1
    assert ended.run.rows[0]["message"] == "weird"


async def test_refusal_nobody_knows_with_a_third_value_is_unknown(tmp_path: Path) -> None:
    """A write refused with an unknown text that left another value behind is unknown."""
    faults = (
        Fault(action="update_ptr", json=WEIRD),
        Fault(action="get_ptr", attempts=(2,), json={"result": "OK", "message": THIRD}),
    )

    ended = await settle(tmp_path, WRITE, *faults)

    assert ended.shown == {"status": "unknown", "before": OLD, "after": THIRD, "attempts": 1}


async def test_definite_refusal_of_a_write_is_final(tmp_path: Path) -> None:
    """A write that the server refuses in known words has failed at once."""
    fault = Fault(
        action="update_ptr", json={"code": -1, "message": f"IP {IP} is not assigned for server 4711"}
    )

    ended = await settle(tmp_path, WRITE, fault)

    assert ended.shown == {"status": "failed", "before": OLD, "after": None, "attempts": 1}
    assert ended.run.rows[0]["error_class"] == "invalid"


async def test_write_that_never_gets_through_has_failed(tmp_path: Path) -> None:
    """A write that is lost each time, and each time read back as not done, fails after its attempts."""
    ended = await settle(tmp_path, WRITE, Fault(action="update_ptr", status=503))

    assert ended.shown == {"status": "failed", "before": OLD, "after": OLD, "attempts": 5}
    assert (len(ended.run.calls("readback")), ended.run.code) == (5, 3)


async def test_unreadable_value_before_means_no_write(tmp_path: Path) -> None:
    """An address whose value before cannot be read has failed, and is not written."""
    ended = await settle(tmp_path, WRITE, Fault(action="get_ptr", status=503))

    assert ended.shown == {"status": "failed", "before": None, "after": None, "attempts": 0}
    assert len(ended.run.calls("before")) == 5


async def test_moved_value_is_a_conflict(tmp_path: Path) -> None:
    """A value that moved since it was read is not overwritten."""
    job = WRITE + "safety: {read_again_after: 0s}\n"
    fault = Fault(action="get_ptr", attempts=(2,), json={"result": "OK", "message": THIRD})

    ended = await settle(tmp_path, job, fault)

    assert ended.shown == {"status": "conflict", "before": OLD, "after": THIRD, "attempts": 0}
    assert ended.run.code == 3


async def test_stale_value_is_read_again_before_the_write(tmp_path: Path) -> None:
    """A reading that is older than `read_again_after` is made again just before the write."""
    ended = await settle(tmp_path, WRITE + "safety: {read_again_after: 0s}\n")

    assert [entry.action for entry in ended.seen] == ["get_ptr", "get_ptr", "update_ptr"]
    assert ended.run.statuses == ["changed"]


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        pytest.param(Fault(action="set_main", reset="after"), "changed", id="reset-after-effect"),
        pytest.param(Fault(action="set_main", status=503, effect=True), "changed", id="503-but-done"),
        pytest.param(Fault(action="set_main", json=WEIRD, effect=True), "changed", id="refused-but-done"),
        pytest.param(Fault(action="set_main", reset="before"), "unknown", id="reset-before-effect"),
        pytest.param(Fault(action="set_main", status=503), "unknown", id="503"),
        pytest.param(Fault(action="set_main", body="<p>"), "unknown", id="html"),
        pytest.param(Fault(action="set_main", hang_s=900), "unknown", id="no-answer"),
        pytest.param(Fault(action="set_main", json=WEIRD), "failed", id="weird-refusal"),
    ],
)
async def test_set_main_in_doubt_is_read_back_and_never_sent_again(
    tmp_path: Path, fault: Fault, status: str
) -> None:
    """What eq/show says settles a set_main in doubt; one that did not happen is still not repeated."""
    ended = await settle(tmp_path, MAIN, fault)

    assert ended.shown == {"status": status, "before": None, "after": None, "attempts": 1}
    assert [entry.action for entry in ended.seen] == ["set_main", "show"]


@pytest.mark.parametrize(
    "refusal",
    [
        pytest.param(Fault(action="show", json={"result": -2, "error": "Permission denied"}), id="forbidden"),
        pytest.param(Fault(action="show", json={"result": "OK", "IP": []}), id="not-listed"),
        pytest.param(Fault(action="show", status=404), id="no-such-script"),
    ],
)
async def test_set_main_that_nothing_shows_is_unknown(tmp_path: Path, refusal: Fault) -> None:
    """Where the token may not ask eq/show, or it tells nothing, a set_main in doubt stays unknown."""
    ended = await settle(tmp_path, MAIN, Fault(action="set_main", reset="after"), refusal)

    assert (ended.run.statuses, ended.run.code) == (["unknown"], 9)
    assert [entry.action for entry in ended.seen].count("set_main") == 1


async def test_set_main_that_was_throttled_is_sent_again(tmp_path: Path) -> None:
    """A set_main that a limit refused was not carried out, and goes again."""
    ended = await settle(tmp_path, MAIN, Fault(action="set_main", attempts=(1,), status=429))

    assert (ended.run.statuses, len(ended.seen)) == (["changed"], 2)


@pytest.mark.parametrize(
    ("fault", "error_class"),
    [
        pytest.param(Fault(status=503), "server", id="503"),
        pytest.param(Fault(reset="before"), "network", id="reset"),
        pytest.param(Fault(hang_s=900), "timeout", id="no-answer"),
        pytest.param(Fault(status=429), "throttled", id="throttled"),
    ],
)
async def test_read_without_an_answer_fails_after_its_attempts(
    tmp_path: Path, fault: Fault, error_class: str
) -> None:
    """A read is tried as often as allowed, and then has failed with the class of the last answer."""
    ended = await settle(tmp_path, READ, fault)

    assert ended.shown == {"status": "failed", "before": None, "after": None, "attempts": 5}
    assert (ended.run.rows[0]["error_class"], ended.run.code) == (error_class, 3)


async def test_definite_refusal_of_a_read_is_final(tmp_path: Path) -> None:
    """A read that the server refuses in known words is asked once."""
    ended = await settle(tmp_path, READ, Fault(json={"code": -1, "message": f"malformed IP={IP}"}))

    assert ended.shown["attempts"] == 1
    assert ended.run.statuses == ["failed"]


async def test_retry_after_of_a_busy_server_is_waited_for(tmp_path: Path) -> None:
    """A read that is answered with 503 and Retry-After is asked again no sooner."""
    ended = await settle(tmp_path, READ, Fault(attempts=(1,), status=503, retry_after_s=40))

    first, second = (entry.at for entry in ended.seen)
    assert second - first >= 40
    assert ended.run.statuses == ["ok"]


async def test_long_retry_after_ends_the_item(tmp_path: Path) -> None:
    """A Retry-After over `max_retry_after` for one call ends its item, and the run goes on."""
    begun = current_time()

    ended = await settle(tmp_path, READ, Fault(action="get_ip", status=429, retry_after_s=3601))

    assert ended.shown["attempts"] == 1
    assert (ended.run.rows[0]["error_class"], ended.run.code) == ("throttled", 3)
    assert len(ended.run.calls("probe")) == 1
    assert current_time() - begun < 600


async def test_long_retry_after_for_everyone_halts_the_run(tmp_path: Path) -> None:
    """When the probe is throttled beyond the limit too, the item is not run and the run halts with 6."""
    ended = await settle(tmp_path, READ, Fault(status=429, retry_after_s=3601))

    assert (ended.run.code, ended.run.statuses) == (6, ["not_run"])
    assert "asks to wait 3601 s" in str(ended.run.stop)


async def test_no_traffic_is_an_empty_success(tmp_path: Path) -> None:
    """An address without traffic in the period is ok and empty, with null and not zero."""
    job = READ.replace("get_ip", "get_traffic, with: {period_start: 1000, period_stop: 2000}")

    ended = await settle(tmp_path, job)

    (row,) = ended.run.rows
    assert (row["status"], row["empty"], ended.run.code) == ("ok", True, 0)
    assert row["message"].startswith("no significant traffic detected")


async def test_back_off_holds_no_place(tmp_path: Path) -> None:
    """While an item waits for its next attempt, the only place serves the others."""
    job = """
targets: [{cidr: 203.0.113.0/29, id: 4711}]
actions: [{action: get_ip}]
limits: {rate: 100/s, concurrency: 1}
retry: {base: 60s, max: 60s}
"""
    fault = Fault(ip="203.0.113.0", attempts=(1,), status=503, retry_after_s=60)
    async with provider(*addresses(8, 0), faults=(fault,)) as api:
        run = await carry_out(tmp_path, job, api)
        served = [entry.ip for entry in api.log.entries()]

    assert run.tally() == {"ok": 8}
    assert served == [f"203.0.113.{host}" for host in (0, 1, 2, 3, 4, 5, 6, 7, 0)]

"""How a whole run ends: chains, what stops everyone, and whether the books balance."""

import os
import signal
import sqlite3
import time
from collections import Counter
from contextlib import closing
from decimal import Decimal
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from anyio import current_time, to_thread

from bulkip.events import (
    CallSent,
    Event,
    ItemParked,
    ItemSettled,
    RateSet,
    StageEnded,
    StageStarted,
    Stopping,
    ValueRead,
    Waiting,
)
from bulkip.model import JsonValue, Status
from bulkip.policy import ReportSpec
from bulkip.purse import Purse
from bulkip.run.ending import write_reports
from bulkip.run.engine import Endpoint, allowance_of
from bulkip.run.signals import STOPPING_SIGNALS, Signals
from bulkip.run.stages import Stage, StageRules, run_stage
from bulkip.simulator import Fault, Seed, Simulator, SimulatorSettings
from bulkip.stops import StopKind
from bulkip.store.schema import store_path
from tests.rehearsal import Carried, Wishes, addresses, by_address, carry_out, plan, provider

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]

SIXTEEN = "targets: [{cidr: 203.0.113.0/28, id: 4711, location: NL}]\n"
READS = SIXTEEN + "actions: [{action: get_ip}]\n"
WRITES = SIXTEEN + 'actions: [{action: update_ptr, with: {ptr: "{{ ip.dashed }}.example.net"}}]\n'
REFUSED: JsonValue = {"code": -1, "message": "invalid token"}
CLOSED: JsonValue = {"result": -1, "error": "api key is disabled"}
HTML = "<html>Welcome</html>"


async def carried(folder: Path, job: str, *faults: Fault) -> Carried:
    """Carry a job for sixteen addresses out against a server with these faults."""
    async with provider(*addresses(16, 0), faults=faults) as api:
        return await carry_out(folder, job, api)


def not_run(run: Carried) -> int:
    """Count the items that nobody came to."""
    return run.counts.of(Status.NOT_RUN)


async def test_address_that_the_token_may_not_touch_fails_alone(tmp_path: Path) -> None:
    """One refused token among accepted ones is that address's own failure; the others go on."""
    run = await carried(tmp_path, READS, Fault(ip="203.0.113.5", json=REFUSED))

    row = by_address(run)["203.0.113.5"]
    assert (row["status"], row["error_class"]) == ("failed", "permission")
    assert (run.tally(), run.code) == ({"ok": 15, "failed": 1}, 3)


async def test_only_address_is_judged_by_a_probe(tmp_path: Path) -> None:
    """Where nothing else tells, one get_client_ip decides that the token is alive."""
    job = "targets: [203.0.113.5]\nactions: [{action: get_ip}]\n"

    run = await carried(tmp_path, job, Fault(action="get_ip", json=REFUSED))

    assert [row["error_class"] for row in run.rows] == ["permission"]
    assert len(run.calls("probe")) == 1


async def test_probe_speaks_for_all_who_were_refused_before_it(tmp_path: Path) -> None:
    """A probe that passed judges every address that was refused before it was sent."""
    job = "targets: [203.0.113.4/30]\nactions: [{action: get_ip}]\n"
    faults = (Fault(action="get_ip", json=REFUSED, delay_s=1), Fault(action="info", delay_s=1))

    run = await carried(tmp_path, job, *faults)

    assert [row["error_class"] for row in run.rows] == ["permission"] * 4
    assert len(run.calls("probe")) == 2  # the first left before the other three were refused


async def test_dead_token_stops_the_run(tmp_path: Path) -> None:
    """A token that is refused everywhere stops the run with 7; nothing has failed, nothing was run."""
    run = await carried(tmp_path, READS, Fault(json=REFUSED))

    assert (run.code, run.tally()) == (7, {"not_run": 16})
    assert {row["error_class"] for row in run.rows} == {"auth"}
    assert len(run.calls("probe")) == 1


async def test_token_that_dies_on_the_way_stops_the_run(tmp_path: Path) -> None:
    """What was read before the token died stays; the rest was not run and can be resumed."""
    async with provider(*addresses(16, 0)) as api:

        def revoke(event: Event) -> None:
            if isinstance(event, ItemSettled) and event.item.number == 5:
                api.fault(Fault(json=REFUSED))

        run = await carry_out(tmp_path, READS, api, Wishes(tell=revoke))

    assert run.code == 7
    assert run.counts.of(Status.OK) >= 5
    assert run.counts.of(Status.OK) + not_run(run) == 16


async def test_undecided_probe_tries_the_item_again(tmp_path: Path) -> None:
    """When the probe itself gets no answer, the refused item is asked again."""
    faults = (
        Fault(action="get_ip", ip="203.0.113.5", attempts=(1,), json=REFUSED),
        Fault(action="info", times=1, status=503),
        Fault(action="get_client_ip", times=1, status=503),
    )
    job = "targets: [203.0.113.5]\nactions: [{action: get_ip}]\n"

    run = await carried(tmp_path, job, *faults)

    assert run.statuses == ["ok"]


async def test_refused_account_stops_the_run_at_once(tmp_path: Path) -> None:
    """An answer about the account stops the run with 7; no probe is needed."""
    run = await carried(tmp_path, READS, Fault(ip="203.0.113.5", json=CLOSED))

    assert run.code == 7
    assert run.calls("probe") == []
    assert run.counts.of(Status.OK) + not_run(run) == 16
    assert by_address(run)["203.0.113.5"]["status"] == "not_run"


async def test_edge_that_blocks_three_items_in_a_row_halts_the_run(tmp_path: Path) -> None:
    """Three different items answered with 403 and HTML halt the run with 6."""
    run = await carried(tmp_path, READS, Fault(status=403))

    assert run.code == 6
    assert run.stop is not None
    assert "HTTP 403" in run.stop.reason
    assert run.counts.of(Status.OK) == 0


async def test_edge_that_blocks_one_item_does_not_halt_the_run(tmp_path: Path) -> None:
    """One item answered with 403 and HTML is tried once more, and has failed."""
    run = await carried(tmp_path, READS, Fault(ip="203.0.113.5", status=403))

    row = by_address(run)["203.0.113.5"]
    assert (row["status"], row["attempts"], row["error_class"]) == ("failed", 2, "permission")
    assert (run.tally(), run.code) == ({"ok": 15, "failed": 1}, 3)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(Fault(body=HTML), id="html"),
        pytest.param(Fault(status=404), id="not-found"),
        pytest.param(
            Fault(status=302, headers={"Location": "https://elsewhere.example.net/"}), id="redirect"
        ),
    ],
)
async def test_three_foreign_answers_at_the_start_mean_a_wrong_url(tmp_path: Path, fault: Fault) -> None:
    """Three answers that are not this API's, before any that is, stop the run with 7."""
    run = await carried(tmp_path, READS, fault)

    assert run.code == 7
    assert run.stop is not None
    assert "api.url" in run.stop.reason
    assert len(run.calls()) <= 3 + 3  # what was in flight beside the third


async def test_foreign_answers_after_a_readable_one_do_not_stop_the_run(tmp_path: Path) -> None:
    """Once the API has answered, unreadable answers are the items' own trouble."""
    run = await carried(tmp_path, READS, Fault(ip="203.0.113.4/30", body=HTML))

    assert run.tally() == {"ok": 12, "failed": 4}
    assert run.code == 3


async def test_over_long_retry_after_ends_one_item(tmp_path: Path) -> None:
    """A server that asks one item for an hour ends that item; the others are read."""
    begun = current_time()

    run = await carried(tmp_path, READS, Fault(ip="203.0.113.5", status=429, retry_after_s=3600))

    row = by_address(run)["203.0.113.5"]
    assert (row["status"], row["error_class"], row["attempts"]) == ("failed", "throttled", 1)
    assert (run.tally(), run.code) == ({"ok": 15, "failed": 1}, 3)
    assert current_time() - begun < 60


CHAIN = """
targets: [{cidr: 203.0.113.4/31, id: 4711, location: NL}]
actions:
  - {action: get_ip}
  - {action: update_ptr, with: {ptr: "{{ ip.dashed }}.example.net"}}
  - {action: get_ptr}
  - {action: get_traffic, with: {period_start: 1716206400, period_stop: 1716292800}}
"""


async def test_actions_of_an_address_run_in_order(tmp_path: Path) -> None:
    """Each action of an address begins after the one before has ended; its effect is seen."""
    async with provider(*addresses(16, 0)) as api:
        run = await carry_out(tmp_path, CHAIN, api)
        order = [entry.action for entry in api.log.entries(ip="203.0.113.4")]

    assert order == ["get_ptr", "get_ip", "update_ptr", "get_ptr", "get_traffic"]
    assert run.rows[2]["data"] == {"ptr": "203-0-113-4.example.net"}


async def test_failed_action_skips_the_later_ones_of_its_address(tmp_path: Path) -> None:
    """After a failure the later actions of that address are skipped and say why; others go on."""
    fault = Fault(action="get_ip", ip="203.0.113.4", json={"code": -1, "message": "malformed IP"})

    run = await carried(tmp_path, CHAIN, fault)

    assert run.statuses == ["failed", "skipped", "skipped", "skipped", "ok", "changed", "ok", "ok"]
    assert "get_ip" in run.rows[3]["note"]


async def test_write_in_doubt_skips_the_later_ones_of_its_address(tmp_path: Path) -> None:
    """An action that ended as unknown skips what comes after it, too."""
    faults = (
        Fault(action="update_ptr", ip="203.0.113.4", reset="after"),
        Fault(action="get_ptr", ip="203.0.113.4", attempts=tuple(range(2, 20)), status=503),
    )

    run = await carried(tmp_path, CHAIN, *faults)

    assert run.statuses[:4] == ["ok", "unknown", "skipped", "skipped"]
    assert run.code == 9


async def test_unreadable_value_before_skips_only_what_comes_after_the_write(tmp_path: Path) -> None:
    """A write that failed while reading leaves the actions before it alone."""
    fault = Fault(action="get_ptr", ip="203.0.113.4", attempts=(1, 2, 3, 4, 5), status=503)

    run = await carried(tmp_path, CHAIN, fault)

    assert run.statuses[:4] == ["ok", "failed", "skipped", "skipped"]


async def test_when_leaves_items_out(tmp_path: Path) -> None:
    """An item that `when` leaves out is skipped, with the reason, and nothing is sent for it."""
    job = SIXTEEN + "actions:\n  - action: get_ip\n    when: ip.o4 == 3\n"

    run = await carried(tmp_path, job)

    assert run.tally() == {"skipped": 15, "ok": 1}
    assert len(run.attempts) == 1
    assert run.rows[0]["note"]


ALL_READS = """
targets: [{cidr: 203.0.113.0/29, id: 4711, location: NL}]
actions:
  - {action: get_client_ip}
  - {action: list_free_ip, with: {id: 15, location: NL}}
  - {action: get_ip}
  - {action: get_ptr}
  - {action: get_traffic, with: {period_start: 1716206400, period_stop: 1716292800, summary: 1}}
  - {action: update_ptr, with: {ptr: "{{ ip.dashed }}.example.net"}}
"""


def _traffic(api: Simulator, ip: str) -> tuple[Decimal, Decimal] | None:
    """Return the GB in and out of the day that the job asks for; None for an address without traffic."""
    points = api.state.traffic_of(ip, 1716206400, 1716292800)
    inbound, outbound = sum(point.inbound for point in points), sum(point.outbound for point in points)
    return (Decimal(inbound) / 100, Decimal(outbound) / 100) if points else None


def _sums(reported: dict[str, Any] | None) -> tuple[Decimal, Decimal] | None:
    """Return the same from what a report says."""
    rows = reported["traffic"] if reported else []
    return (rows[0]["in"], rows[0]["out"]) if rows else None


async def test_data_is_what_the_provider_has(tmp_path: Path) -> None:
    """A job with the six everyday actions reports and leaves exactly what the provider has."""
    async with provider(*addresses(8, 0)) as api:
        before = {f"203.0.113.{host}": api.state.ptr_of(f"203.0.113.{host}") for host in range(8)}
        run = await carry_out(tmp_path, ALL_READS, api)
        after = {ip: api.state.ptr_of(ip) for ip in before}
        free = [ip for ip, _ in api.state.free_ips(15)]
        expected = {ip: _traffic(api, ip) for ip in before}
        counted = {action: api.state.count(action) for action in ("get_client_ip", "list_free_ip")}

    assert counted == {"get_client_ip": 1, "list_free_ip": 1}
    assert run.rows[0]["data"] == {"ip": "127.0.0.1"}
    listed = run.rows[1]["data"]["ips"]
    assert [entry["ip"] for entry in listed] == free
    reads = [row for row in run.rows if row["action"] == "get_ptr"]
    assert {row["ip"]: (row["data"]["ptr"],) for row in reads} == before
    assert after == {ip: (f"{ip.replace('.', '-')}.example.net",) for ip in before}
    traffic = {row["ip"]: row["data"] for row in run.rows if row["action"] == "get_traffic"}
    assert {ip: _sums(row) for ip, row in traffic.items()} == expected
    assert run.tally() == {"ok": 2 + 8 * 3, "changed": 8}
    assert run.code == 0


async def test_set_main_leaves_what_the_job_asks_for(tmp_path: Path) -> None:
    """A set_main job makes its addresses the main ones of their servers, each with one call."""
    job = """
targets: [{ip: 203.0.113.5, id: 4711}, {ip: 203.0.113.20, id: 4712}]
actions: [{action: set_main, with: {main: 1}}]
"""
    async with provider(*addresses(16, 0), Seed("203.0.113.19", 4712), Seed("203.0.113.20", 4712)) as api:
        run = await carry_out(tmp_path, job, api)

        assert (api.state.main_of(4711), api.state.main_of(4712)) == ("203.0.113.5", "203.0.113.20")
        assert api.log.total == 2
    assert run.statuses == ["changed", "changed"]


STORM = (
    Fault(action="get_ptr", every=3, attempts=(1,), status=503),
    Fault(action="get_ptr", every=5, attempts=(1, 2), reset="before"),
    Fault(action="get_ptr", every=7, attempts=(1,), status=429, retry_after_s=5),
    Fault(action="update_ptr", every=2, attempts=(1,), reset="after"),
    Fault(action="update_ptr", every=3, attempts=(1, 2), reset="before"),
    Fault(action="update_ptr", every=5, attempts=(1,), status=429),
    Fault(action="update_ptr", every=7, attempts=(1,), json={"code": -1, "message": "weird"}),
    Fault(action="update_ptr", every=11, attempts=(1,), hang_s=300, effect=True),
    Fault(action="update_ptr", every=13, status=500),
)


async def stormed(folder: Path) -> tuple[Carried, Simulator, list[str]]:
    """Write 64 records through every kind of trouble."""
    async with provider(*addresses(64, 0), faults=STORM) as api:
        job = WRITES.replace("/28", "/26") + "safety: {max_failed: none}\n"
        run = await carry_out(folder, job, api)
        shown = [",".join(api.state.ptr_of(row["ip"])) for row in run.rows]
        return run, api, shown


async def test_reported_values_are_true(tmp_path: Path) -> None:
    """Through every kind of trouble, `changed` means that the name is there, `failed` that it is not."""
    run, _, shown = await stormed(tmp_path)

    wanted = [row["params"]["ptr"] for row in run.rows]
    outcomes = list(zip(run.statuses, shown, wanted, strict=True))
    assert [one for one in outcomes if (one[0] == "changed") != (one[1] == one[2])] == []
    assert set(run.statuses) == {"changed", "failed"}


async def test_every_write_on_the_wire_is_in_the_store(tmp_path: Path) -> None:
    """Attempts on the wire and attempts in the store are the same, address by address (L2)."""
    run, api, _ = await stormed(tmp_path)

    wire = Counter(entry.ip for entry in api.log.entries("update_ptr"))
    kept = Counter(attempt["ip"] for attempt in run.calls())
    assert kept == wire
    assert max(kept.values()) <= 5


async def test_nothing_is_sent_after_a_write_succeeded(tmp_path: Path) -> None:
    """After the answer or the reading that settled it, no address is called again (L6)."""
    _, api, _ = await stormed(tmp_path)

    effects = Counter(entry.ip for entry in api.log.entries("update_ptr") if entry.effect)
    assert set(effects.values()) == {1}


async def test_events_come_once_per_item_and_after_the_store(tmp_path: Path) -> None:
    """Whoever watches hears of each stage, each reading, each result once, and of every pause."""
    fault = Fault(action="update_ptr", times=1, status=429, retry_after_s=5)

    run = await carried(tmp_path, WRITES, fault)

    kinds = Counter(type(event) for event in run.events)
    once = {StageStarted: 2, StageEnded: 2, Waiting: 1, ItemParked: 1, RateSet: 1}
    assert kinds == {**once, ValueRead: 16, ItemSettled: 16, CallSent: 33}
    assert [event for event in run.events if isinstance(event, Stopping)] == []


async def test_statuses_add_up_to_the_plan(tmp_path: Path) -> None:
    """However a run stops, there is a row per item and the counts are those of the rows (L1, L7)."""
    run = await carried(tmp_path, WRITES, Fault(action="update_ptr", ip="203.0.113.9", json=CLOSED))

    assert len(run.rows) == run.counts.total == 16
    assert {str(status): count for status, count in run.counts.by_status.items()} == run.tally()
    assert run.code == 7


async def test_calls_of_the_reading_count_for_the_windows_of_the_applying(tmp_path: Path) -> None:
    """Between the stages of a run no window of the rate is overfilled."""
    job = WRITES + "limits: {rate: 20/10s, concurrency: 4}\n"
    async with provider(*addresses(16, 0)) as api:
        run = await carry_out(tmp_path, job, api)

        assert api.log.busiest(10) <= 20
    assert run.tally() == {"changed": 16}


class Saboteur(StringIO):
    """A request log that spoils the run store when so many calls have arrived."""

    def __init__(self, calls: int) -> None:
        """Wait for this many."""
        super().__init__()
        self.store = Path()
        self._left = calls

    def write(self, line: str) -> int:
        """Count a line."""
        self._left -= 1
        if self._left == 0:
            with closing(sqlite3.connect(self.store)) as store:
                store.execute("ALTER TABLE result RENAME TO gone")
        return super().write(line)


async def test_store_that_fails_halts_the_run(tmp_path: Path) -> None:
    """When results can no longer be kept, nothing more is sent, and the run halts instead of crashing."""
    log = Saboteur(20)
    async with Simulator(addresses(256, 0), SimulatorSettings(log=log), current_time) as api:
        prepared = await plan(tmp_path, READS.replace("/28", "/24"))
        log.store = store_path(prepared.run_dir)
        allowance = await to_thread.run_sync(allowance_of, prepared)
        rules = StageRules(grace_s=20, tell=lambda _event: None, allowance=allowance)
        end = await run_stage(
            Stage.APPLYING, prepared, Endpoint(api.url, Purse(time.time, token=api.token)), None, rules
        )

        assert api.log.total < 40
    assert end.stop is not None
    assert end.stop.kind is StopKind.HALT
    assert "run store" in end.stop.reason


async def test_signal_that_came_before_the_stage_stops_it(tmp_path: Path) -> None:
    """A signal that nobody took while the engine started is heeded at once, not when the stage ends."""
    handlers = {number: signal.getsignal(number) for number in STOPPING_SIGNALS}
    signals = Signals()
    try:
        async with provider() as api:
            prepared = await plan(tmp_path, READS.replace("/28", "/24"))
            allowance = await to_thread.run_sync(allowance_of, prepared)
            signals.hold()
            os.kill(os.getpid(), signal.SIGTERM)
            rules = StageRules(20, lambda _event: None, allowance, signals)
            endpoint = Endpoint(api.url, Purse(time.time, token=api.token))

            end = await run_stage(Stage.APPLYING, prepared, endpoint, None, rules)

            assert api.log.total < 40
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    assert end.stop is not None
    assert end.stop.signal == signal.SIGTERM


async def test_bug_in_a_report_costs_no_other_one(tmp_path: Path) -> None:
    """The reports behind one that cannot be rendered are written, and then the bug is told."""
    prepared = await plan(tmp_path, READS)
    reports = [ReportSpec("no-such-format", str(tmp_path / "a")), ReportSpec("csv", str(tmp_path / "b.csv"))]

    with pytest.raises(KeyError):
        await to_thread.run_sync(write_reports, prepared, reports)

    assert (tmp_path / "b.csv").read_text().count("\n") == 17

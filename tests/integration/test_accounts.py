"""Several accounts in one run: each has a gate, a token and an end of its own, and all have one plan."""

import os
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from anyio import to_thread

from bulkip.events import Event, ItemSettled, RateSet, StageEnded, StageStarted, Stopping, Waiting
from bulkip.model import JsonValue, Status
from bulkip.purse import Purse
from bulkip.run.checkup import checkup
from bulkip.run.engine import Endpoint, allowance_of
from bulkip.run.findings import Grade
from bulkip.run.planning import Prepared
from bulkip.run.signals import STOPPING_SIGNALS, Signals
from bulkip.run.stages import CONFIRMED, Stage, StageRules, log_out, run_stage
from bulkip.simulator import Fault, Simulator
from bulkip.stops import StopKind
from bulkip.store import RunReader
from tests.rehearsal import Carried, Wishes, addresses, attempts_of, carry_plan, plan, provider

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]

HEAD = """
version: 1
name: both
accounts:
  nl: {api: {url: "http://127.0.0.1:1/ip.php"}}
  us: {api: {url: "http://127.0.0.1:2/ip.php"}}
"""
TARGETS = """
targets:
  - {cidr: 203.0.113.0/28, account: nl, id: 4711}
  - {cidr: 203.0.113.16/28, account: us, id: 4711}
"""
READS = f"limits: {{rate: 10/s}}\n{TARGETS}actions: [{{action: get_ip}}]\n"
PTR = "{{ ip.dashed }}.example.net"
WRITES = f"{TARGETS}actions: [{{action: update_ptr, with: {{ptr: '{PTR}', location: NL}}}}]\n"
REFUSED: JsonValue = {"code": -1, "message": "invalid token"}
THROTTLED = Fault(action="get_ip", times=1, status=429, headers={"Retry-After": "60"})
DEAD = Fault(json=REFUSED)
NOBODY = Fault(reset="before")


@dataclass(frozen=True, slots=True)
class Providers:
    """Two simulated providers, and an endpoint that leads to both."""

    nl: Simulator
    us: Simulator
    endpoint: Endpoint


@asynccontextmanager
async def providers(*faults: Fault, keys: bool = False) -> AsyncIterator[Providers]:
    """Serve both accounts, the first of them with these faults."""
    async with provider(*addresses(16, 0), faults=faults) as nl, provider(*addresses(16, 16)) as us:
        token, key = ("", "simulated-key") if keys else ("simulated", "")
        own = tuple(
            Endpoint(api.url, Purse(time.time, token=token, key=key), account=name)
            for name, api in (("nl", nl), ("us", us))
        )
        yield Providers(nl, us, Endpoint("both", Purse(time.time), accounts=own))


async def planned(folder: Path, job: str) -> Prepared:
    """Freeze the plan of a job for both accounts."""
    return await plan(folder, job, HEAD)


async def carried(folder: Path, job: str, *faults: Fault, wishes: Wishes | None = None) -> Carried:
    """Carry a job out for both accounts, the first of them with these faults."""
    async with providers(*faults) as both:
        return await carry_plan(await planned(folder, job), both.endpoint, wishes or Wishes())


def of_us(run: Carried) -> list[dict[str, object]]:
    """Return the rows of the account without faults."""
    return [row for row in run.rows if int(row["ip"].rpartition(".")[2]) >= 16]


def lasting(api: Simulator) -> float:
    """Return how long an account was called for its items, in seconds of the server's clock."""
    seen = [entry.at for entry in api.log.entries("get_ip")]
    return max(seen) - min(seen)


def by_account(run: Carried) -> dict[str, Counter[str]]:
    """Count the rows of each account by status."""
    us = of_us(run)
    return {
        "nl": Counter(row["status"] for row in run.rows if row not in us),
        "us": Counter(str(row["status"]) for row in us),
    }


async def test_cool_down_of_one_account_is_not_that_of_the_other(tmp_path: Path) -> None:
    """Whoever is told to wait a minute waits; the other account goes on at its full rate meanwhile."""
    async with providers(THROTTLED) as both:
        run = await carry_plan(await planned(tmp_path, READS), both.endpoint, Wishes())

        lasted_s = [lasting(api) for api in (both.nl, both.us)]
    assert run.tally() == {"ok": 32}
    assert lasted_s[0] > 60
    assert lasted_s[1] == pytest.approx(15 / 9.7, abs=0.3)


async def test_each_account_has_the_rate_for_itself(tmp_path: Path) -> None:
    """Two accounts at ten calls a second make twenty together, each no more than its own."""
    async with providers() as both:
        run = await carry_plan(await planned(tmp_path, READS), both.endpoint, Wishes())

        lasted_s = [lasting(api) for api in (both.nl, both.us)]
    assert run.tally() == {"ok": 32}
    assert lasted_s == [pytest.approx(15 / 9.7, abs=0.3)] * 2


async def test_pause_names_its_account(tmp_path: Path) -> None:
    """Whoever watches hears which account pauses and slows down."""
    run = await carried(tmp_path, READS, THROTTLED)

    told = {event.account for event in run.events if isinstance(event, Waiting | RateSet)}
    assert told == {"nl"}


async def test_refused_account_leaves_the_other_alone(tmp_path: Path) -> None:
    """One dead token stops its own account; the other one is done, and the run ends with 7 and the name."""
    run = await carried(tmp_path, READS, DEAD)

    assert by_account(run) == {"nl": Counter(not_run=16), "us": Counter(ok=16)}
    assert run.code == 7
    assert run.stop is not None
    assert run.stop.reason.startswith("account `nl`: the token is refused")
    assert [event.account for event in run.events if isinstance(event, Stopping)] == ["nl"]


async def test_silent_server_of_one_account_stops_that_alone(tmp_path: Path) -> None:
    """A server that never answers costs its account the breaker's patience, and the other one nothing."""
    run = await carried(tmp_path, READS + "breaker: {give_up: 30s}\n", NOBODY)

    assert by_account(run) == {"nl": Counter(not_run=16), "us": Counter(ok=16)}
    assert (run.code, run.stop and run.stop.reason[:13]) == (6, "account `nl`:")


async def test_retry_budget_of_one_account_is_its_own(tmp_path: Path) -> None:
    """What one account spends on retries is not missing to the other."""
    run = await carried(tmp_path, READS + "retry: {budget: 20, base: 10ms}\n", Fault(status=503))

    assert by_account(run)["us"] == Counter(ok=16)
    assert by_account(run)["nl"][Status.NOT_RUN] > 0
    assert (run.code, run.stop and run.stop.reason[:21]) == (6, "account `nl`: the bud")


async def test_gravest_stop_decides_and_all_are_told(tmp_path: Path) -> None:
    """A refused account outweighs a silent one in the exit code; the reason names both."""
    async with providers(NOBODY) as both:
        both.us.fault(DEAD)
        prepared = await planned(tmp_path, READS + "breaker: {give_up: 30s}\n")
        run = await carry_plan(prepared, both.endpoint, Wishes())

    assert (run.code, run.tally()) == (7, {"not_run": 32})
    assert run.stop is not None
    assert run.stop.reason.startswith("account `us`: the token is refused")
    assert "; account `nl`: the server has not answered" in run.stop.reason


async def test_account_that_stopped_while_reading_writes_nothing_later(tmp_path: Path) -> None:
    """An account that stopped in one stage is left out of the later ones; the other is written."""
    async with providers(DEAD) as both:
        run = await carry_plan(await planned(tmp_path, WRITES), both.endpoint, Wishes())

        assert (len(both.nl.state.writes()), len(both.us.state.writes())) == (0, 16)
    assert by_account(run) == {"nl": Counter(not_run=16), "us": Counter(changed=16)}


async def test_plan_that_was_not_read_as_a_whole_is_not_confirmed(tmp_path: Path) -> None:
    """What one account would write was not looked at when it was refused, so a resume asks again."""
    prepared = await planned(tmp_path, WRITES)
    async with providers(DEAD) as both:
        await carry_plan(prepared, both.endpoint, Wishes())
        first = await to_thread.run_sync(confirmed, prepared)

    async with providers() as both:
        run = await carry_plan(prepared, both.endpoint, Wishes())
        second = await to_thread.run_sync(confirmed, prepared)
        found = await to_thread.run_sync(checkup, prepared.run_dir)

    assert (first, second) == (None, True)
    assert (run.code, run.tally()) == (0, {"changed": 32})
    assert [one.grade for one in found.findings if one.grade is Grade.WRONG] == []


def confirmed(prepared: Prepared) -> object:
    """Return whether a run remembers that its writes were agreed to."""
    with RunReader(prepared.run_dir) as reader:
        return reader.remembered(CONFIRMED)


async def test_failure_ceiling_is_that_of_all_accounts(tmp_path: Path) -> None:
    """Too many failures of one account stop the whole run, however well the other one does."""
    slow = "limits: {rate: 5/s}\n"
    job = f"{slow}{WRITES}safety: {{max_failed: 3, max_changes: none}}\n"

    run = await carried(
        tmp_path, job, Fault(action="update_ptr", status=404, json={"code": -1, "message": "no"})
    )

    assert run.stop is not None
    assert "`max_failed`" in run.stop.reason
    assert by_account(run)["us"][Status.NOT_RUN] > 0


async def test_time_of_the_run_is_that_of_all_accounts(tmp_path: Path) -> None:
    """The deadline of the run stops every account, once."""
    run = await carried(tmp_path, READS + "timeouts: {job: 1s}\n")

    assert run.stop is not None
    assert run.stop.reason == "the time for this run is up (`timeouts.job`)"
    assert all(0 < one[Status.OK] < 16 for one in by_account(run).values())


async def test_step_of_a_rollout_counts_the_addresses_of_all_accounts(tmp_path: Path) -> None:
    """Of five addresses that a step may begin, the accounts begin five together."""
    prepared = await planned(tmp_path, WRITES)
    allowance = await to_thread.run_sync(allowance_of, prepared)
    async with providers() as both:
        rules = StageRules(20, lambda _event: None, allowance, most=5)
        await run_stage(Stage.READING, prepared, both.endpoint, None, rules)
        await run_stage(Stage.APPLYING, prepared, both.endpoint, 1, rules)

        assert len(both.nl.state.writes()) + len(both.us.state.writes()) == 5


async def test_stage_is_told_once_for_all_accounts(tmp_path: Path) -> None:
    """Whoever watches sees one stage with the items of all accounts."""
    run = await carried(tmp_path, WRITES)

    begun = [(one.stage, one.total) for one in run.events if isinstance(one, StageStarted)]
    assert begun == [("reading", 32), ("applying", 32)]
    assert sum(isinstance(one, StageEnded) for one in run.events) == 2


async def test_signal_stops_all_accounts(tmp_path: Path) -> None:
    """Ctrl-C ends every account in order."""
    prepared = await planned(tmp_path, READS)
    allowance, signals = await to_thread.run_sync(allowance_of, prepared), Signals()

    def interrupt(event: Event) -> None:
        if isinstance(event, ItemSettled) and event.item.number in {3, 19}:
            os.kill(os.getpid(), signal.SIGTERM)

    before = {number: signal.getsignal(number) for number in STOPPING_SIGNALS}
    signals.hold()
    try:
        async with providers() as both:
            rules = StageRules(20, interrupt, allowance, signals)
            end = await run_stage(Stage.APPLYING, prepared, both.endpoint, None, rules)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)

    assert end.stop is not None
    assert end.stop.kind is StopKind.SIGNAL


async def test_each_account_logs_in_and_out_for_itself(tmp_path: Path) -> None:
    """API keys are exchanged for tokens account by account; each token goes back where it came from."""
    prepared = await planned(tmp_path, READS)
    async with providers(keys=True) as both:
        run = await carry_plan(prepared, both.endpoint, Wishes())
        await log_out(prepared, both.endpoint, 1, lambda _event: None)

        logins = [[entry.action for entry in api.log.entries()] for api in (both.nl, both.us)]
    attempts = await to_thread.run_sync(partial(attempts_of, prepared.run_dir))
    numbers = [one["number"] for one in attempts if one["item"] == 0]
    assert run.tally() == {"ok": 32}
    assert all((one.count("login"), one.count("logout")) == (1, 1) for one in logins)
    assert sorted(numbers) == [*range(1, len(numbers) + 1)]


async def test_servers_are_looked_up_in_their_own_account(tmp_path: Path) -> None:
    """What is known of servers is known of one account; an address is asked for where it is."""
    targets = TARGETS.replace("id: 4711", "id: lookup")
    job = f"{targets}actions: [{{action: get_ptr}}]\n"

    async with providers() as both:
        run = await carry_plan(await planned(tmp_path, job), both.endpoint, Wishes())

    assert run.tally() == {"ok": 32}
    assert all(api.log.entries("list") for api in (both.nl, both.us))


async def test_action_without_an_address_asks_each_account(tmp_path: Path) -> None:
    """get_client_ip runs once for each account, at its own API."""
    async with providers() as both:
        run = await carry_plan(
            await planned(tmp_path, "actions: [{action: get_client_ip}]\n"), both.endpoint, Wishes()
        )

        assert (run.tally(), [api.log.total for api in (both.nl, both.us)]) == ({"ok": 2}, [1, 1])

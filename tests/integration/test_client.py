"""How one call is made: what the server saw, what the store holds, and who waits for whom."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from functools import partial
from io import StringIO
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest
from anyio import create_task_group, current_time, sleep, to_thread

from bulkip.actions import ACTIONS
from bulkip.brake import Brake
from bulkip.classify import classify
from bulkip.client import Client, Judge
from bulkip.events import Event, Waiting
from bulkip.frozen import replace
from bulkip.gate import Gate
from bulkip.limiter import Pacer
from bulkip.model import ErrorClass, Purpose, Rate
from bulkip.outage import Breaker
from bulkip.policy import Breaker as BreakerRules
from bulkip.policy import Limits, RetryPolicy, Timeouts
from bulkip.redact import Redactor
from bulkip.simulator import Fault, Simulator, SimulatorSettings
from bulkip.stops import Stop, StopKind
from bulkip.store import Attempt, RunWriter, open_writer
from bulkip.store.schema import store_path
from bulkip.transport import Transport
from bulkip.wire import ApiRequest, Reply, Verdict, VerdictKind
from tests.rehearsal import addresses, attempts_of, plan, provider

pytestmark = [pytest.mark.anyio, pytest.mark.virtual_time]

JOB = """
targets: [{cidr: 203.0.113.0/26, id: 4711}]
actions: [{action: update_ptr, with: {ptr: new.example.net}, allow_same: true}]
"""
REDACTOR = Redactor(("simulated",))
ENOUGH = Stop(StopKind.HALT, "enough", ErrorClass.CANCELLED)


class Ceiling(Random):
    """Draws the longest wait every time."""

    def uniform(self, a: float, b: float) -> float:
        """Return the upper end."""
        return max(a, b)


@dataclass(frozen=True, slots=True)
class Line:
    """A client with all that stands behind it."""

    client: Client
    gate: Gate
    pacer: Pacer
    brake: Brake
    told: list[Waiting]
    writer: RunWriter
    run_dir: Path

    async def read(self, item: int) -> Verdict | None:
        """Ask about the network of an address."""
        return await self.client.call(_get_ip(item), Attempt(item, 1, 1, Purpose.CALL))

    async def write(self, item: int) -> Verdict | None:
        """Set the name of an address."""
        return await self.client.call(
            _update_ptr(item), Attempt(item, 1, 1, Purpose.CALL, ("new.",), ("old.",))
        )

    async def attempts(self) -> list[dict[str, Any]]:
        """Return what the store holds, the last statement included."""
        await self.writer.flush()
        return await to_thread.run_sync(attempts_of, self.run_dir)


def _get_ip(item: int) -> ApiRequest:
    return ApiRequest("get_ip", {"ip": f"203.0.113.{item}"})


def _update_ptr(item: int) -> ApiRequest:
    form = {"ip": f"203.0.113.{item}", "id": "4711", "ptr": "new.example.net"}
    return ApiRequest("update_ptr", form, writes=True)


def verdict_of(request: ApiRequest, reply: Reply, now: float) -> Verdict:
    """Judge a reply as a run does."""
    return classify(request, ACTIONS[request.action], reply, redactor=REDACTOR, now=now)


def hear(told: list[Waiting], event: Event) -> None:
    """Keep what is told about waiting."""
    if isinstance(event, Waiting):
        told.append(event)


@asynccontextmanager
async def connected(folder: Path, api: Simulator, *, places: int = 4) -> AsyncIterator[Line]:
    """Connect a client: 1000 calls a second, back-off from 10 s, Retry-After up to 100 s."""
    prepared = await plan(folder, JOB)
    pacer, told = Pacer([Rate(1000, 1)], 0.03), list[Waiting]()
    brake, tell = Brake(lambda _stop: None), partial(hear, told)
    gate = Gate(pacer, Limits(concurrency=places), Breaker(BreakerRules(), tell), tell)
    policy = RetryPolicy(base_s=10, max_s=1000)
    judge = Judge(verdict_of, Limits(max_retry_after_s=100), policy, Ceiling(), lambda: 1_700_000_000.0)
    async with (
        open_writer(prepared.run_dir) as writer,
        Transport(api.url, token=lambda: "simulated", timeouts=Timeouts(), connections=places) as wire,
        create_task_group() as pacing,
    ):
        pacing.start_soon(pacer.run)
        client = Client(wire, gate, writer, brake, judge)
        yield Line(client, gate, pacer, brake, told, writer, prepared.run_dir)
        pacing.cancel_scope.cancel()


def arrivals(api: Simulator) -> list[float]:
    """Return when the simulator saw calls."""
    return [entry.at for entry in api.log.entries()]


@pytest.mark.parametrize("places", [1, 3, 8])
async def test_server_never_sees_more_in_flight_than_places(tmp_path: Path, places: int) -> None:
    """Within the time one answer takes, no more calls arrive than there are places."""
    async with (
        provider(*addresses(40), latency_s=0.5) as api,
        connected(tmp_path, api, places=places) as line,
    ):
        async with create_task_group() as group:
            for item in range(1, 41):
                group.start_soon(line.read, item)

        assert api.log.busiest(0.5) == places


async def test_retry_after_holds_everyone_up(tmp_path: Path) -> None:
    """After one answer that asks for 30 s, nobody calls for 30 s, whoever it was said to."""
    fault = Fault(ip="203.0.113.9", status=429, retry_after_s=30)
    async with provider(*addresses(40), faults=(fault,)) as api, connected(tmp_path, api) as line:
        async with create_task_group() as group:
            for item in range(1, 41):
                group.start_soon(line.read, item)

        seen = arrivals(api)
    gaps = [after - before for before, after in pairwise(seen)]
    assert max(gaps) == pytest.approx(30, abs=0.1)
    assert line.told == [Waiting("Retry-After", 30)]


async def test_write_waits_out_a_cool_down_too(tmp_path: Path) -> None:
    """A cool-down that a read caused holds writes up as well."""
    fault = Fault(action="get_ip", status=429, retry_after_s=30)
    async with provider(*addresses(4), faults=(fault,)) as api, connected(tmp_path, api) as line:
        await line.read(1)
        paused_at = current_time()
        await line.write(2)

        assert arrivals(api)[-1] - paused_at == pytest.approx(30, abs=0.1)


async def test_throttled_answers_in_flight_together_are_one_cool_down(tmp_path: Path) -> None:
    """Calls that were in flight together and were all throttled do not make the wait longer."""
    fault = Fault(status=429, times=8)
    async with (
        provider(*addresses(8), faults=(fault,), latency_s=0.5) as api,
        connected(tmp_path, api) as line,
        create_task_group() as group,
    ):
        for item in range(1, 9):
            group.start_soon(line.read, item)

    longest = [round(waiting.seconds) for waiting in line.told]
    assert (longest[0], longest[-1]) == (10, 20)
    assert set(longest) == {10, 20}


async def test_answered_call_between_two_throttled_ones_starts_the_waits_anew(tmp_path: Path) -> None:
    """Waits double only while nothing but throttled answers comes."""
    faults = (Fault(ip="203.0.113.0/30", status=429), Fault(ip="203.0.113.5", status=429))
    async with provider(*addresses(8), faults=faults) as api, connected(tmp_path, api) as line:
        for item in (1, 2, 4, 5):
            await line.read(item)

    assert [round(waiting.seconds) for waiting in line.told] == [10, 20, 10]


async def test_long_retry_after_ends_the_item_and_not_the_run(tmp_path: Path) -> None:
    """A Retry-After over the limit makes a definite failure, and a pause as if it had named no time."""
    fault = Fault(status=429, retry_after_s=101)
    async with provider(*addresses(1), faults=(fault,)) as api, connected(tmp_path, api) as line:
        verdict = await line.read(1)

    assert verdict is not None
    assert (verdict.kind, verdict.error_class) == (VerdictKind.IMPATIENT, ErrorClass.THROTTLED)
    assert verdict.message is not None
    assert "asks to wait 101 s" in verdict.message
    assert line.told == [Waiting("throttled", 10)]


async def test_edge_that_blocks_makes_everyone_pause(tmp_path: Path) -> None:
    """A 403 with HTML pauses all calls as a throttled answer does."""
    fault = Fault(ip="203.0.113.1", status=403)
    async with provider(*addresses(2), faults=(fault,)) as api, connected(tmp_path, api) as line:
        await line.read(1)
        paused_at = current_time()
        await line.read(2)

        assert arrivals(api)[-1] - paused_at == pytest.approx(10, abs=0.1)


class Auditor(StringIO):
    """A request log that notes, the moment a write arrives, whether the store knows of it."""

    def __init__(self) -> None:
        """Begin without a store."""
        super().__init__()
        self.store = Path()
        self.known: list[int] = []

    def write(self, line: str) -> int:
        """Count the open attempts, as another process would see them."""
        with closing(sqlite3.connect(self.store)) as store:
            sql = "SELECT COUNT(*) FROM attempt WHERE outcome IS NULL AND wanted IS NOT NULL"
            self.known.append(store.execute(sql).fetchone()[0])
        return super().write(line)


async def test_write_is_in_the_store_before_it_is_on_the_wire(tmp_path: Path) -> None:
    """When a write arrives at the server, its attempt is committed already (L2)."""
    auditor = Auditor()
    settings = SimulatorSettings(log=auditor)
    async with Simulator(addresses(4), settings, current_time) as api, connected(tmp_path, api) as line:
        auditor.store = store_path(line.run_dir)
        for item in (1, 2, 3):
            await line.write(item)

    assert auditor.known == [1, 1, 1]


async def test_stop_withdraws_a_write_that_waits_for_its_turn(tmp_path: Path) -> None:
    """A write that was written down and waits for the pace is taken back by a stop; nothing is sent."""
    async with provider(*addresses(4)) as api, connected(tmp_path, api) as line:
        line.pacer.hold_until(current_time() + 100)
        verdicts = []

        async def write() -> None:
            verdicts.append(await line.write(1))

        async with create_task_group() as group:
            group.start_soon(write)
            await sleep(1)
            waiting = await line.attempts()
            line.brake.pull(ENOUGH)
        left = await line.attempts()

    assert verdicts == [None]
    assert [attempt["item"] for attempt in waiting] == [1]
    assert (left, api.log.total) == ([], 0)


async def test_write_that_waits_out_a_cool_down_is_not_in_doubt(tmp_path: Path) -> None:
    """During a cool-down no write is written down yet: a kill then leaves nothing to be cleared up."""
    async with provider(*addresses(4)) as api, connected(tmp_path, api) as line:
        line.gate.pause(100, "throttled")
        async with create_task_group() as group:
            group.start_soon(line.write, 1)
            await sleep(50)
            meanwhile = await line.attempts()

    assert meanwhile == []


@pytest.mark.parametrize("places", [1, 4])
async def test_stop_sends_everyone_home_who_has_not_sent(tmp_path: Path, places: int) -> None:
    """After a stop the calls in flight are answered, and no other leaves."""
    async with (
        provider(*addresses(20), latency_s=1) as api,
        connected(tmp_path, api, places=places) as line,
    ):
        async with create_task_group() as group:
            for item in range(1, 21):
                group.start_soon(line.write, item)
            await sleep(0.5)
            line.brake.pull(ENOUGH)
        left = await line.attempts()

        assert api.log.total == places
    assert [attempt["outcome"] for attempt in left] == ["success"] * places


async def test_stop_comes_first_for_a_call_after_it(tmp_path: Path) -> None:
    """A call that begins after the stop sends nothing and writes nothing down."""
    async with provider(*addresses(4)) as api, connected(tmp_path, api) as line:
        line.brake.pull(ENOUGH)

        verdicts = [await line.write(1), await line.read(2)]

        left = await line.attempts()
    assert (verdicts, left, api.log.total) == ([None, None], [], 0)


async def test_cancelled_write_on_the_wire_stays_in_doubt(tmp_path: Path) -> None:
    """A write that is cancelled in flight stays an attempt in doubt: nobody knows whether it happened."""
    async with provider(*addresses(4), latency_s=60) as api, connected(tmp_path, api) as line:
        async with create_task_group() as group:
            group.start_soon(line.write, 1)
            await sleep(1)
            group.cancel_scope.cancel()
        left = await line.attempts()

    assert [(attempt["outcome"], attempt["in_doubt"]) for attempt in left] == [("transient", 1)]


async def test_cancelled_write_that_waits_is_taken_back(tmp_path: Path) -> None:
    """A write that is cancelled before it was sent leaves no attempt."""
    async with provider(*addresses(4)) as api, connected(tmp_path, api) as line:
        line.pacer.hold_until(current_time() + 100)
        async with create_task_group() as group:
            group.start_soon(line.write, 1)
            await sleep(1)
            group.cancel_scope.cancel()
        left = await line.attempts()

    assert left == []


async def test_every_call_stands_in_the_store_with_its_outcome(tmp_path: Path) -> None:
    """What the server saw and what the store holds are the same calls."""
    faults = (
        Fault(ip="203.0.113.2", status=503),
        Fault(ip="203.0.113.3", reset="after"),
        Fault(ip="203.0.113.4", json={"code": -1, "message": "IP is not assigned to server"}),
    )
    async with provider(*addresses(5), faults=faults) as api, connected(tmp_path, api) as line:
        for item in range(1, 6):
            await line.write(item)
        kept = await line.attempts()

    assert [f"203.0.113.{attempt['item']}" for attempt in kept] == [entry.ip for entry in api.log.entries()]
    assert [(attempt["outcome"], attempt["in_doubt"]) for attempt in kept] == [
        ("success", 0),
        ("transient", 1),
        ("transient", 1),
        ("permanent", 0),
        ("success", 0),
    ]


async def test_unanswered_call_ends_after_its_timeout(tmp_path: Path) -> None:
    """A server that says nothing costs the attempt's time-out, and no more."""
    fault = Fault(hang_s=86_400)
    async with provider(*addresses(1), faults=(fault,)) as api, connected(tmp_path, api) as line:
        begun = current_time()
        verdict = await line.read(1)
        took_s = current_time() - begun

    assert verdict is not None
    assert verdict == replace(verdict, kind=VerdictKind.TRANSIENT, error_class=ErrorClass.TIMEOUT)
    assert took_s == pytest.approx(30, abs=1.1)  # aiohttp rounds long time-outs up to a full second

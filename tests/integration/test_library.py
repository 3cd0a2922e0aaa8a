"""The library's front door: a run inside somebody's own event loop."""

from collections import Counter
from functools import partial
from pathlib import Path

import pytest
from anyio import create_task_group, move_on_after, to_thread

import bulkip
from bulkip import (
    AccessError,
    JobError,
    Locked,
    Overrides,
    RunOptions,
    SafetyStop,
    Status,
    load_job,
    plan_job,
    run_job,
)
from bulkip.model import Rate
from bulkip.settings import LoadedJob
from bulkip.simulator import Fault, Seed, Simulator, SimulatorSettings
from bulkip.store import RunReader
from tests.program import ROOT

pytestmark = pytest.mark.anyio

FAST = Overrides(rate=(Rate(1000, 1.0),))


@pytest.fixture
def anyio_backend() -> str:
    """Run on asyncio, as a caller would."""
    return "asyncio"


def job(folder: Path, url: str, extra: str = "") -> Path:
    """Write a migration of sixteen addresses."""
    path = folder / "job.yaml"
    path.write_text(
        f"version: 1\nname: job\napi: {{url: '{url}', token: 'file:token'}}\n"
        "targets: [{cidr: 203.0.113.0/28, id: 4711}]\n"
        "actions: [{action: update_ptr, with: {ptr: '{{ ip.dashed }}.{{ vars.zone }}'}}]\n"
        f"vars: {{zone: example.net}}\nverify: {{settle: 10ms}}\n{extra}"
    )
    (folder / "token").write_text("simulated\n")
    (folder / "token").chmod(0o600)
    return path


async def loaded(path: Path, **variables: str) -> LoadedJob:
    """Load a job without blocking the loop."""
    return await to_thread.run_sync(partial(load_job, path, variables=variables))


def provider(latency_s: float = 0) -> Simulator:
    """Return a provider of the sixteen addresses."""
    seeds = [Seed(f"203.0.113.{host}", 4711, "NL") for host in range(16)]
    return Simulator(seeds, SimulatorSettings(latency_s=latency_s))


async def test_results_stream_as_they_settle(tmp_path: Path) -> None:
    """A caller gets each item with its result, and the exit code that the command line would give."""
    async with provider() as api:
        options = RunOptions(run_dir=tmp_path / "runs", overrides=FAST)
        async with plan_job(await loaded(job(tmp_path, api.url)), options) as plan:
            assert (plan.writes, plan.changes.changes) == (16, 16)
            async with run_job(plan) as results:
                settled = {item.ip: result.status async for item, result in results}

        assert (len(settled), set(settled.values()), results.exit_code) == (16, {Status.CHANGED}, 0)
        assert api.state.ptr_of("203.0.113.7") == ("203-0-113-7.example.net",)


async def test_variables_stand_above_those_of_the_job(tmp_path: Path) -> None:
    """`variables` are what `--var` is on the command line."""
    async with provider() as api:
        there = await loaded(job(tmp_path, api.url), zone="example.org")
        options = RunOptions(run_dir=tmp_path, overrides=FAST)
        async with plan_job(there, options) as plan, run_job(plan) as results:
            async for _item, _result in results:
                pass

        assert api.state.ptr_of("203.0.113.7") == ("203-0-113-7.example.org",)


async def test_two_runs_in_one_loop_do_not_disturb_each_other(tmp_path: Path) -> None:
    """Two runs side by side have their own gates, stores and stops: one fails, the other does not care."""
    codes: dict[str, int | None] = {}

    async def one(name: str, api: Simulator) -> None:
        folder = tmp_path / name
        folder.mkdir()
        options = RunOptions(run_dir=folder / "runs", overrides=FAST)
        async with plan_job(await loaded(job(folder, api.url)), options) as plan, run_job(plan) as results:
            async for _item, _result in results:
                pass
        codes[name] = results.exit_code

    async with provider() as sound, provider() as closed:
        closed.fault(Fault(action="update_ptr", json={"code": -1, "message": "invalid api key"}))
        async with create_task_group() as group:
            group.start_soon(one, "sound", sound)
            group.start_soon(one, "closed", closed)

    assert codes == {"sound": 0, "closed": 7}


async def test_cancellation_is_clean_and_the_run_can_be_resumed(tmp_path: Path) -> None:
    """A caller who gives up leaves a run whose store knows every write that the server carried out."""
    async with provider(latency_s=0.05) as api:
        options = RunOptions(run_dir=tmp_path / "runs", overrides=FAST)
        with move_on_after(0.6) as scope:
            async with (
                plan_job(await loaded(job(tmp_path, api.url)), options) as plan,
                run_job(plan) as results,
            ):
                async for _item, _result in results:
                    pass
        written = {effect.ip for effect in api.state.writes()}

    assert scope.cancelled_caught or results.exit_code == 0
    rows = await to_thread.run_sync(statuses_below, tmp_path)
    assert len(rows) == 16
    assert {ip for ip, status in rows.items() if status == Status.NOT_RUN}.isdisjoint(written)


async def test_limit_of_the_job_stops_before_the_first_write(tmp_path: Path) -> None:
    """Safety limits hold in a library too."""
    async with provider() as api:
        there = await loaded(job(tmp_path, api.url, "safety: {max_changes: 3}\n"))
        async with plan_job(there, RunOptions(run_dir=tmp_path, overrides=FAST)) as plan:
            with pytest.raises(SafetyStop, match="max_changes"):
                async with run_job(plan):
                    pass

        assert api.state.writes() == []


def test_wrong_job_raises_with_every_problem(tmp_path: Path) -> None:
    """`load_job` tells all problems of the file at once."""
    (tmp_path / "job.yaml").write_text("version: 2\nnaem: x\nactions: []\n")

    with pytest.raises(JobError) as raised:
        load_job(tmp_path / "job.yaml")

    assert raised.value.total >= 3


async def test_rehearsal_needs_no_token(tmp_path: Path) -> None:
    """`simulate` sends every call to a simulator that lives as long as the plan."""
    options = RunOptions(run_dir=tmp_path, simulate=True, overrides=FAST)
    there = await loaded(ROOT / "jobs" / "inventory.yaml")
    async with plan_job(there, options) as plan, run_job(plan) as results:
        statuses = [result.status async for _item, result in results]

    assert set(statuses) == {Status.OK}


async def test_account_is_one_plans_at_a_time(tmp_path: Path) -> None:
    """While a plan is open another one of the same account is refused; afterwards the way is free."""
    async with provider() as api:
        there = await loaded(job(tmp_path, api.url))
        options = RunOptions(run_dir=tmp_path / "runs", overrides=FAST)
        async with plan_job(there, options) as plan:
            seen = api.log.total
            with pytest.raises(Locked, match=rf"run {plan.run_id} of job `job` \(`library`, pid "):
                async with plan_job(there, options):
                    pass
            assert api.log.total == seen

        async with plan_job(there, options) as plan:
            assert plan.writes == 16


async def test_waiting_for_the_account_can_be_cancelled(tmp_path: Path) -> None:
    """A caller who waits for another plan to end can give up; nothing of the waiting one is left."""
    async with provider() as api:
        there = await loaded(job(tmp_path, api.url))
        options = RunOptions(run_dir=tmp_path / "runs", lock_timeout_s=600, overrides=FAST)
        async with plan_job(there, options) as plan:
            with move_on_after(0.2) as scope:
                async with plan_job(there, options):
                    pass
        folders = [path.parent.name for path in (tmp_path / "runs").rglob("run.db")]

    assert scope.cancelled_caught
    assert folders == [plan.run_id]


async def test_failed_plan_gives_the_account_back(tmp_path: Path) -> None:
    """A plan that is refused while it reads holds nothing afterwards."""
    async with provider() as api:
        there = await loaded(job(tmp_path, api.url))
        options = RunOptions(run_dir=tmp_path / "runs", overrides=FAST)
        api.fault(Fault(action="get_ptr", times=1, json={"code": -1, "message": "invalid api key"}))
        with pytest.raises(AccessError):
            async with plan_job(there, options):
                pass

        async with plan_job(there, options) as plan:
            assert plan.writes == 16


def test_public_names_are_a_tested_list() -> None:
    """What `bulkip` exports is what it promises."""
    assert all(getattr(bulkip, name) is not None for name in bulkip.__all__)
    assert {"load_job", "plan_job", "run_job"} <= set(bulkip.__all__)


def statuses_below(folder: Path) -> dict[str, str]:
    """Return the statuses of the only run below a folder, by address."""
    (store,) = (folder / "runs").rglob("run.db")
    with RunReader(store.parent) as reader:
        return {row["ip"]: row["status"] for row in reader.rows()}


@pytest.mark.parametrize(
    "setting",
    [
        "rollout: {steps: [5, 100%]}",
        "rollout: {pause: prompt}",
        "hooks: {start: {command: [may-we], required: true}}",
    ],
)
async def test_protection_that_only_commands_heed_is_refused(tmp_path: Path, setting: str) -> None:
    """A rollout or a required hook that the library would leave out is refused, never passed over."""
    async with provider() as api:
        path = await to_thread.run_sync(job, tmp_path, api.url, setting + "\n")
        with pytest.raises(bulkip.UsageError, match="command line only"):
            async with bulkip.plan_job(await loaded(path)):
                pass

        assert api.log.total == 0


async def test_traffic_that_was_collected_is_not_asked_again(empty_folder: Path) -> None:
    """The second run of a night has every address in its counts, and asks for none."""
    async with provider() as api:
        path = job(empty_folder, api.url)
        text = path.read_text().partition("actions:")[0]
        path.write_text(f"{text}actions: [{{action: get_traffic, period: yesterday}}]\n")
        options = RunOptions(empty_folder / "runs", overrides=FAST)
        settled, ended = [], []

        for _night in range(2):
            async with plan_job(await loaded(path), options) as plan, run_job(plan) as results:
                settled.append([item.ip async for item, _result in results])
            ended.append((results.counts.of(Status.OK), results.exit_code))

        assert [len(addresses) for addresses in settled] == [16, 0]
        assert ended == [(16, 0), (16, 0)]
        assert api.state.count("get_traffic") == 16


async def test_wanted_proofs_are_made(tmp_path: Path) -> None:
    """A job that wants its writes proved has them proved here, too, by the provider or by the DNS."""
    async with provider() as api:
        path = await to_thread.run_sync(job, tmp_path, api.url)
        wish = "verify: {settle: 10ms, mode: api, required: true}"
        text = path.read_text().replace("verify: {settle: 10ms}", wish)
        await to_thread.run_sync(path.write_text, text)
        options = RunOptions(run_dir=tmp_path / "runs", overrides=FAST)

        async with plan_job(await loaded(path), options) as plan, run_job(plan) as results:
            assert [result.status async for _item, result in results] == [Status.CHANGED] * 16

        assert results.exit_code == 0
        assert await to_thread.run_sync(proved, tmp_path / "runs") == {1: 16}


def proved(folder: Path) -> Counter[int | None]:
    """Count the rows of the only run by whether they are proved."""
    (store,) = (folder / "runs").rglob("run.db")
    with RunReader(store.parent) as reader:
        return Counter(row["verified"] for row in reader.rows())


def job_of_two(folder: Path, nl: Simulator, us: Simulator) -> Path:
    """Write the migration for two accounts, each with half of the addresses."""
    lines = job(folder, nl.url).read_text().splitlines(keepends=True)
    own = "{{api: {{url: '{url}', token: 'file:token'}}}}"
    lines[2] = f"accounts: {{nl: {own.format(url=nl.url)}, us: {own.format(url=us.url)}}}\n"
    lines[3] = (
        "targets:\n  - {cidr: 203.0.113.0/29, account: nl, id: 4711}\n"
        "  - {cidr: 203.0.113.8/29, account: us, id: 4711}\n"
    )
    (folder / "job.yaml").write_text("".join(lines))
    return folder / "job.yaml"


async def test_library_calls_every_account_of_a_job(tmp_path: Path) -> None:
    """A job of several accounts runs in somebody's loop as well; each item names its account."""
    async with provider() as nl, provider() as us:
        options = RunOptions(run_dir=tmp_path / "runs", overrides=FAST)
        async with (
            plan_job(await loaded(job_of_two(tmp_path, nl, us)), options) as plan,
            run_job(plan) as results,
        ):
            settled = Counter([(item.account, result.status) async for item, result in results])

        assert settled == {("nl", Status.CHANGED): 8, ("us", Status.CHANGED): 8}
        assert [len(api.state.writes()) for api in (nl, us)] == [8, 8]


async def test_library_tells_of_an_account_that_is_refused(tmp_path: Path) -> None:
    """A refused account is left out of the plan, which says so; the others are written, the end names it."""
    refused = SimulatorSettings(token="another")
    async with provider() as nl, Simulator([], refused) as us:
        options = RunOptions(run_dir=tmp_path / "runs", overrides=FAST)
        there = await loaded(job_of_two(tmp_path, nl, us))
        async with plan_job(there, options) as plan, run_job(plan) as results:
            stopped = [stop.reason for stop in plan.stopped]
            settled = Counter([(item.account, result.status) async for item, result in results])

        assert settled == {("nl", Status.CHANGED): 8}
        assert results.exit_code == 7
        assert results.stop is not None
        assert stopped == [results.stop.reason]
        assert results.stop.reason.startswith("account `us`: the token is refused")

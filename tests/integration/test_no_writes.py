"""Where nothing may be written, the connection itself refuses, whoever asks."""

from pathlib import Path

import pytest
from anyio import to_thread

from bulkip.model import Purpose
from bulkip.policy import Timeouts
from bulkip.purse import Purse
from bulkip.run.engine import Endpoint, allowance_of, open_fleet
from bulkip.run.stages import Stage, StageRules, run_stage
from bulkip.store import Attempt
from bulkip.transport import Transport
from bulkip.wire import Answer, ApiRequest
from tests.honestrun import tampered
from tests.rehearsal import addresses, plan, provider

pytestmark = pytest.mark.anyio

IP = "203.0.113.7"
FORM = {"ip": IP, "id": "4711", "ptr": "new.example.net"}
JOB = (
    f"targets: [{{ip: {IP}, id: 4711}}]\nactions: [{{action: update_ptr, with: {{ptr: new.example.net}}}}]\n"
)
MAIN_JOB = f"targets: [{{ip: {IP}, id: 4711}}]\nactions: [{{action: set_main, with: {{main: 1}}}}]\n"
WRITES = pytest.mark.parametrize(
    "request_",
    [
        pytest.param(ApiRequest("update_ptr", FORM, writes=True), id="update_ptr"),
        pytest.param(ApiRequest("update_ptr", FORM), id="not-marked-as-a-write"),
        pytest.param(ApiRequest("set_main", {"ip": IP, "id": "4711", "main": "1"}), id="set_main"),
        pytest.param(ApiRequest("unheard_of", {}, writes=True), id="marked-as-a-write"),
    ],
)


@WRITES
async def test_write_is_refused_before_it_is_sent(request_: ApiRequest) -> None:
    """A transport without writes sends none, however the request is marked."""
    async with provider(*addresses(9)) as api:
        async with Transport(api.url, token=lambda: "simulated", timeouts=Timeouts(), writes=False) as wire:
            with pytest.raises(RuntimeError, match="nothing may be written here"):
                await wire.send(request_)

        assert api.log.total == 0


async def test_read_goes_through() -> None:
    """A transport without writes sends reads."""
    async with provider(*addresses(9)) as api:
        async with Transport(api.url, token=lambda: "simulated", timeouts=Timeouts(), writes=False) as wire:
            reply = await wire.send(ApiRequest("get_ptr", {"ip": IP, "id": "4711"}))

        assert isinstance(reply, Answer)
        assert len(api.log.entries("get_ptr")) == 1


@pytest.mark.parametrize("writes", [False, True])
async def test_only_the_stage_that_applies_may_write(tmp_path: Path, *, writes: bool) -> None:
    """An engine writes only when it was opened for that; all others refuse, down to the wire."""
    async with provider(*addresses(9)) as api:
        prepared = await plan(tmp_path, JOB)
        allowance = await to_thread.run_sync(allowance_of, prepared)
        endpoint = Endpoint(api.url, Purse(lambda: 0.0, token="simulated"))
        attempt = Attempt(1, 1, 1, Purpose.CALL)
        refused = False
        async with open_fleet(prepared, endpoint, None, lambda _: None, allowance, writes=writes) as fleet:
            (engine,) = fleet.engines
            try:
                await engine.access.call(ApiRequest("update_ptr", FORM, writes=True), attempt, again=False)
            except RuntimeError:
                refused = True

        assert (refused, len(api.state.writes())) == (not writes, int(writes))


async def test_reading_stage_refuses_a_write_that_a_store_tells_it_to_make(tmp_path: Path) -> None:
    """A store that passes a write off as something to be read cannot bring a plan to send it."""
    async with provider(*addresses(9)) as api:
        prepared = await plan(tmp_path, MAIN_JOB)
        await to_thread.run_sync(tampered, prepared.run_dir, "UPDATE item SET shown = 1")
        allowance = await to_thread.run_sync(allowance_of, prepared)
        endpoint = Endpoint(api.url, Purse(lambda: 0.0, token="simulated"))

        with pytest.raises(RuntimeError, match="nothing may be written here"):
            await run_stage(
                Stage.READING, prepared, endpoint, None, StageRules(1.0, lambda _: None, allowance)
            )

        assert api.log.total == 0

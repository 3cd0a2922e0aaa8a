"""Which servers the simulated provider tells of, and how it leaves writes unseen or unfinished."""

import json
from itertools import chain, repeat
from typing import Any

import aiohttp
import pytest

from bulkip.simulator import Fault, Finish, Seed, Simulator, SimulatorSettings

pytestmark = pytest.mark.anyio

IP, OTHER, ELSEWHERE, OPEN = "203.0.113.7", "203.0.113.8", "198.51.100.1", "203.0.113.10"
SEEDS = (
    Seed(IP, 4711, "NL", ptr="old.example.net"),
    Seed(OTHER, 4711, "NL"),
    Seed(ELSEWHERE, 815, "US"),
    Seed(OPEN),
)
OLD = {"result": "OK", "message": "old.example.net"}
NEW = {"result": "OK", "message": "new.example.net"}


async def ask(api: Simulator, script: str, action: str, **form: str) -> Any:
    """Return what a script answers to one call with the ready token."""
    url, form = api.url.replace("ip.php", script), {"action": action, "token": api.token, **form}
    async with aiohttp.ClientSession() as session, session.post(url, data=form) as response:
        return json.loads(await response.read())


async def read(api: Simulator) -> Any:
    """Return what get_ptr answers for the first address."""
    return await ask(api, "ip.php", "get_ptr", ip=IP, id="4711")


async def write(api: Simulator, ptr: str = "new.example.net") -> Any:
    """Return what update_ptr answers for the first address."""
    return await ask(api, "ip.php", "update_ptr", ip=IP, id="4711", ptr=ptr)


@pytest.mark.parametrize(
    ("form", "servers"),
    [
        pytest.param({}, [815, 4711], id="all"),
        pytest.param({"ip": OTHER}, [4711], id="of an address"),
        pytest.param({"ip": "192.0.2.1"}, [], id="of a foreign address"),
        pytest.param({"ip": "nonsense"}, [], id="of no address"),
    ],
)
async def test_list_finds_servers(form: dict[str, str], servers: list[int]) -> None:
    """eq/list answers ids, of all servers or of the one that has an address."""
    async with Simulator(SEEDS) as api:
        assert await ask(api, "eq.php", "list", **form) == {"result": "OK", "servers": servers}


async def test_list_puts_an_open_address_on_an_invented_server() -> None:
    """An address without a server gets one when it is looked up, and keeps it."""
    async with Simulator(SEEDS) as api:
        found = [(await ask(api, "eq.php", "list", ip=OPEN))["servers"] for _ in range(2)]
        answer = await ask(api, "ip.php", "get_ptr", ip=OPEN, id=str(found[0][0]))

    assert found[0] == found[1]
    assert answer["result"] == "OK"


async def test_show_tells_of_a_server_and_its_addresses() -> None:
    """eq/show lists the addresses with the main one first and marked, and where the server stands."""
    async with Simulator(SEEDS) as api:
        await ask(api, "ip.php", "set_main", ip=OTHER, id="4711", main="1")
        answer = await ask(api, "eq.php", "show", id="4711")

    assert answer == {
        "result": "OK",
        "server_data": {
            "id": 4711,
            "hostname": "server4711.example.net",
            "status": "rent",
            "location": "NL",
            "main_ip": OTHER,
            "ipmi": None,
        },
        "hardware": [],
        "IP": [
            {"ip": OTHER, "main_ip": 1, "location": "NL"},
            {"ip": IP, "main_ip": 0, "location": "NL"},
        ],
        "tags": [],
    }


@pytest.mark.parametrize(
    ("server", "message"),
    [
        pytest.param("99", "server 99 not found", id="unknown"),
        pytest.param("x", "invalid request", id="no id"),
        pytest.param("", "invalid request", id="none"),
    ],
)
async def test_show_of_no_server_is_refused(server: str, message: str) -> None:
    """eq/show refuses an id that is none of the account's."""
    async with Simulator(SEEDS) as api:
        assert await ask(api, "eq.php", "show", id=server) == {"code": -1, "message": message}


async def test_update_servers_changes_nothing() -> None:
    """eq/update_servers answers the list, with an empty map the way PHP writes it."""
    async with Simulator(SEEDS) as api:
        answer = await ask(api, "eq.php", "update_servers")

        assert answer == {"result": "OK", "servers": [815, 4711], "billing_servers": [], "deploy_keys": []}
        assert api.state.writes() == []


async def test_lag_hides_a_write_from_readers_for_a_time() -> None:
    """Readers see the old value until the lag is over; the state has the new one at once."""
    times = chain((0.0, 0.0, 1.9, 2.0), repeat(2.0))
    settings = SimulatorSettings(faults=(Fault(lag_s=2),))
    async with Simulator(SEEDS, settings, clock=lambda: next(times)) as api:
        answers = [await read(api), await write(api), await read(api), await read(api)]

        assert answers == [OLD, {"result": "OK", "message": ""}, OLD, NEW]
        assert [entry.fault for entry in api.log.entries()] == [None, "lag 2s", None, None]


async def test_lag_hides_a_write_whose_answer_was_lost() -> None:
    """A lag goes with a reset after the effect: the read-back after the loss shows the old value."""
    times = chain((0.0, 1.0, 2.0), repeat(2.0))
    settings = SimulatorSettings(faults=(Fault(reset="after", times=1, lag_s=2, action="update_ptr"),))
    async with Simulator(SEEDS, settings, clock=lambda: next(times)) as api:
        with pytest.raises(aiohttp.ClientError):
            await write(api)
        answers = [await read(api), await read(api)]

    assert answers == [OLD, NEW]


async def test_lag_of_set_main_is_seen_in_show() -> None:
    """eq/show marks the old main address until the lag is over."""
    times = chain((0.0, 1.0, 2.0), repeat(2.0))
    settings = SimulatorSettings(faults=(Fault(action="set_main", lag_s=2),))
    async with Simulator(SEEDS, settings, clock=lambda: next(times)) as api:
        await ask(api, "ip.php", "set_main", ip=OTHER, id="4711", main="1")
        shown = [(await ask(api, "eq.php", "show", id="4711"))["server_data"]["main_ip"] for _ in range(2)]

    assert shown == [IP, OTHER]


async def test_callback_is_finished_after_its_checks() -> None:
    """A write with a callback is pending for N checks, hidden until then, and OK ever after."""
    settings = SimulatorSettings(faults=(Fault(callback=Finish(checks=2)),))
    async with Simulator(SEEDS, settings) as api:
        key = (await write(api))["callback"]
        before = await read(api)
        checks = [await ask(api, "eq_callback.php", "check", key=key) for _ in range(4)]
        after = await read(api)

    context = {"action": "update_ptr", "id": "4711", "ip": IP, "location": ""}
    done = {"scope": "update_ptr done", "context": context, "debug": None, "key": key}
    pending = {"scope": "pending", "context": {**context, "id": "", "ip": ""}, "debug": None, "key": key}
    assert checks == [{"result": "pending", **pending}] * 2 + [{"result": "OK", **done}] * 2
    assert (before, after) == (OLD, NEW)


async def test_callback_is_finished_after_its_time() -> None:
    """A write with a timed callback is seen when the time is over, whether anybody checked or not."""
    times = chain((0.0, 4.9, 4.9, 5.0), repeat(5.0))
    settings = SimulatorSettings(faults=(Fault(callback=Finish(after_s=5)),))
    async with Simulator(SEEDS, settings, clock=lambda: next(times)) as api:
        key = (await write(api))["callback"]
        check = (await ask(api, "eq_callback.php", "check", key=key))["result"]
        seen = [await read(api), await read(api)]
        last = (await ask(api, "eq_callback.php", "check", key=key))["result"]

    assert (check, last) == ("pending", "OK")
    assert seen == [OLD, NEW]


async def test_refused_write_has_no_callback() -> None:
    """A callback is given for what was accepted only."""
    async with Simulator(SEEDS, SimulatorSettings(faults=(Fault(callback=Finish(checks=0)),))) as api:
        answer = await ask(api, "ip.php", "update_ptr", ip=IP, id="1", ptr="x.example.net")

    assert answer == {"code": -1, "message": f"IP {IP} is not assigned for server 1"}


async def test_check_needs_a_known_key_and_no_token() -> None:
    """eq_callback.php refuses a key it did not give, and asks for nothing else."""
    async with Simulator(SEEDS) as api:
        answer = await ask(api, "eq_callback.php", "check", key="0" * 32, token="")

    assert answer == {"code": -1, "message": "callback key not found"}

"""What the simulated provider answers, remembers, refuses and breaks; asked over real sockets."""

import json
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from http.client import HTTPConnection
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import aiohttp
import anyio
import pytest
from anyio.abc import SocketStream
from click.testing import CliRunner

from bulkip.cli.simulate import Wishes, parse_addresses, simulate
from bulkip.errors import UsageError
from bulkip.model import Rate
from bulkip.simulator import (
    Dialect,
    EmbeddedSimulator,
    Fault,
    Seed,
    Simulator,
    SimulatorSettings,
    SimulatorState,
    Subnet,
    TrafficPoint,
    has_traffic,
    invented_account,
)

pytestmark = pytest.mark.anyio

IP, OTHER, SILENT, OPEN = "203.0.113.7", "203.0.113.8", "203.0.113.9", "203.0.113.10"
NOON = 1716206400  # 2024-05-20 12:00 UTC
SEEDS = (
    Seed(IP, 4711, "NL", traffic=(TrafficPoint(NOON, 125, 85), TrafficPoint(NOON + 3600, 25, 15))),
    Seed(OTHER, 4711, "NL", ptr="a.example.net\nb.example.net"),
    Seed(SILENT, 4712, "US", ptr="", traffic=()),
    Seed(OPEN),
)
PERIOD = {"period_start": str(NOON), "period_stop": str(NOON + 86400)}
NO_TRAFFIC = (
    f"no significant traffic detected for {SILENT} in the period 2024-05-20 12:00:00 - 2024-05-21 12:00:00"
)


@pytest.fixture
async def api() -> AsyncIterator[Simulator]:
    """Serve an account of four addresses."""
    async with Simulator(SEEDS) as simulator:
        yield simulator


async def ask(api: Simulator, action: str, **form: str) -> bytes:
    """Return the bytes that one call is answered with."""
    form = {"action": action, "token": api.token, **form}
    async with aiohttp.ClientSession() as session, session.post(api.url, data=form) as response:
        return await response.read()


async def get(api: Simulator, **query: str) -> Any:
    """Return what a GET is answered with."""
    async with aiohttp.ClientSession() as session, session.get(api.url, params=query) as response:
        return json.loads(await response.read())


def request_bytes(api: Simulator, **form: str) -> bytes:
    """Return a call as it goes over the wire."""
    body = urlencode({"token": api.token, **form})
    kind = "Content-Type: application/x-www-form-urlencoded"
    return f"POST /ip.php HTTP/1.1\r\nHost: x\r\n{kind}\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


async def connect(api: Simulator) -> SocketStream:
    """Return a connection to the simulator."""
    parts = urlsplit(api.url)
    return await anyio.connect_tcp(parts.hostname or "", parts.port or 0)


@pytest.mark.parametrize(
    ("action", "form", "answer"),
    [
        pytest.param("get_client_ip", {}, {"ip": "127.0.0.1"}, id="get_client_ip"),
        pytest.param(
            "get_ip",
            {"ip": IP},
            {
                "result": "OK",
                "module": "ip",
                "action": "get_ip",
                "data": {
                    "network": "203.0.113.0",
                    "netmask": "255.255.255.0",
                    "gateway": "203.0.113.1",
                    "broadcast": "203.0.113.255",
                },
            },
            id="get_ip",
        ),
        pytest.param(
            "get_ptr",
            {"ip": IP, "id": "4711", "location": "NL"},
            {"result": "OK", "message": "ip-203-0-113-7.static.example.net"},
            id="get_ptr, an invented name",
        ),
        pytest.param(
            "get_ptr",
            {"ip": OTHER, "id": "4711"},
            {"result": "OK", "message": "a.example.net\nb.example.net"},
            id="get_ptr, several names",
        ),
        pytest.param(
            "get_ptr", {"ip": SILENT, "id": "4712"}, {"result": "OK", "message": ""}, id="get_ptr, no name"
        ),
        pytest.param(
            "get_traffic",
            {"ip": IP, **PERIOD},
            {
                "result": "OK",
                "traffic": [
                    {"timestamp": "2024-05-20T12:00:00Z", "in": 1.25, "out": 0.85},
                    {"timestamp": "2024-05-20T13:00:00Z", "in": 0.25, "out": 0.15},
                ],
            },
            id="get_traffic",
        ),
        pytest.param(
            "get_traffic",
            {"ip": IP, "summary": "1", **PERIOD},
            {"result": "OK", "traffic": [{"timestamp": "2024-05-20T12:00:00Z", "in": 1.5, "out": 1.0}]},
            id="get_traffic, the sum",
        ),
        pytest.param(
            "list_free_ip",
            {"id": "16"},
            {"result": "OK", "ip": [f"192.0.2.{host} US" for host in range(18, 31)]},
            id="list_free_ip",
        ),
        pytest.param(
            "list_free_ip",
            {"location": "us", "exclude_special": "1"},
            {"result": "OK", "ip": [f"192.0.2.{host} US" for host in range(18, 30)]},
            id="list_free_ip, without special ones",
        ),
        pytest.param(
            "set_main",
            {"ip": OTHER, "id": "4711", "main": "1"},
            {"result": "OK", "message": "Data returned from ipv4_set_main function"},
            id="set_main",
        ),
        pytest.param(
            "update_ptr",
            {"ip": IP, "id": "4711", "ptr": "mail.example.net"},
            {"result": "OK", "message": ""},
            id="update_ptr",
        ),
    ],
)
async def test_success_has_the_shape_of_the_vendors_page(
    api: Simulator, action: str, form: Mapping[str, str], answer: object
) -> None:
    """Every action that succeeds answers in the shape of the vendor's page."""
    assert json.loads(await ask(api, action, **form)) == answer


@pytest.mark.parametrize(
    ("action", "form", "message"),
    [
        pytest.param("get_client_ip", {"token": ""}, "authentication required", id="no token"),
        pytest.param("get_ip", {"token": "other"}, "invalid token", id="wrong token"),
        pytest.param("get_prt", {}, "invalid request", id="unknown action"),
        pytest.param(
            "get_ip", {"ip": "127.0.0.1"}, "malformed IP=127.0.0.1 for token simulated", id="get_ip, foreign"
        ),
        pytest.param("get_ip", {"ip": "1.2.3"}, "malformed IP=1.2.3 for token simulated", id="get_ip, junk"),
        pytest.param("get_ip", {}, "malformed IP= for token simulated", id="get_ip, none"),
        pytest.param(
            "update_ptr",
            {"ip": "1.2.3.4", "id": "123", "ptr": "example.com"},
            "IP 1.2.3.4 is not assigned for server 123",
            id="update_ptr, foreign",
        ),
        pytest.param(
            "update_ptr",
            {"ip": IP, "id": "4712", "ptr": "example.com"},
            f"IP {IP} is not assigned for server 4712",
            id="update_ptr, another server",
        ),
        pytest.param("update_ptr", {"ip": IP, "id": "4711"}, "invalid request", id="update_ptr, no ptr"),
        pytest.param(
            "set_main", {"ip": IP, "id": "1"}, "invalid request (ID or IP mismatch)", id="set_main, mismatch"
        ),
        pytest.param(
            "set_main",
            {"ip": IP, "id": "4711", "main": "2"},
            "invalid request (ID or IP mismatch)",
            id="set_main, main neither 0 nor 1",
        ),
        pytest.param("list_free_ip", {"id": "99"}, "illegal IP subnet", id="list_free_ip, unknown subnet"),
        pytest.param("list_free_ip", {"location": "ZZ"}, "illegal IP subnet", id="list_free_ip, location"),
        pytest.param("list_free_ip", {}, "illegal IP subnet", id="list_free_ip, neither"),
        pytest.param(
            "get_traffic",
            {"ip": IP, "period_start": "2", "period_stop": "2"},
            "invalid request",
            id="get_traffic, empty period",
        ),
    ],
)
async def test_failure_has_the_text_of_the_vendors_page(
    api: Simulator, action: str, form: Mapping[str, str], message: str
) -> None:
    """Every action that fails answers code -1 and the text of the vendor's page, and nothing is written."""
    answer = json.loads(await ask(api, action, **form))

    assert answer == {"code": -1, "message": message}
    assert api.state.writes() == []


@pytest.mark.parametrize(
    "form",
    [
        pytest.param({"ip": IP, "id": "4712"}, id="another server"),
        pytest.param({"ip": "1.2.3.4", "id": "4711"}, id="foreign address"),
        pytest.param({"ip": IP}, id="no id"),
        pytest.param({"ip": IP, "id": "0x1"}, id="junk id"),
    ],
)
async def test_refused_get_ptr_carries_the_pages_bad_escapes(api: Simulator, form: dict[str, str]) -> None:
    """A refused get_ptr is not JSON, exactly as the vendor's page shows it."""
    body = await ask(api, "get_ptr", **form)

    assert body == rb'{"code": -1, "message": "\(module/\)action: invalid request"}'


async def test_absent_traffic_is_said_twice(api: Simulator) -> None:
    """An address without traffic gets the page's text in `message` and in `error`."""
    answer = json.loads(await ask(api, "get_traffic", ip=SILENT, **PERIOD))

    assert answer == {"code": -1, "message": NO_TRAFFIC, "error": NO_TRAFFIC}


@pytest.mark.parametrize("action", ["get_client_ip", "get_ptr", "get_traffic", "list_free_ip"])
async def test_get_is_answered_where_the_page_allows_it(api: Simulator, action: str) -> None:
    """The reads that the page shows with GET answer to GET."""
    form = {"ip": IP, "id": "15" if action == "list_free_ip" else "4711", **PERIOD}

    answer = await get(api, action=action, token=api.token, **form)

    assert "code" not in answer


async def test_write_by_get_is_refused(api: Simulator) -> None:
    """A write that comes by GET changes nothing."""
    answer = await get(api, action="update_ptr", token=api.token, ip=IP, id="4711", ptr="x.example.net")

    assert answer == {"code": -1, "message": "invalid request"}
    assert api.state.writes() == []


@pytest.mark.parametrize(
    ("ptr", "names"),
    [
        pytest.param("mail.example.net", ("mail.example.net",), id="one name"),
        pytest.param("a.example.net\nb.example.net", ("a.example.net", "b.example.net"), id="several names"),
        pytest.param("", (), id="no name"),
    ],
)
async def test_update_ptr_replaces_what_was_there(api: Simulator, ptr: str, names: tuple[str, ...]) -> None:
    """A newline separates records, and an empty value removes them all."""
    await ask(api, "update_ptr", ip=OTHER, id="4711", ptr=ptr)

    assert api.state.ptr_of(OTHER) == names
    [write] = api.state.writes()
    assert (write.action, write.ip, write.server_id) == ("update_ptr", OTHER, 4711)
    assert (write.before, write.after) == (("a.example.net", "b.example.net"), names)


@pytest.mark.parametrize(
    ("main", "main_ip", "ipmi_ip"),
    [
        pytest.param("1", OTHER, None, id="IPv4"),
        pytest.param(OTHER, OTHER, None, id="the address itself"),
        pytest.param("0", IP, OTHER, id="IPMI"),
    ],
)
async def test_set_main_moves_the_main_address(
    api: Simulator, main: str, main_ip: str, ipmi_ip: str | None
) -> None:
    """`main: 0` touches the management interface only, everything else the main address only."""
    await ask(api, "set_main", ip=OTHER, id="4711", main=main)

    assert (api.state.main_of(4711), api.state.ipmi_of(4711)) == (main_ip, ipmi_ip)


async def test_address_without_server_takes_the_first_that_asks(api: Simulator) -> None:
    """An address seeded without an id belongs to the first server that is named with it."""
    await ask(api, "update_ptr", ip=OPEN, id="31", ptr="first.example.net")
    answer = json.loads(await ask(api, "update_ptr", ip=OPEN, id="32", ptr="second.example.net"))

    assert answer["message"] == f"IP {OPEN} is not assigned for server 32"
    assert api.state.ptr_of(OPEN) == ("first.example.net",)


async def test_strict_limit_refuses_the_call_after_the_last_allowed() -> None:
    """The N+1st call within a second is answered 429 with Retry-After, and changes nothing."""
    settings = SimulatorSettings(limits=(Rate(3, 60.0),))
    async with Simulator(SEEDS, settings) as api, aiohttp.ClientSession() as session:
        form = {"action": "update_ptr", "token": api.token, "ip": IP, "id": "4711", "ptr": "x.example.net"}
        answers = [await session.post(api.url, data=form) for _ in range(4)]
        body = await answers[3].json()

        assert [answer.status for answer in answers] == [200, 200, 200, 429]
        assert 58 <= int(answers[3].headers["Retry-After"]) <= 60
        assert body == {"code": -1, "message": "too many requests"}
        assert (len(api.state.writes()), api.state.count("update_ptr", IP)) == (3, 4)
        assert [entry.fault for entry in api.log.entries()] == [None, None, None, "limit"]


async def test_call_fits_again_when_the_window_has_moved() -> None:
    """The limit counts on the clock that the simulator is given."""
    times = iter([0.0, 0.5, 1.0])
    async with Simulator(SEEDS, SimulatorSettings(limits=(Rate(1, 1.0),)), clock=lambda: next(times)) as api:
        for _ in range(3):
            await ask(api, "get_client_ip")

        assert [(entry.at, entry.status) for entry in api.log.entries()] == [
            *((0.0, 200), (0.5, 429), (1.0, 200))
        ]


@pytest.mark.parametrize(
    ("fault", "names"),
    [
        pytest.param(Fault(reset="before"), ("a.example.net", "b.example.net"), id="before the effect"),
        pytest.param(Fault(reset="after"), ("mail.example.net",), id="after the effect"),
    ],
)
async def test_reset_is_a_tcp_reset(api: Simulator, fault: Fault, names: tuple[str, ...]) -> None:
    """A reset sends RST: reading fails instead of ending."""
    api.fault(fault)

    async with await connect(api) as stream:
        await stream.send(
            request_bytes(api, action="update_ptr", ip=OTHER, id="4711", ptr="mail.example.net")
        )
        with pytest.raises(anyio.BrokenResourceError) as caught:
            await stream.receive()

    assert isinstance(caught.value.__cause__, ConnectionResetError)
    assert api.state.ptr_of(OTHER) == names


@pytest.mark.parametrize(
    "fault",
    [pytest.param(Fault(reset="close"), id="close"), pytest.param(Fault(hang_s=0.01), id="hang")],
)
async def test_closed_connection_ends_cleanly(api: Simulator, fault: Fault) -> None:
    """A closed connection ends with FIN and without a byte of an answer."""
    api.fault(fault)

    async with await connect(api) as stream:
        await stream.send(request_bytes(api, action="get_ip", ip=IP))
        with pytest.raises(anyio.EndOfStream):
            await stream.receive()

    assert [entry.status for entry in api.log.entries()] == [None]


async def test_delayed_answer_is_right(api: Simulator) -> None:
    """A fault that only delays changes neither the answer nor the effect."""
    api.fault(Fault(delay_s=0.01))

    answer = json.loads(await ask(api, "update_ptr", ip=IP, id="4711", ptr="late.example.net"))

    assert answer == {"result": "OK", "message": ""}
    assert api.state.ptr_of(IP) == ("late.example.net",)


async def test_spoiled_answer_may_hide_an_effect(api: Simulator) -> None:
    """A write can be carried out although its answer says that it failed."""
    api.fault(Fault(status=500, effect=True))

    async with aiohttp.ClientSession() as session:
        form = {"action": "update_ptr", "token": api.token, "ip": IP, "id": "4711", "ptr": "x.example.net"}
        async with session.post(api.url, data=form) as response:
            status = response.status

    assert status == 500
    assert [write.after for write in api.state.writes()] == [("x.example.net",)]


async def test_attempt_counts_calls_of_one_action_and_address(api: Simulator) -> None:
    """`attempt` counts the calls of an action for an address, however the address is written."""
    api.fault(Fault(action="get_ip", attempts=(2,), json={"code": -9}))

    answers = [
        json.loads(await ask(api, action, ip=ip))
        for action, ip in (
            ("get_ip", IP),
            ("get_client_ip", IP),
            ("get_ip", OTHER),
            ("get_ip", IP),
            ("get_ip", IP),
        )
    ]

    assert ["code" in answer for answer in answers] == [False, False, False, True, False]


async def test_every_counts_addresses_in_order_of_first_sight(api: Simulator) -> None:
    """`every: 2` picks the second address that the action saw, in all of its calls."""
    api.fault(Fault(every=2, json={"code": -9}))

    answers = [json.loads(await ask(api, "get_ip", ip=ip)) for ip in (OTHER, IP, OTHER, IP, SILENT)]

    assert ["code" in answer for answer in answers] == [False, True, False, True, False]


async def test_log_tells_every_request_and_no_token() -> None:
    """Each request is one line of JSON with its form, its fault and its effect, and the token blanked."""
    lines = StringIO()
    faults = (Fault(action="get_ip", status=503),)
    async with (
        Simulator(SEEDS, SimulatorSettings(token="t-secret", faults=faults, log=lines)) as api,
        aiohttp.ClientSession() as session,
    ):
        for form in ({"action": "update_ptr", "ip": IP, "id": "4711", "ptr": "x"}, {"action": "get_ip"}):
            await (await session.post(api.url, data={"token": "t-secret", **form})).read()

    first, second = (json.loads(line) for line in lines.getvalue().splitlines())
    assert (first.pop("at") <= second["at"], first.pop("wall") <= second["wall"]) == (True, True)
    assert first == {
        "seq": 1,
        "connection": 1,
        "method": "POST",
        "script": "ip.php",
        "action": "update_ptr",
        "ip": IP,
        "status": 200,
        "fault": None,
        "effect": True,
        "login": 0,
        "key": None,
        "form": {"token": "***", "action": "update_ptr", "ip": IP, "id": "4711", "ptr": "x"},
    }
    assert (second["seq"], second["connection"], second["fault"]) == (2, 1, "status 503")
    assert "t-secret" not in lines.getvalue()


async def test_log_numbers_the_connections(api: Simulator) -> None:
    """Calls over one connection carry its number, and a new connection gets the next one."""
    for _ in range(2):
        async with aiohttp.ClientSession() as session:
            for _ in range(2):
                await (await session.post(api.url)).read()

    assert [entry.connection for entry in api.log.entries()] == [1, 1, 2, 2]
    assert api.log.busiest(3600) == 4


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        pytest.param("/ip.php", b"ptr=" + b"x" * 2**20, 413, id="over 1 MiB"),
        pytest.param("/ip.php", b"a=&" * 200, 400, id="200 fields"),
        pytest.param("/ip.php", b"\xff\xfe=%zz&token", 200, id="junk"),
        pytest.param("/net.php", b"action=list", 404, id="another script"),
        pytest.param("/../ip.php/", b"", 404, id="another path"),
    ],
)
async def test_strange_request_is_answered_and_logged(
    api: Simulator, path: str, body: bytes, status: int
) -> None:
    """A request that is no call gets a status of its own, and a line in the log."""
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    url = api.url.replace("/ip.php", path)
    async with (
        aiohttp.ClientSession() as session,
        session.post(url, data=BytesIO(body), headers=kind) as response,
    ):
        answered = response.status

    assert answered == status
    assert [entry.status for entry in api.log.entries()] == [status]


async def test_form_in_another_encoding_is_not_read(api: Simulator) -> None:
    """A form sent as JSON carries no token, as for PHP."""
    async with aiohttp.ClientSession() as session:
        sent = {"token": api.token, "action": "get_client_ip"}
        async with session.post(api.url, json=sent) as response:
            answer = json.loads(await response.read())

    assert answer == {"code": -1, "message": "authentication required"}


async def test_stop_does_not_wait_for_hanging_calls() -> None:
    """A simulator that stops drops the calls it let hang."""
    with anyio.fail_after(5):
        async with Simulator(SEEDS, SimulatorSettings(faults=(Fault(hang_s=3600),))) as api:
            stream = await connect(api)
            await stream.send(request_bytes(api, action="get_ip", ip=IP))
            while not api.log.total:
                await anyio.lowlevel.checkpoint()
        await stream.aclose()

    assert [entry.fault for entry in api.log.entries()] == ["hang 3600s"]


async def test_taken_port_is_a_usage_error(api: Simulator) -> None:
    """A port that is in use is named, with the way out."""
    port = urlsplit(api.url).port or 0

    with pytest.raises(UsageError, match=f"127.0.0.1:{port}: cannot listen there"):
        async with Simulator(SEEDS, SimulatorSettings(port=port)):
            pass


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.net", ""])  # noqa: S104 - refused is the point
def test_only_loopback_is_served(host: str) -> None:
    """The simulator's token is no secret, so no other machine may reach it."""
    with pytest.raises(UsageError, match="loopback only"):
        Simulator((), SimulatorSettings(host=host))


def test_embedded_simulator_serves_from_its_own_thread() -> None:
    """An embedded simulator answers while the caller's thread is busy with something else."""
    with EmbeddedSimulator(SEEDS, SimulatorSettings(faults=(Fault(action="get_ip", reset="after"),))) as api:
        connection = HTTPConnection(urlsplit(api.url).netloc, timeout=5)
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        form = {"action": "update_ptr", "token": api.token, "ip": IP, "id": "4711", "ptr": "x.example.net"}
        connection.request("POST", "/ip.php", urlencode(form), kind)
        answer = json.loads(connection.getresponse().read())
        names = api.state.ptr_of(IP)
        connection.request("POST", "/ip.php", urlencode({**form, "action": "get_ip"}), kind)
        with pytest.raises(ConnectionResetError):
            connection.getresponse()
        connection.close()

    assert (answer, names) == ({"result": "OK", "message": ""}, ("x.example.net",))


def test_seeds_are_read_in_the_callers_thread() -> None:
    """An error while seeding reaches the maker as it is, and nothing is served."""

    def broken() -> Iterator[Seed]:
        yield Seed(IP)
        raise LookupError("the plan is gone")

    with pytest.raises(LookupError, match="the plan is gone"), EmbeddedSimulator(broken()):
        pass


def test_state_file_keeps_what_was_written(tmp_path: Path) -> None:
    """A second start on the same file finds the writes, seeds over nothing, and counts calls anew."""
    path = tmp_path / "state.db"
    first = SimulatorState(path)
    first.seed(SEEDS)
    first.set_ptr(IP, 4711, ("kept.example.net",), at=1.0)
    first.sight("get_ip", IP, admitted=True)
    first.close()

    second = SimulatorState(path)
    second.seed(SEEDS)

    assert second.ptr_of(IP) == ("kept.example.net",)
    assert (len(second.writes()), second.count("get_ip")) == (1, 0)
    assert path.stat().st_mode & 0o777 == 0o600
    second.close()


@pytest.mark.parametrize(
    "prepare",
    [
        pytest.param(lambda path: path.write_text("version: 1\n" * 200), id="no database"),
        pytest.param(lambda path: path.mkdir(), id="a folder"),
    ],
)
def test_other_file_is_not_taken_for_a_state(tmp_path: Path, prepare: Callable[[Path], object]) -> None:
    """A file that is no simulator state is refused by name and left as it is."""
    path = tmp_path / "state.db"
    prepare(path)

    with pytest.raises(UsageError, match="cannot be used"):
        SimulatorState(path)


def test_second_seed_only_adds_what_was_open() -> None:
    """An address that several items name keeps the first server, and learns one where none was known."""
    state = SimulatorState()

    state.seed([Seed(IP), Seed(IP, 1), Seed(IP, 2), Subnet(9, "203.0.113.0/29", "NL"), Seed(OTHER, 1)])

    assert [state.belongs(IP, server_id) for server_id in (1, 2)] == [True, False]
    assert state.free_ips(9) == [(f"203.0.113.{host}", "NL") for host in range(2, 7)]
    state.close()


def test_subnet_that_is_known_stays_as_it_is() -> None:
    """Of two networks with the same subnet id the first one counts, as a whole."""
    state = SimulatorState()

    state.seed([Subnet(9, "203.0.113.0/30", "NL"), Subnet(9, "192.0.2.0/28", "US")])

    assert state.free_ips(9) == [("203.0.113.2", "NL")]
    state.close()


def test_free_address_that_is_seeded_is_no_longer_free() -> None:
    """A seed inside a known subnet takes its address out of the free ones."""
    state = SimulatorState()

    state.seed([Subnet(9, "203.0.113.0/29", "NL")])
    state.seed([Seed("203.0.113.3", 5, ptr="x.example.net")])

    assert [ip for ip, _ in state.free_ips(9)] == [f"203.0.113.{host}" for host in (2, 4, 5, 6)]
    assert state.ptr_of("203.0.113.3") == ("x.example.net",)
    state.close()


def test_invented_traffic_is_the_same_in_every_run() -> None:
    """Traffic that nobody gave derives from address and hour, and a few addresses have none."""
    state, again = SimulatorState(), SimulatorState()
    for each in (state, again):
        each.seed(invented_account())
    addresses = [f"203.0.113.{host}" for host in range(256)]

    points = {ip: state.traffic_of(ip, NOON - 1, NOON + 7200) for ip in addresses}

    assert points == {ip: again.traffic_of(ip, NOON - 1, NOON + 7200) for ip in addresses}
    assert {ip for ip in addresses if not points[ip]} == {ip for ip in addresses if not has_traffic(ip)}
    assert 1 <= sum(not has_traffic(ip) for ip in addresses) <= 25
    assert [point.at for point in points[IP]] == [NOON, NOON + 3600]
    state.close()
    again.close()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_command_serves_until_a_signal_and_exits_0(tmp_path: Path, number: signal.Signals) -> None:
    """`bulkip simulate` prints its address on stdout, logs to a private file, and ends cleanly."""
    log = tmp_path / "requests.jsonl"
    start = [sys.executable, "-c", "from bulkip.cli import main; main()", "simulate"]
    options = ["--port", "0", "--log", str(log), "--addresses", "198.51.100.0/30=9", "--limit", "50/s"]
    with subprocess.Popen(
        [*start, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as server:
        assert server.stdout is not None
        url = server.stdout.readline().removeprefix("listening on ").strip()
        with socket.create_connection((urlsplit(url).hostname, urlsplit(url).port), 5) as client:
            client.sendall(b"GET /ip.php?action=get_client_ip&token=simulated HTTP/1.0\r\n\r\n")
            answer = client.makefile("rb").read()
        server.send_signal(number)
        _, hints = server.communicate(timeout=10)

    assert server.returncode == 0
    assert answer.endswith(b'{"ip": "127.0.0.1"}')
    assert f"api: {{url: {url}}}" in hints
    assert json.loads(log.read_text())["action"] == "get_client_ip"
    assert log.stat().st_mode & 0o777 == 0o600


def test_command_passes_on_what_it_was_asked_for(tmp_path: Path) -> None:
    """Keys, life, uses and dialects of the command line reach the simulator."""
    faults = tmp_path / "faults.yaml"
    faults.write_text("version: 1\nseed: 3\nfaults: [{action: get_ip, drip: 5, probability: 50%}]\n")
    wishes = Wishes(
        jobs=(),
        addresses=(),
        host="::1",
        port=0,
        token="ready",
        key=("first", "second"),
        token_life=60.0,
        token_uses=5,
        dialect=("minus", "flat"),
        faults=faults,
        latency=0.1,
        limit=(Rate(5, 1.0),),
        log=None,
        state=None,
    )

    assert wishes.settings(None) == SimulatorSettings(
        host="::1",
        token="ready",
        keys=("first", "second"),
        token_life_s=60.0,
        token_uses=5,
        dialects=frozenset({Dialect.MINUS, Dialect.FLAT}),
        faults=(Fault(action="get_ip", drip=5, probability=0.5, seed=3),),
        latency_s=0.1,
        limits=(Rate(5, 1.0),),
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["--addresses", "203.0.113.7/24=4"], "host bits set", id="host bits"),
        pytest.param(["--addresses", "10.0.0.0/8=4"], "are the most", id="too many addresses"),
        pytest.param(["--addresses", "203.0.113.0/24=web"], "`web` is no server id", id="server id"),
        pytest.param(["--limit", "5/x"], "is not a rate", id="limit"),
        pytest.param(["--latency", "soon"], "is not a duration", id="latency"),
        pytest.param(["--port", "65536"], "65535", id="port"),
        pytest.param(["--token-life", "long"], "is not a duration", id="token life"),
        pytest.param(["--token-uses", "0"], "x>=1", id="token uses"),
        pytest.param(["--dialect", "latin"], "'text-ids'", id="dialect"),
    ],
)
def test_command_refuses_what_it_cannot_serve(arguments: list[str], message: str) -> None:
    """A wrong option ends with exit code 2 and a sentence, before anything listens."""
    outcome = CliRunner().invoke(simulate, arguments)

    assert outcome.exit_code == 2
    assert message in outcome.output


def test_addresses_without_an_id_take_any_server() -> None:
    """`--addresses CIDR` alone leaves the server open."""
    assert parse_addresses("203.0.113.0/24").server_id is None

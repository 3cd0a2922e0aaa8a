"""What goes wrong with the provider's DNS on demand: late changes, lagging servers, wrong answers."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlencode

import aiohttp
import anyio
import pytest
from dns.flags import AA, TC
from dns.message import Message

from bulkip.errors import JobError
from bulkip.simulator import (
    DnsSettings,
    DnsTrouble,
    Fault,
    FaultError,
    Seed,
    Simulator,
    SimulatorSettings,
    read_faults,
)
from bulkip.simulator.callbacks import Finish
from tests.dnsclient import dig, ptr, query, said

pytestmark = pytest.mark.anyio

IP, OTHER = "203.0.113.7", "203.0.113.8"
NAME, REVERSE = "old.example.net", "7.113.0.203.in-addr.arpa"
OLD, NEW = ["old.example.net."], ["new.example.net."]
TRUTH = '{"result": "OK", "message": ""}'


@asynccontextmanager
async def provider(*faults: Fault, dns: DnsSettings | None = None) -> AsyncIterator[Simulator]:
    """Serve two addresses in this loop, on its clock."""
    seeds = [Seed(IP, 4711, "NL", NAME), Seed(OTHER, 4711, "NL", "other.example.net")]
    settings = SimulatorSettings(faults=faults, dns=dns or DnsSettings())
    async with Simulator(seeds, settings, clock=anyio.current_time) as api:
        yield api


async def write(api: Simulator, *names: str, ip: str = IP) -> str:
    """Set the PTR of an address through the API, and return what it says."""
    form = {"token": api.token, "action": "update_ptr", "ip": ip, "id": "4711", "ptr": "\n".join(names)}
    return await call(api, form)


async def call(api: Simulator, form: dict[str, str]) -> str:
    """Return the answer to a call of the API."""
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    async with aiohttp.ClientSession() as session:
        answer = await session.post(api.url, data=urlencode(form), headers=headers)
        return await answer.text()


async def seen_over_time(api: Simulator, *moments: float, ip: str = IP) -> list[list[str]]:
    """Return what DNS shows at some moments from now."""
    begin = anyio.current_time()
    seen = []
    for moment in moments:
        await anyio.sleep_until(begin + moment)
        seen.append(await ptr(api.dns, ip))
    return seen


@pytest.mark.virtual_time
async def test_change_propagates_after_its_time() -> None:
    """DNS shows what was there before for the propagation time, the API what is new."""
    async with provider(dns=DnsSettings(propagation_s=3.0)) as api:
        await write(api, "new.example.net")
        at_once = api.state.ptr_of(IP)
        seen = await seen_over_time(api, 0.0, 2.9, 3.1)

    assert at_once == ("new.example.net",)
    assert seen == [OLD, OLD, NEW]


@pytest.mark.virtual_time
async def test_changes_propagate_one_after_the_other() -> None:
    """Of two changes a second apart, DNS shows the first for that second before it shows the other."""
    async with provider(dns=DnsSettings(propagation_s=3.0)) as api:
        await write(api, "between.example.net")
        await anyio.sleep(1.0)
        await write(api)
        seen = await seen_over_time(api, 0.0, 2.5, 3.5)

    assert seen == [OLD, ["between.example.net."], ["NXDOMAIN"]]


@pytest.mark.virtual_time
async def test_second_server_lags_behind() -> None:
    """A stale secondary shows a change later than the primary, and has the older serial number until then."""
    async with provider(dns=DnsSettings(propagation_s=1.0, secondary_lag_s=10.0)) as api:
        await write(api, "new.example.net")
        await anyio.sleep(5.0)
        apart = [await ptr(endpoint, IP) for endpoint in (api.dns, api.secondary)]
        serials = [(await dig(one, "113.0.203.in-addr.arpa", "SOA"))[0] for one in (api.dns, api.secondary)]
        await anyio.sleep(7.0)
        together = [await ptr(endpoint, IP) for endpoint in (api.dns, api.secondary)]

    assert apart == [NEW, OLD]
    assert [serial.split()[2] for serial in serials] == ["2", "1"]
    assert together == [NEW, NEW]


@pytest.mark.virtual_time
async def test_fault_delays_the_propagation_of_one_address() -> None:
    """A rule says for which addresses DNS is late; the others keep to the setting."""
    late = Fault(action="update_ptr", ip=IP, propagation_s=30.0)
    async with provider(late, dns=DnsSettings(propagation_s=1.0)) as api:
        for ip in (IP, OTHER):
            await write(api, "new.example.net", ip=ip)
        await anyio.sleep(5.0)
        early = [await ptr(api.dns, ip) for ip in (IP, OTHER)]
        await anyio.sleep(30.0)
        finally_there = await ptr(api.dns, IP)
        faults = [entry.fault for entry in api.log.entries()]

    assert early == [OLD, NEW]
    assert finally_there == NEW
    assert faults == ["propagation 30s", None]


async def test_lying_api_changes_nothing_in_dns() -> None:
    """An API that says OK and does nothing is found out by DNS."""
    lie = Fault(action="update_ptr", json={"result": "OK", "message": ""})
    async with provider(lie) as api:
        answer = await write(api, "new.example.net")
        seen = await ptr(api.dns, IP)

    assert (answer, seen) == (TRUTH, OLD)


async def test_write_whose_answer_is_lost_shows_in_dns() -> None:
    """DNS tells that a write happened although its answer did not say so."""
    async with provider(Fault(action="update_ptr", status=502, effect=True)) as api:
        await write(api, "new.example.net")
        seen = await ptr(api.dns, IP)

    assert seen == NEW


async def test_unfinished_write_does_not_show_in_dns() -> None:
    """What a callback still holds back is not in DNS either."""
    async with provider(Fault(action="update_ptr", callback=Finish(checks=1_000))) as api:
        await write(api, "new.example.net")
        seen = await ptr(api.dns, IP)

    assert seen == OLD


@pytest.mark.parametrize(
    ("trouble", "check"),
    [
        pytest.param("servfail", lambda answer: said(answer) == ["SERVFAIL"], id="servfail"),
        pytest.param("refuse", lambda answer: said(answer) == ["REFUSED"], id="refuse"),
        pytest.param("nxdomain", lambda answer: said(answer) == ["NXDOMAIN"], id="nxdomain"),
        pytest.param("empty", lambda answer: said(answer) == ["NOERROR"] and answer.flags & AA, id="empty"),
        pytest.param("wrong", lambda answer: said(answer) == ["wrong.example.net."], id="wrong"),
        pytest.param(
            "lame", lambda answer: str(answer.authority[0].name) == "." and not answer.flags & AA, id="lame"
        ),
        pytest.param("truncate", lambda answer: answer.flags & TC and not answer.answer, id="truncate"),
    ],
)
async def test_fault_spoils_an_answer(trouble: str, check: Callable[[Message], bool]) -> None:
    """Each trouble gives its own wrong answer, once where it says so."""
    fault = Fault(dns=DnsTrouble(trouble), query_type="PTR", ip=IP, times=1)
    async with provider(fault) as api:
        spoiled = await query(api.dns, REVERSE, "PTR")
        again = await ptr(api.dns, IP)
        other = await ptr(api.dns, OTHER)
        logged = [entry.fault for entry in api.log.queries("PTR", IP)]

    assert check(spoiled)
    assert (again, other) == (OLD, ["other.example.net."])
    assert logged == [f"dns {trouble}", None]


async def test_old_server_refuses_edns() -> None:
    """A server from before EDNS answers such queries with FORMERR, and others rightly."""
    async with provider(Fault(dns=DnsTrouble.NO_EDNS)) as api:
        modern = await query(api.dns, REVERSE, "PTR", use_edns=0)
        plain = await query(api.dns, REVERSE, "PTR")

    assert (said(modern), modern.edns) == (["FORMERR"], -1)
    assert said(plain) == OLD


async def test_truncated_answer_is_whole_over_tcp() -> None:
    """Truncation forces a client to TCP, where the answer is right."""
    async with provider(Fault(dns=DnsTrouble.TRUNCATE)) as api:
        cut = await query(api.dns, REVERSE, "PTR")
        whole = await query(api.dns, REVERSE, "PTR", by_tcp=True)

    assert bool(cut.flags & TC)
    assert said(whole) == OLD


@pytest.mark.parametrize(
    ("record_type", "name", "answer"),
    [
        pytest.param("PTR", REVERSE, ["there.example.net."], id="PTR"),
        pytest.param("A", NAME, ["192.0.2.1"], id="A"),
        pytest.param("AAAA", NAME, ["NOERROR"], id="AAAA, of which there is none"),
        pytest.param("SOA", "113.0.203.in-addr.arpa", None, id="SOA is left alone"),
    ],
)
async def test_wrong_values_are_those_of_the_rule(
    record_type: str, name: str, answer: list[str] | None
) -> None:
    """A wrong answer has the values of its type that the rule states."""
    async with provider(Fault(dns=DnsTrouble.WRONG, wrong_names=("there.example.net", "192.0.2.1"))) as api:
        seen = await dig(api.dns, name, record_type)
        faults = [entry.fault for entry in api.log.queries()]

    assert (seen, faults) == ((answer, ["dns wrong"]) if answer else (seen, [None]))


@pytest.mark.parametrize(
    ("fault", "spoiled"),
    [
        pytest.param({"ip": IP}, ["PTR", "A"], id="by address, forward too"),
        pytest.param({"query_type": "A"}, ["A"], id="by type"),
        pytest.param({"query_name": "example.net"}, ["A"], id="by zone"),
        pytest.param({"query_name": "ample.net"}, [], id="not by half a label"),
        pytest.param({"query_name": REVERSE.upper() + "."}, ["PTR"], id="by name"),
        pytest.param({"server": 2}, [], id="by server"),
        pytest.param({"ip": OTHER}, [], id="another address"),
        pytest.param({"attempts": (2,)}, [], id="another attempt"),
    ],
)
async def test_rule_fits_the_queries_it_says(fault: dict[str, object], spoiled: list[str]) -> None:
    """A rule is for a type, a name with all below it, an address, a server, an attempt."""
    rule = Fault(dns=DnsTrouble.SERVFAIL, **fault)  # type: ignore[arg-type]  # a table of different fields
    async with provider(rule) as api:
        await query(api.dns, REVERSE, "PTR")
        await query(api.dns, NAME, "A")
        found = [entry.type for entry in api.log.queries() if entry.fault]

    assert found == spoiled


async def test_rules_for_calls_and_for_queries_do_not_mix() -> None:
    """A rule for all calls leaves DNS alone, and one for all queries leaves the API alone."""
    async with provider(Fault(dns=DnsTrouble.REFUSE), Fault(status=503)) as api:
        seen = await ptr(api.dns, IP)
        answer = await write(api, "new.example.net")

    assert seen == ["REFUSED"]
    assert "503" in answer


@pytest.mark.virtual_time
async def test_silence_and_late_answers_hold_up_nobody() -> None:
    """While one query is met with silence and another with patience, the next is answered."""
    silence = Fault(dns=DnsTrouble.TIMEOUT, query_type="A")
    late = Fault(dns=DnsTrouble.LATE, query_type="AAAA", delay_s=2.0)
    heard: dict[str, float] = {}

    async def ask(record_type: str) -> None:
        with anyio.move_on_after(4):
            await query(api.dns, NAME, record_type)
            heard[record_type] = anyio.current_time() - begin

    async with provider(silence, late) as api:
        begin = anyio.current_time()
        async with anyio.create_task_group() as tasks:
            for record_type in ("A", "AAAA", "TXT"):
                tasks.start_soon(ask, record_type)
        rcodes = [entry.rcode for entry in api.log.queries()]

    assert sorted(heard) == ["AAAA", "TXT"]
    assert heard["TXT"] < 1
    assert 2 <= heard["AAAA"] < 3
    assert rcodes == [None, "NOERROR", "NOERROR"]


async def test_garbage_comes_back_under_the_right_id() -> None:
    """Garbage has the header of an answer, so that a client has to look inside."""
    async with provider(Fault(dns=DnsTrouble.GARBAGE)) as api:
        host, _, port = api.dns.rpartition(":")
        async with await anyio.create_connected_udp_socket(host, int(port)) as client:
            await client.send(b"id\1\0\0\1\0\0\0\0\0\0\0\0\2\0\1")
            answer = await client.receive()

    assert answer[:4] == b"id\x81\0"
    assert b"no DNS" in answer


def test_fault_file_speaks_of_dns(tmp_path: Path) -> None:
    """A fault file has rules for DNS queries, and for how late DNS shows a write."""
    rules = (
        "{action: update_ptr, propagation: 30s}",
        "{dns: servfail, type: PTR, ip: 203.0.113.0/28, attempt: 1-2}",
        "{dns: wrong, name: example.net, names: [a.example.org, 192.0.2.1], server: 2}",
        "{dns: late, delay: 2s}",
    )
    path = tmp_path / "faults.yaml"
    path.write_text("version: 1\nfaults:\n" + "".join(f"  - {rule}\n" for rule in rules))

    assert read_faults(path) == (
        Fault(action="update_ptr", propagation_s=30.0),
        Fault(dns=DnsTrouble.SERVFAIL, query_type="PTR", ip="203.0.113.0/28", attempts=(1, 2)),
        Fault(
            dns=DnsTrouble.WRONG,
            query_name="example.net",
            wrong_names=("a.example.org", "192.0.2.1"),
            server=2,
        ),
        Fault(dns=DnsTrouble.LATE, delay_s=2.0),
    )


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        pytest.param("{dns: sevfail}", "dns: no DNS trouble is called `sevfail`; did you mean", id="trouble"),
        pytest.param(
            "{dns: refuse, status: 503}", "dns: a rule for DNS queries has no say in status", id="call"
        ),
        pytest.param("{dns: refuse, action: get_ip}", "has no say in action", id="action"),
        pytest.param(
            "{type: PTR, status: 503}", "type: is about DNS queries; add `dns: servfail`", id="type"
        ),
        pytest.param("{dns: refuse, type: MX}", "type: `MX` is not known here", id="unknown type"),
        pytest.param("{dns: refuse, server: 3}", "server: `3` is no server", id="server"),
        pytest.param("{dns: refuse, names: [a]}", "names: are what a wrong answer says", id="names"),
        pytest.param("{dns: wrong, type: SOA}", "type: `SOA` has no wrong names", id="wrong SOA"),
        pytest.param("{dns: late}", "delay: says how late", id="late"),
        pytest.param(
            "{action: get_ptr, propagation: 3s}", "propagation: `get_ptr` writes nothing", id="a read"
        ),
        pytest.param("{propagation: 3s, status: 503}", "propagation: without an effect", id="no effect"),
        pytest.param("{action: update_ptr, propagation: 25h}", "propagation: `90000s` is out of", id="range"),
    ],
)
def test_rule_about_dns_that_makes_no_sense_is_refused(tmp_path: Path, rule: str, message: str) -> None:
    """A mistake in a rule about DNS has its place, its value and the way out."""
    path = tmp_path / "faults.yaml"
    path.write_text(f"version: 1\nfaults:\n  - {rule}\n")

    with pytest.raises(JobError) as raised:
        read_faults(path)

    assert any(message in problem.message for problem in raised.value.problems), raised.value.problems


def test_rule_of_the_library_is_checked_likewise() -> None:
    """A rule that a program makes is checked as one of a file is."""
    with pytest.raises(FaultError, match="no say in hang_s"):
        Fault(dns=DnsTrouble.TIMEOUT, hang_s=3.0)

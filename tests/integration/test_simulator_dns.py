"""What the provider's own name servers answer; asked over real sockets."""

import json
import re
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import closing
from io import StringIO

import anyio
import pytest
from click.testing import CliRunner
from dns.flags import AA, TC
from dns.message import make_query
from dns.rcode import FORMERR, NOTIMP, REFUSED

from bulkip.cli.simulate import parse_forward, simulate
from bulkip.errors import UsageError
from bulkip.policy import VerifyMode
from bulkip.resolver import Resolver
from bulkip.simulator import DnsSettings, EmbeddedSimulator, Seed, Simulator, SimulatorSettings
from tests.dnsclient import dig, ptr, query, said
from tests.program import ROOT, clean_environment

pytestmark = pytest.mark.anyio

IP, SEVERAL, BARE, V6 = "203.0.113.7", "203.0.113.8", "203.0.113.9", "2001:db8::7"
SEEDS = (
    Seed(IP, 4711, "NL", "mail.example.net"),
    Seed(SEVERAL, 4711, "NL", "b.example.net\na.example.net"),
    Seed(BARE, 4711, "NL", "", forward=("planned.example.org",)),
    Seed(V6, 4711, "NL", "mail.example.net"),
)
FORWARD = {"elsewhere.example.net": ("192.0.2.9", "2001:db8::9"), "gone.example.net": ()}
ZONE = "113.0.203.in-addr.arpa"
ZONE_V6 = "0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa"


@pytest.fixture
async def api() -> AsyncIterator[Simulator]:
    """Serve an account of four addresses, and its DNS."""
    async with Simulator(SEEDS, SimulatorSettings(dns=DnsSettings(forward=FORWARD))) as simulator:
        yield simulator


def rename(api: Simulator, ip: str, *names: str, at: float = 0.0) -> None:
    """Give an address other PTR names, as update_ptr does."""
    api.state.set_ptr(ip, 4711, names, at)


@pytest.mark.parametrize(
    ("ip", "answer"),
    [
        pytest.param(IP, ["mail.example.net."], id="a name"),
        pytest.param(SEVERAL, ["a.example.net.", "b.example.net."], id="several names"),
        pytest.param(BARE, ["NXDOMAIN"], id="an address without a name"),
        pytest.param(V6, ["mail.example.net."], id="IPv6"),
        pytest.param("192.0.2.5", ["NXDOMAIN"], id="a free address"),
        pytest.param("198.51.100.1", ["NXDOMAIN"], id="an address of somebody else"),
    ],
)
async def test_reverse_name_is_answered_from_the_state(api: Simulator, ip: str, answer: list[str]) -> None:
    """The PTR records of an address are what the API knows of it."""
    assert await ptr(api.dns, ip) == answer


async def test_change_is_seen_at_once(api: Simulator) -> None:
    """Without propagation DNS shows what was written a moment ago, or that nothing is there any more."""
    rename(api, IP, "new.example.net")
    rename(api, SEVERAL)

    assert await ptr(api.dns, IP) == ["new.example.net."]
    assert await ptr(api.dns, SEVERAL) == ["NXDOMAIN"]


@pytest.mark.parametrize(
    ("name", "record_type", "answer"),
    [
        pytest.param("mail.example.net", "A", [IP], id="PTR of an IPv4 address"),
        pytest.param("mail.example.net", "AAAA", [V6], id="PTR of an IPv6 address"),
        pytest.param("MAIL.Example.NET", "A", [IP], id="in another case"),
        pytest.param("a.example.net", "AAAA", ["NOERROR"], id="no such record"),
        pytest.param("planned.example.org", "A", [BARE], id="a name that is only planned"),
        pytest.param("elsewhere.example.net", "A", ["192.0.2.9"], id="stated, A"),
        pytest.param("elsewhere.example.net", "AAAA", ["2001:db8::9"], id="stated, AAAA"),
        pytest.param("gone.example.net", "A", ["NXDOMAIN"], id="stated to lead nowhere"),
        pytest.param("unknown.example.net", "A", ["NXDOMAIN"], id="unknown"),
        pytest.param("mail.example.net", "TXT", ["NOERROR"], id="a type that nobody has"),
        pytest.param("x.mail.example.net", "A", ["NXDOMAIN"], id="below a name"),
    ],
)
async def test_name_leads_back_to_its_addresses(
    api: Simulator, name: str, record_type: str, answer: list[str]
) -> None:
    """A name that is a PTR leads to the addresses that have it, unless the settings say where it leads."""
    assert await dig(api.dns, name, record_type) == answer


async def test_new_name_leads_to_its_address_and_the_old_one_still_does(api: Simulator) -> None:
    """A name resolves from the moment it is given, and goes on to do so."""
    rename(api, IP, "new.example.net")

    assert await dig(api.dns, "new.example.net") == [IP]
    assert await dig(api.dns, "mail.example.net") == [IP]


async def test_stated_name_stays_where_it_is(api: Simulator) -> None:
    """A PTR does not change where a name leads that the settings speak of, so it fails to lead back."""
    rename(api, IP, "elsewhere.example.net", "gone.example.net")

    assert await dig(api.dns, "elsewhere.example.net") == ["192.0.2.9"]
    assert await dig(api.dns, "gone.example.net") == ["NXDOMAIN"]


@pytest.mark.parametrize("name", ["two..dots.example", "x" * 64 + ".example", "a" * 300, "bad\\"])
async def test_name_that_dns_cannot_hold_is_not_published(api: Simulator, name: str) -> None:
    """What the API accepted and DNS cannot hold is left out; the other names stand."""
    rename(api, IP, name, "good.example.net")

    assert await ptr(api.dns, IP) == ["good.example.net."]


@pytest.mark.parametrize(
    "name",
    [
        *("arpa", "in-addr.arpa", "203.in-addr.arpa", "0.203.in-addr.arpa", ZONE),
        *("ip6.arpa", "0.0.2.ip6.arpa", ZONE_V6, f"0.0.0.{ZONE_V6}", f"7.{'0.' * 15}{ZONE_V6}"),
        *("net", "example.net", "org", "simulator.example"),
    ],
)
async def test_walk_from_the_top_finds_every_name_on_its_way(api: Simulator, name: str) -> None:
    """A name with others below it exists, so that nobody stops there (RFC 8020)."""
    answer = await query(api.dns, name, "TXT")

    assert said(answer) == ["NOERROR"]
    assert answer.flags & AA


@pytest.mark.parametrize(
    ("name", "zone"),
    [
        pytest.param(f"7.{ZONE}", f"{ZONE}.", id="an address"),
        pytest.param(f"9.{ZONE}", f"{ZONE}.", id="an address without a name"),
        pytest.param(f"0.0.{ZONE_V6}", f"{ZONE_V6}.", id="IPv6"),
        pytest.param("1.100.51.198.in-addr.arpa", ".", id="an address of somebody else"),
        pytest.param("mail.example.net", ".", id="a name"),
    ],
)
async def test_soa_query_finds_the_zone(api: Simulator, name: str, zone: str) -> None:
    """The question for a SOA record below a zone tells the zone."""
    answer = await query(api.dns, name, "SOA")

    assert [str(rrset.name) for rrset in answer.authority] == [zone]


@pytest.mark.parametrize("zone", [".", ZONE, ZONE_V6])
async def test_zone_names_its_server_with_its_address(api: Simulator, zone: str) -> None:
    """A zone's NS records lead to the server that was asked, with glue and without."""
    answer = await query(api.dns, zone, "NS")

    assert said(answer) == ["ns1.simulator.example."]
    assert [str(value) for rrset in answer.additional for value in rrset] == ["127.0.0.1"]
    assert await dig(api.dns, "ns1.simulator.example") == ["127.0.0.1"]


async def test_serial_grows_with_each_change(api: Simulator) -> None:
    """A zone whose PTR changed has a higher serial number."""
    serials = [said(await query(api.dns, ZONE, "SOA"))[0].split()[2]]
    rename(api, IP, "new.example.net")
    serials.append(said(await query(api.dns, ZONE, "SOA"))[0].split()[2])

    assert serials == ["1", "2"]


async def test_answer_that_is_too_long_goes_over_tcp(api: Simulator) -> None:
    """What does not fit into a datagram is cut there and whole over TCP."""
    rename(api, IP, *(f"name-{number}.example.net" for number in range(200)))

    cut = await query(api.dns, f"7.{ZONE}", "PTR")
    whole = await query(api.dns, f"7.{ZONE}", "PTR", by_tcp=True)

    assert (bool(cut.flags & TC), len(cut.answer)) == (True, 0)
    assert (bool(whole.flags & TC), len(said(whole))) == (False, 200)


async def test_answer_that_is_too_long_for_tcp_fails(api: Simulator) -> None:
    """More names than a message holds are a server's failure, not an endless wait."""
    rename(api, IP, *(f"{'long-label-' * 5}{number}.example.net" for number in range(2000)))

    assert said(await query(api.dns, f"7.{ZONE}", "PTR", by_tcp=True)) == ["SERVFAIL"]


def pointer_query() -> bytes:
    """Return a right query."""
    return make_query(f"7.{ZONE}", "PTR").to_wire()


@pytest.mark.parametrize(
    ("packet", "code"),
    [
        pytest.param(b"?", None, id="a byte"),
        pytest.param(pointer_query()[:11], None, id="shorter than a header"),
        pytest.param(pointer_query()[:2] + b"\x84\x00" + pointer_query()[4:], None, id="an answer"),
        pytest.param(pointer_query()[:20], FORMERR, id="cut"),
        pytest.param(pointer_query() + b"junk", FORMERR, id="junk behind it"),
        pytest.param(
            pointer_query()[:12] + b"\xc0\x0c\0\x0c\0\x01", FORMERR, id="name that points at itself"
        ),
        pytest.param(pointer_query()[:5] + b"\0" + pointer_query()[6:12], FORMERR, id="no question"),
        pytest.param(
            pointer_query()[:5] + b"\2" + pointer_query()[6:] + pointer_query()[12:], FORMERR, id="two"
        ),
        pytest.param(b"\0\1\x28\0" + bytes(8), NOTIMP, id="an update"),
        pytest.param(pointer_query()[:-1] + b"\3", REFUSED, id="class CH"),
        pytest.param(make_query(ZONE, "AXFR").to_wire(), REFUSED, id="zone transfer"),
    ],
)
async def test_malformed_packet_is_met_calmly(api: Simulator, packet: bytes, code: int | None) -> None:
    """What is no query gets a code or silence, is logged, and the next query is answered."""
    host, _, port = api.dns.rpartition(":")
    async with await anyio.create_connected_udp_socket(host, int(port)) as client:
        await client.send(packet)
        await client.send(pointer_query())
        replies = [await client.receive()]
        if code is not None:
            replies.append(await client.receive())

    assert [reply[3] & 15 for reply in replies] == [*([] if code is None else [code]), 0]
    assert len(api.log.queries()) == 2


async def test_connection_carries_several_queries_in_pieces(api: Simulator) -> None:
    """Queries over one TCP connection are answered in order, however they are cut up."""
    host, _, port = api.dns.rpartition(":")
    frame = len(pointer_query()).to_bytes(2) + pointer_query()
    async with await anyio.connect_tcp(host, int(port)) as client:
        for piece in (frame[:1], frame[1:9], frame[9:] + b"\0\0" + frame[:5], frame[5:]):
            await client.send(piece)
        received = b""
        while received.count(b"\4mail\7example") < 2:
            received += await client.receive()
    async with await anyio.connect_tcp(host, int(port)) as client:
        await client.send(b"\xff\xffnot so long")

    assert await ptr(api.dns, IP) == ["mail.example.net."]


async def test_newer_edns_is_refused_with_the_version_that_is_known(api: Simulator) -> None:
    """A query with an EDNS version of the future gets BADVERS and version 0."""
    answer = await query(api.dns, f"7.{ZONE}", "PTR", use_edns=1)

    assert (said(answer), answer.edns) == (["BADVERS"], 0)


async def test_queries_are_logged_beside_the_requests() -> None:
    """A query is logged with who was asked for what, and is no request of the API."""
    lines = StringIO()
    settings = SimulatorSettings(dns=DnsSettings(), log=lines)
    async with Simulator(SEEDS, settings, clock=lambda: 5.0, wall=lambda: 0.0) as api:
        await ptr(api.dns, IP)
        entry = api.log.queries("PTR", IP)[0]

        assert (api.log.total, api.log.entries(), api.log.queried) == (0, [], 1)
    assert json.loads(lines.getvalue()) == {
        "kind": "query",
        "seq": 1,
        "at": 5.0,
        "wall": "1970-01-01T00:00:00.000+00:00",
        "server": 1,
        "transport": "udp",
        "name": f"7.{ZONE}",
        "type": "PTR",
        "ip": IP,
        "rcode": "NOERROR",
        "answers": ["mail.example.net"],
        "fault": None,
    }
    assert entry.name == f"7.{ZONE}"


async def test_second_server_stands_on_the_next_address() -> None:
    """Two servers share a port, know the same, and both stand in the zone."""
    async with Simulator(SEEDS, SimulatorSettings(dns=DnsSettings(secondary_lag_s=0.0))) as api:
        answers = [await ptr(endpoint, IP) for endpoint in (api.dns, api.secondary)]
        servers = await dig(api.dns, ZONE, "NS")
        seen = [entry.server for entry in api.log.queries()]

    assert answers == [["mail.example.net."]] * 2
    assert servers == ["ns1.simulator.example.", "ns2.simulator.example."]
    assert seen == [1, 2, 1]
    assert [endpoint.rpartition(":")[0] for endpoint in (api.dns, api.secondary)] == [
        "127.0.0.1",
        "127.0.0.2",
    ]


async def test_simulator_without_dns_has_none(api: Simulator) -> None:
    """Nobody answers DNS who was not asked for it."""
    async with Simulator(SEEDS) as silent:
        assert (silent.dns, silent.secondary, api.secondary) == ("", "", "")


def test_simulator_without_dns_does_not_load_it() -> None:
    """A simulation without DNS pays nothing for it, not even an import."""
    probe = (
        "import sys; from bulkip.simulator import EmbeddedSimulator\n"
        "with EmbeddedSimulator(): print([name for name in sys.modules if name.split('.')[0] == 'dns'])"
    )

    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, timeout=60, check=True, cwd=ROOT
    )

    assert done.stdout.strip() == "[]"


def test_embedded_simulator_answers_from_its_own_thread() -> None:
    """DNS of an embedded simulator answers while the caller's thread is busy with something else."""
    with EmbeddedSimulator(SEEDS, SimulatorSettings(dns=DnsSettings())) as api:
        host, _, port = api.dns.rpartition(":")
        with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as client:
            client.settimeout(5)
            client.sendto(pointer_query(), (host, int(port)))
            answer = client.recv(1500)

    assert b"\4mail\7example\3net" in answer


async def test_taken_port_is_a_usage_error(api: Simulator) -> None:
    """A port that is in use is named, with the way out, and nothing stays open."""
    port = int(api.dns.rpartition(":")[2])

    with pytest.raises(UsageError, match=f"127.0.0.1:{port}: cannot listen there: .*; choose another --dns"):
        async with Simulator(SEEDS, SimulatorSettings(dns=DnsSettings(port=port))):
            pass


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        pytest.param({"host": "192.0.2.1"}, "--dns `192.0.2.1`: .* loopback only", id="another machine"),
        pytest.param({"propagation_s": -1.0}, "--propagation -1s: is out of range", id="propagation"),
        pytest.param({"secondary_lag_s": 1e9}, "--secondary-lag .*s: is out of range", id="lag"),
        pytest.param({"host": "::1", "secondary_lag_s": 1.0}, "one address like ::1", id="second of ::1"),
        pytest.param(
            {"forward": {"a b.example": ()}}, "--forward: 'a b.example' has white space", id="no name"
        ),
        pytest.param({"forward": {"a.example": ("1.2.3",)}}, "--forward a.example: `1.2.3`", id="no address"),
    ],
)
def test_dns_that_makes_no_sense_is_refused(settings: dict[str, object], message: str) -> None:
    """Settings that could not be served are refused when they are made."""
    with pytest.raises(UsageError, match=message):
        DnsSettings(**settings)  # type: ignore[arg-type]  # a table of different fields


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param(["--propagation", "3s"], "--propagation: is about DNS", id="propagation"),
        pytest.param(["--secondary-lag", "3s"], "--secondary-lag: is about DNS", id="lag"),
        pytest.param(["--forward", "a.example.net="], "--forward: is about DNS", id="forward"),
        pytest.param(["--dns", "127.0.0.1"], "--dns `127.0.0.1`: is no ADDRESS:PORT", id="no port"),
        pytest.param(["--dns", "192.0.2.1:53"], "--dns `192.0.2.1`: .* loopback only", id="another machine"),
        pytest.param(["--dns", "127.0.0.1:65536"], "is no ADDRESS:PORT", id="no such port"),
        pytest.param(["--dns", "127.0.0.1:0", "--forward", "a.example.net=1.2"], "`1.2` is no", id="address"),
    ],
)
def test_dns_options_that_make_no_sense_are_refused(options: list[str], message: str) -> None:
    """An option that would be without effect, or cannot be served, is an error that says what to write."""
    result = CliRunner().invoke(simulate, ["--port", "0", *options])

    assert isinstance(result.exception, UsageError)
    assert re.search(message, str(result.exception))


@pytest.mark.parametrize("text", ["a.example.net", ""])
def test_forward_needs_an_equals_sign(text: str) -> None:
    """A name alone does not say whether it leads somewhere."""
    with pytest.raises(ValueError, match=f"write {text}=203.0.113.7, or {text}= for nowhere"):
        parse_forward(text)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_command_prints_where_dns_is_answered(host: str) -> None:
    """`bulkip simulate --dns` says where, right after where it listens, and does it."""
    shown = f"[{host}]" if ":" in host else host
    options = ("--port", "0", "--dns", f"{shown}:0", "--forward", "a.example.net=192.0.2.9")
    with subprocess.Popen(
        [sys.executable, "-m", "bulkip", "simulate", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=ROOT,
        env=clean_environment(),
    ) as process:
        try:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(2)]
            endpoint = lines[1].removeprefix("answering DNS on ").strip()
            answer = anyio.run(dig, endpoint, "a.example.net")
        finally:
            process.terminate()

    assert lines[0].startswith("listening on http://127.0.0.1:")
    assert endpoint.startswith(f"{shown}:")
    assert answer == ["192.0.2.9"]


@pytest.mark.virtual_time
async def test_idle_connections_are_ended() -> None:
    """A connection that says nothing for ten seconds is closed, so that nobody can use them up."""
    async with Simulator(SEEDS, SimulatorSettings(dns=DnsSettings()), anyio.current_time) as api:
        host, _, port = api.dns.rpartition(":")
        async with await anyio.connect_tcp(host, int(port)) as client:
            begin = anyio.current_time()
            with pytest.raises(anyio.EndOfStream):
                await client.receive()
            waited_s = anyio.current_time() - begin

    assert 10 <= waited_s < 11


@pytest.mark.parametrize("mode", [VerifyMode.DNS, VerifyMode.FCRDNS])
@pytest.mark.parametrize("ip", [IP, V6])
async def test_resolver_proves_what_the_simulator_shows(mode: VerifyMode, ip: str) -> None:
    """The program's own resolver finds the zone's servers from this one, and all of them hold the proof."""
    async with Simulator(SEEDS, SimulatorSettings(dns=DnsSettings(secondary_lag_s=0.0))) as api:
        port = int(api.dns.rpartition(":")[2])
        async with Resolver(start=(api.dns,), port=port) as resolver:
            right = await resolver.proof(mode, ip, ["mail.example.net"])
            wrong = await resolver.proof(mode, ip, ["other.example.net"])

    assert (right.holds, wrong.holds) == (True, False)

"""What is made of a reply, honest or hostile, and of the servers of a zone."""

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkip.proof import Absent, Finding, Found, Shown, Trouble
from bulkip.resolver.exchange import reply_in
from bulkip.resolver.findings import findings_of
from bulkip.resolver.replies import (
    Reading,
    addresses_in,
    apex_in,
    read_direct,
    read_recursive,
    referral,
    servers_in,
)
from bulkip.resolver.servers import NO_ROUTE, Cut, Server, Zone, parse_server
from tests.scriptednameserver import Question, reply_to

OWNER, APEX = "7.113.0.203.in-addr.arpa.", "113.0.203.in-addr.arpa."
NAME, ZONE = dns.name.from_text(OWNER), dns.name.from_text(APEX)
QUERY = dns.message.make_query(OWNER, "PTR")
RECORDS = (
    f"{OWNER} PTR mail.example.net.",
    f"{OWNER} CNAME 7.0-15.{APEX}",
    f"{OWNER} CNAME {OWNER}",
    f"{OWNER} A 203.0.113.7",
    f"{OWNER} SOA ns.example. a.example. 1 1 1 1 1",
    f"{OWNER} NS ns.example.",
    f"{APEX} DNAME example.",
    f"{APEX} NS ns.{APEX}",
    f"{APEX} SOA ns.example. a.example. 1 1 1 1 1",
    f"ns.{APEX} AAAA ::1",
    "in-addr.arpa. NS up.example.",
    ". SOA ns.example. a.example. 1 1 1 1 1",
    ". DNAME in-addr.arpa.",
    "example. PTR other.example.",
)
RCODES = (dns.rcode.NOERROR, dns.rcode.NXDOMAIN, dns.rcode.SERVFAIL, dns.rcode.REFUSED)
FLAGS = (dns.flags.Flag(0), dns.flags.AA, dns.flags.RA, dns.flags.AA | dns.flags.RA, dns.flags.TC)
SECTIONS = st.lists(st.sampled_from(RECORDS), max_size=4)
WIRES = st.builds(
    lambda answer, authority, additional, rcode, flags: reply_to(
        Question(QUERY), answer=answer, authority=authority, additional=additional, rcode=rcode, flags=flags
    ).to_wire(),
    SECTIONS,
    SECTIONS,
    SECTIONS,
    st.sampled_from(RCODES),
    st.sampled_from(FLAGS),
)


@st.composite
def spoilt(draw: st.DrawFn) -> bytes:
    """Draw a reply of which a few bytes are wrong, or the end is missing or odd."""
    wire = bytearray(draw(WIRES))
    for place in draw(st.lists(st.integers(2, len(wire) - 1), max_size=6)):
        wire[place] = draw(st.integers(0, 255))
    return bytes(wire[: draw(st.integers(2, len(wire)))]) + draw(st.binary(max_size=8))


def read_every_way(wire: bytes) -> list[object]:
    """Read a datagram in all the ways that replies are read."""
    reply = reply_in(wire, QUERY)
    if reply is None:
        return []
    return [
        read_direct(reply, NAME, dns.rdatatype.PTR, ZONE),
        read_direct(reply, NAME, dns.rdatatype.A, ZONE),
        read_recursive(reply, NAME),
        referral(reply, NAME, ZONE),
        apex_in(reply, NAME),
        servers_in(reply, ZONE),
        addresses_in(reply),
    ]


@given(wire=WIRES)
def test_any_mixture_of_records_is_read(wire: bytes) -> None:
    """A reply that no honest server sends is read as something, and never breaks the reader."""
    direct, *_ = read_every_way(wire)

    assert isinstance(direct, Found | Absent | Trouble | Cut | dns.name.Name)


@given(wire=spoilt())
def test_spoilt_reply_breaks_nothing(wire: bytes) -> None:
    """Whatever the bytes say, no error comes out of reading them."""
    read_every_way(wire)


@given(noise=st.binary(max_size=600))
def test_noise_breaks_nothing(noise: bytes) -> None:
    """Noise with the right number is read as no reply, or as something."""
    read_every_way(QUERY.id.to_bytes(2, "big") + noise)


@pytest.mark.parametrize(
    ("authority", "apex"),
    [
        pytest.param(f"{APEX} NS ns.example.", None, id="same-zone"),
        pytest.param("in-addr.arpa. NS ns.example.", None, id="upward"),
        pytest.param("8.113.0.203.in-addr.arpa. NS ns.example.", None, id="sideways"),
        pytest.param(f"{OWNER} NS ns.example.", OWNER, id="downward"),
    ],
)
def test_only_a_way_down_is_followed(authority: str, apex: str | None) -> None:
    """A server cannot send us up, aside, or back to its own zone, so every walk has an end."""
    wire = reply_to(Question(QUERY), authority=[authority], flags=dns.flags.Flag(0)).to_wire()
    reply = reply_in(wire, QUERY)
    assert reply is not None

    cut = referral(reply, NAME, ZONE)

    assert (cut.apex.to_text() if cut else None) == apex


def test_addresses_of_servers_elsewhere_are_not_believed() -> None:
    """A zone may give addresses of servers below itself; those of others are looked up."""
    wire = reply_to(
        Question(QUERY),
        authority=[f"{OWNER} NS ns.{APEX}", f"{OWNER} NS ns.bank.example."],
        additional=[f"ns.{APEX} A 127.0.0.1", "ns.bank.example. A 127.0.0.66"],
        flags=dns.flags.Flag(0),
    ).to_wire()
    reply = reply_in(wire, QUERY)
    assert reply is not None

    cut = referral(reply, NAME, ZONE)

    assert cut is not None
    assert dict(cut.glue) == {dns.name.from_text(f"ns.{APEX}"): ("127.0.0.1",)}


V4, V6, OTHER = (
    Server("192.0.2.1", name="ns1"),
    Server("2001:db8::1", name="ns1"),
    Server("192.0.2.2", name="ns2"),
)
MAIL = Found(("mail.example.net",))
NO_ROUTE_TO_V6 = Finding("ns1 (2001:db8::1)", NO_ROUTE)


@pytest.mark.parametrize(
    ("servers", "read", "findings"),
    [
        pytest.param([V4, V6], [MAIL, NO_ROUTE], [Finding("ns1 (192.0.2.1)", MAIL)], id="no-ipv6-here"),
        pytest.param([V6], [NO_ROUTE], [NO_ROUTE_TO_V6], id="server-has-ipv6-only"),
        pytest.param(
            [OTHER, V6],
            [MAIL, NO_ROUTE],
            [Finding("ns2 (192.0.2.2)", MAIL), NO_ROUTE_TO_V6],
            id="another-server",
        ),
        pytest.param(
            [V4, OTHER], [NAME, MAIL], [Finding("ns2 (192.0.2.2)", MAIL)], id="sent-on-says-nothing"
        ),
    ],
)
def test_address_without_route_counts_when_there_is_no_other(
    servers: list[Server], read: list[Reading], findings: list[Finding]
) -> None:
    """A machine without IPv6 hears of it only where a server has nothing else."""
    assert list(findings_of(Zone(ZONE, tuple(servers)), read)) == findings


@pytest.mark.parametrize(
    ("zone", "server", "shown"),
    [
        pytest.param(
            Zone(ZONE, (), homeless=(dns.name.from_text("NS.example."),)),
            "ns.example",
            Trouble("no address of it was found"),
            id="homeless",
        ),
        pytest.param(
            Zone(ZONE, ()), f"zone {APEX[:-1]}", Trouble("no name server of this zone was found"), id="nobody"
        ),
        pytest.param(
            Zone(ZONE, (), homeless=(), is_orphan=True),
            f"zone above {APEX[:-1]}",
            Absent("it does not delegate this zone"),
            id="orphan",
        ),
    ],
)
def test_fault_of_a_zone_is_told(zone: Zone, server: str, shown: Shown) -> None:
    """What keeps the world from asking a zone is told beside what its servers say."""
    assert Finding(server, shown) in list(findings_of(zone, []))


@pytest.mark.parametrize(
    ("text", "server", "shown"),
    [
        pytest.param("192.0.2.53:53", Server("192.0.2.53", 53), "192.0.2.53:53", id="v4"),
        pytest.param("192.0.2.53:5353", Server("192.0.2.53", 5353), "192.0.2.53:5353", id="v4-port"),
        pytest.param("192.0.2.53", Server("192.0.2.53", 53), "192.0.2.53:53", id="v4-bare"),
        pytest.param(
            "[2001:db8::53]:5353", Server("2001:db8::53", 5353), "[2001:db8::53]:5353", id="v6-port"
        ),
        pytest.param("[2001:db8::53]", Server("2001:db8::53", 53), "[2001:db8::53]:53", id="v6-bracketed"),
        pytest.param("2001:db8::53", Server("2001:db8::53", 53), "[2001:db8::53]:53", id="v6-bare"),
    ],
)
def test_server_is_read_and_shown_as_a_job_writes_it(text: str, server: Server, shown: str) -> None:
    """Addresses with ports are written as in a URL."""
    parsed = parse_server(text)

    assert (parsed, str(parsed)) == (server, shown)

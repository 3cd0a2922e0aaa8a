"""When name servers hear of changes, how packets are read, and where a fed server keeps an address."""

import pytest
from dns.message import Message, make_query
from dns.name import from_text
from hypothesis import given
from hypothesis import strategies as st

from bulkip.simulator.nameserver.feedzones import place_of
from bulkip.simulator.nameserver.forward import ForwardNames
from bulkip.simulator.nameserver.packets import Unreadable, read_query
from bulkip.simulator.nameserver.propagation import Propagation
from bulkip.simulator.state import Effect

IP = "203.0.113.7"
ZONES = (
    "0.203.in-addr.arpa",
    "113.0.203.in-addr.arpa",
    "16-31.113.0.203.in-addr.arpa",
    "8/29.113.0.203.in-addr.arpa",
)
WIRE = make_query("7.113.0.203.in-addr.arpa", "PTR", use_edns=0).to_wire()


def change(number: int, at: float, ip: str = IP, propagation_s: float | None = None) -> Effect:
    """Return the change of an address from one numbered name to the next."""
    return Effect(at, "update_ptr", ip, 4711, (str(number),), (str(number + 1),), propagation_s)


def test_change_that_was_made_later_does_not_overtake() -> None:
    """A change that a fault made slow holds up the next one of its address, and no other address."""
    propagation = Propagation(1.0)
    for effect in (change(0, 0.0, propagation_s=30.0), change(1, 1.0), change(0, 1.0, "203.0.113.8")):
        propagation.note(effect)

    assert propagation.shown(IP, 29.0) == ("0",)
    assert propagation.shown("203.0.113.8", 29.0) is None
    assert propagation.shown(IP, 30.0) is None


def test_changes_that_arrived_are_forgotten() -> None:
    """A million changes that nobody asks about do not pile up."""
    propagation = Propagation(5.0)

    for second in range(1000):
        propagation.hear(change(second, float(second), f"10.0.{second % 4}.{second % 251}"))

    assert len(propagation) <= 5


def test_serial_counts_what_has_arrived() -> None:
    """The serial number of a server tells how many changes it has heard of."""
    propagation = Propagation(1.0, behind_s=10.0)
    for number in range(3):
        propagation.note(change(number, float(number)))

    assert [propagation.serial(now) for now in (10.9, 11.0, 12.5, 99.0)] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        pytest.param("Mail.Example.net", "mail.example.net", id="case"),
        pytest.param("mail.example.net.", "mail.example.net", id="final dot"),
        pytest.param("_x-1.example", "_x-1.example", id="underscore"),
        pytest.param("a b.example", "a\\032b.example", id="blank"),
        pytest.param("bücher.example", "xn--bcher-kva.example", id="IDN"),
        pytest.param("x" * 63 + ".example", "x" * 63 + ".example", id="longest label"),
        pytest.param("x" * 64 + ".example", None, id="label too long"),
        pytest.param(".".join(["x" * 49] * 5) + ".xyz", ".".join(["x" * 49] * 5) + ".xyz", id="longest name"),
        pytest.param(".".join(["x" * 49] * 5) + ".wxyz", None, id="name too long"),
        pytest.param("a..example", None, id="empty label"),
    ],
)
def test_name_is_found_however_it_was_written(text: str, name: str | None) -> None:
    """A name leads to its address in every spelling; what DNS cannot hold leads nowhere and hurts nobody."""
    forward = ForwardNames({})
    forward.add([(IP, [text])])
    found = forward.addresses(from_text(name)) if name else forward.addresses(from_text("a.example"))
    forward.close()

    assert found == ((IP,) if name else ())


def test_only_ptr_changes_are_propagated() -> None:
    """set_main changes nothing in DNS."""
    propagation = Propagation(1.0)

    propagation.note(Effect(0.0, "set_main", IP, 4711, (), (IP,)))

    assert propagation.next_at() is None


@pytest.mark.parametrize(
    ("ip", "zones", "zone", "owner"),
    [
        pytest.param(IP, ZONES, "113.0.203.in-addr.arpa", "7.113.0.203.in-addr.arpa", id="longest suffix"),
        pytest.param("203.0.114.7", ZONES, "0.203.in-addr.arpa", "7.114.0.203.in-addr.arpa", id="shorter"),
        pytest.param("203.0.113.16", ZONES, ZONES[2], f"16.{ZONES[2]}", id="first of a range"),
        pytest.param("203.0.113.31", ZONES, ZONES[2], f"31.{ZONES[2]}", id="last of a range"),
        pytest.param("203.0.113.32", ZONES, ZONES[1], "32.113.0.203.in-addr.arpa", id="behind a range"),
        pytest.param("203.0.113.15", ZONES, ZONES[3], f"15.{ZONES[3]}", id="last of a network"),
        pytest.param(IP, ["0-x.113.0.203.in-addr.arpa"], None, None, id="a child of another kind"),
        pytest.param("198.51.100.7", ZONES, None, None, id="no zone"),
        pytest.param(IP, [], "113.0.203.in-addr.arpa", "7.113.0.203.in-addr.arpa", id="its own /24"),
        pytest.param("2001:db8::", [], f"{'0.' * 8}8.b.d.0.1.0.0.2.ip6.arpa", None, id="its own /64"),
    ],
)
def test_address_has_its_place_in_a_zone(
    ip: str, zones: list[str], zone: str | None, owner: str | None
) -> None:
    """The zone with the longest suffix holds an address, or a classless one that names it (RFC 2317)."""
    place = place_of(ip, [from_text(each) for each in zones])

    assert (place and place.zone) == (zone and from_text(zone))
    assert owner is None or (place is not None and place.owner == from_text(owner))


@given(
    st.one_of(
        st.binary(max_size=100),
        st.builds(
            lambda at, junk: WIRE[: at % len(WIRE)] + junk + WIRE[at % len(WIRE) + len(junk) :],
            st.integers(2, 1000),
            st.binary(max_size=12),
        ),
    )
)
def test_any_packet_is_read_or_refused(packet: bytes) -> None:
    """No packet raises: it is a query, or has an answer that says what it is not, or none."""
    read = read_query(packet)

    match read:
        case Unreadable(reply=None):
            assert len(packet) < 12 or packet[2] & 0x80
        case Unreadable(reply=bytes(reply)):
            assert reply[:2] == packet[:2]
            assert reply[3] & 15
        case Message():
            assert len(read.question) == 1

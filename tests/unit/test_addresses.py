"""Address expressions: what they mean, how many they are, and what is refused with which way out."""

from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkip.addresses import Block, Exclusions, canonical_ip, parse_expression


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("", "the address is empty", id="empty"),
        pytest.param("x", "`x` is not an IP address", id="word"),
        pytest.param("mail-1.example.net", "`mail-1.example.net` is not an IP address", id="host-name"),
        pytest.param("1.2.3", "`1.2.3` is not an IP address", id="three-parts"),
        pytest.param("1.2.3.256", "`1.2.3.256` is not an IP address", id="part-above-255"),
        pytest.param("\u0661.2.3.4", "is not an IP address", id="digits-of-another-script"),
        pytest.param("0x7f.0.0.1", "is not an IP address", id="hexadecimal"),
        pytest.param("1.2.3.4\x00", "`1.2.3.4?` is not an IP address", id="nul"),
        pytest.param("010.0.0.1", "write `10.0.0.1`", id="leading-zeros"),
        pytest.param("1.2.3.4:80", "did you mean `1.2.3.4`, without the port?", id="port"),
        pytest.param("[2001:db8::1]", "write it without brackets", id="brackets"),
        pytest.param("fe80::1%eth0", "has a zone id", id="zone-id"),
        pytest.param("::ffff:1.2.3.4", "write `1.2.3.4`", id="ipv4-mapped"),
        pytest.param("203.0.113.9/28", "host bits set; did you mean `203.0.113.0/28`?", id="host-bits"),
        pytest.param("1.2.3.0/33", "prefix length from 0 to 32", id="prefix-too-long"),
        pytest.param("1.2.3.0/024", "prefix length from 0 to 32", id="prefix-with-zeros"),
        pytest.param("1.2.3.0/255.255.255.0", "prefix length from 0 to 32", id="netmask"),
        pytest.param("1.2.3.9-1.2.3.1", "did you mean `1.2.3.1-1.2.3.9`?", id="reversed-range"),
        pytest.param("1.2.3.4-7", "written with both addresses in full", id="short-range"),
        pytest.param("1.2.3.4-2001:db8::1", "mixes IPv4 and IPv6", id="mixed-range"),
        pytest.param("!!1.2.3.4", "`!1.2.3.4` is not an IP address", id="excluded-twice"),
    ],
)
def test_ambiguous_or_wrong_expression_is_refused_with_a_way_out(text: str, message: str) -> None:
    """An expression that could be read in two ways, or in none, is refused in plain words."""
    with pytest.raises(ValueError, match=r".") as caught:
        parse_expression(text, allow_ipv6=True)

    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("text", "usable", "expected"),
    [
        pytest.param("203.0.113.7", False, ["203.0.113.7"], id="address"),
        pytest.param(" 203.0.113.7 ", False, ["203.0.113.7"], id="space-around"),
        pytest.param(
            "203.0.113.6-203.0.113.8", False, ["203.0.113.6", "203.0.113.7", "203.0.113.8"], id="range"
        ),
        pytest.param("9.9.9.9 - 9.9.9.9", False, ["9.9.9.9"], id="range-of-one"),
        pytest.param("1.2.3.0/30", False, ["1.2.3.0", "1.2.3.1", "1.2.3.2", "1.2.3.3"], id="network"),
        pytest.param("1.2.3.0/30", True, ["1.2.3.1", "1.2.3.2"], id="usable-hosts"),
        pytest.param("1.2.3.0/31", True, ["1.2.3.0", "1.2.3.1"], id="usable-hosts-of-31"),
        pytest.param("1.2.3.4/32", True, ["1.2.3.4"], id="usable-hosts-of-32"),
        pytest.param("2001:DB8::/127", False, ["2001:db8::", "2001:db8::1"], id="ipv6-network"),
        pytest.param("2001:db8::/126", True, ["2001:db8::1", "2001:db8::2", "2001:db8::3"], id="ipv6-usable"),
    ],
)
def test_expression_expands_to_its_addresses(text: str, expected: list[str], *, usable: bool) -> None:
    """An expression expands to canonical addresses, lowest first."""
    expression = parse_expression(text, allow_ipv6=True, usable=usable)

    assert list(expression.block.addresses()) == expected


def test_ipv6_needs_permission() -> None:
    """An IPv6 literal is refused unless the job allows IPv6."""
    with pytest.raises(ValueError, match="allow_ipv6: true"):
        canonical_ip("2001:db8::1")


def test_huge_network_is_counted_without_expanding() -> None:
    """The size of an IPv6 /64 is known at once."""
    assert parse_expression("2001:db8::/64", allow_ipv6=True).block.count == 2**64


@given(st.integers(0, 2**32 - 1))
def test_canonical_ipv4_comes_back_as_it_is(number: int) -> None:
    """Every IPv4 address in its usual form is accepted unchanged."""
    text = str(IPv4Address(number))

    assert canonical_ip(text) == text


@given(st.text(max_size=30))
def test_accepted_text_is_canonical(text: str) -> None:
    """Whatever text is accepted as an address comes back in the one form that reads back the same."""
    try:
        ip = canonical_ip(text, allow_ipv6=True)
    except ValueError:
        return

    assert canonical_ip(ip, allow_ipv6=True) == ip


@given(st.integers(0, 2**128 - 1))
def test_ipv6_is_canonicalised(number: int) -> None:
    """An IPv6 address in long form comes back compressed."""
    address = IPv6Address(number)
    if address.ipv4_mapped:
        return

    assert canonical_ip(address.exploded, allow_ipv6=True) == address.compressed


@given(st.integers(0, 2**32 - 1), st.integers(0, 32))
def test_network_is_the_one_of_the_standard_library(number: int, prefix: int) -> None:
    """A network's first address and count are those of the standard library."""
    network = ip_network((number, prefix), strict=False)

    block = parse_expression(str(network)).block

    assert (block.first, block.count) == (int(network.network_address), network.num_addresses)


@given(st.lists(st.tuples(st.integers(0, 255), st.integers(0, 40)), max_size=8), st.integers(0, 300))
def test_exclusions_hold_exactly_their_blocks(spans: list[tuple[int, int]], number: int) -> None:
    """An address is excluded if and only if one of the blocks holds it, however they overlap."""
    blocks = [Block(4, first, first + more) for first, more in spans]

    excluded = str(IPv4Address(number)) in Exclusions(blocks)

    assert excluded == any(block.first <= number <= block.last for block in blocks)

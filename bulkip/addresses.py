"""Which addresses an expression of the user means: counted before they are expanded.

An expression is an address, a network in prefix form or a range of two addresses;
a `!` before it excludes. Only text that says the same to every reader is accepted.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from socket import AF_INET, inet_ntoa, inet_ntop, inet_pton

from bulkip.characters import quoted

IPV4 = 4
IPV6 = 6

_ZEROS = re.compile(r"\d+(?:\.\d+){3}", re.ASCII)
_PREFIX = re.compile(r"0|[1-9][0-9]{0,2}")
_MAPPED = range(0xFFFF00000000, 0x1000000000000)
_POINT_TO_POINT = 2  # a /31 has two hosts and nothing else
_WIDTH = {IPV4: 32, IPV6: 128}
_LETTER = re.compile(r"[g-zG-Z]")


@dataclass(frozen=True, slots=True)
class Block:
    """A closed range of addresses of one IP version, as integers."""

    version: int
    first: int
    last: int

    @property
    def count(self) -> int:
        """How many addresses there are, without expanding them."""
        return self.last - self.first + 1

    def addresses(self) -> Iterator[str]:
        """Yield every address in canonical form, lowest first."""
        numbers = range(self.first, self.last + 1)
        if self.version == IPV4:
            return (inet_ntoa(number.to_bytes(4, "big")) for number in numbers)
        return (str(IPv6Address(number)) for number in numbers)


@dataclass(frozen=True, slots=True)
class Expression:
    """An address expression as the user meant it; `listed` says it names one address by itself."""

    block: Block
    excluded: bool
    listed: bool


class Exclusions:
    """Answers whether an address is excluded, in logarithmic time."""

    def __init__(self, blocks: Iterable[Block]) -> None:
        """Merge the blocks, which may overlap."""
        self._starts: dict[int, list[int]] = {IPV4: [], IPV6: []}
        self._ends: dict[int, list[int]] = {IPV4: [], IPV6: []}
        for block in sorted(blocks, key=lambda block: block.first):
            self._add(self._starts[block.version], self._ends[block.version], block)

    @staticmethod
    def _add(starts: list[int], ends: list[int], block: Block) -> None:
        if ends and block.first <= ends[-1] + 1:
            ends[-1] = max(ends[-1], block.last)
            return
        starts.append(block.first)
        ends.append(block.last)

    def __bool__(self) -> bool:
        return any(self._starts.values())

    def __contains__(self, ip: str) -> bool:
        version, number = _number(ip)
        at = bisect_right(self._starts[version], number) - 1
        return at >= 0 and number <= self._ends[version][at]


def canonical_ip(text: str, *, allow_ipv6: bool = False) -> str:
    """Return an address in canonical form; raises ValueError with the value and the way out."""
    try:
        if inet_ntop(AF_INET, inet_pton(AF_INET, text)) == text:
            return text
    except (OSError, ValueError):
        pass
    version, number = _parsed(text, allow_ipv6=allow_ipv6)
    return next(Block(version, number, number).addresses())


def parse_expression(text: str, *, allow_ipv6: bool = False, usable: bool = False) -> Expression:
    """Return what an address expression means; raises ValueError with the value and the way out.

    `usable` leaves out the network and broadcast address of a network; a /31
    and a /32 have none (RFC 3021), and IPv6 has only the first (RFC 4291 §2.6.1).
    """
    bare = text.strip()
    excluded = bare.startswith("!")
    bare = bare.removeprefix("!").lstrip()
    if "/" in bare:
        return Expression(_network(bare, allow_ipv6=allow_ipv6, usable=usable), excluded, listed=False)
    if "-" in bare and not _LETTER.search(bare):
        return Expression(_range(bare, allow_ipv6=allow_ipv6), excluded, listed=False)
    version, number = _parsed(bare, allow_ipv6=allow_ipv6)
    return Expression(Block(version, number, number), excluded, listed=True)


def _number(ip: str) -> tuple[int, int]:
    """Return version and number of a canonical address."""
    if ":" in ip:
        return IPV6, int(IPv6Address(ip))
    return IPV4, int.from_bytes(inet_pton(AF_INET, ip), "big")


def _parsed(text: str, *, allow_ipv6: bool) -> tuple[int, int]:
    """Return version and number of an address a user wrote."""
    shown = quoted(text)
    if not text:
        raise ValueError("the address is empty")
    if ":" not in text:
        return IPV4, _ipv4(text, shown)
    if "%" in text:
        raise ValueError(f"address {shown} has a zone id; remove everything from `%` on")
    number = _ipv6(text, shown)
    if number in _MAPPED:
        inner = IPv4Address(number & 0xFFFFFFFF)
        raise ValueError(f"address {shown} is an IPv4 address in IPv6 form; write `{inner}`")
    if not allow_ipv6:
        raise ValueError(f"address {shown} is IPv6; `safety: {{allow_ipv6: true}}` allows it")
    return IPV6, number


def _ipv4(text: str, shown: str) -> int:
    try:
        return int(IPv4Address(text))
    except AddressValueError:
        pass
    if _ZEROS.fullmatch(text) and (fixed := _without_zeros(text)):
        raise ValueError(
            f"address {shown} has leading zeros, which some programs read as octal; write `{fixed}`"
        )
    raise ValueError(f"{shown} is not an IP address")


def _without_zeros(text: str) -> str | None:
    fixed = ".".join(part.lstrip("0") or "0" for part in text.split("."))
    try:
        return str(IPv4Address(fixed))
    except AddressValueError:
        return None


def _ipv6(text: str, shown: str) -> int:
    try:
        return int(IPv6Address(text))
    except AddressValueError:
        pass
    host, _, port = text.rpartition(":")
    if port.isdecimal() and "." in host and ":" not in host:
        raise ValueError(f"{shown} is not an IP address; did you mean `{host}`, without the port?")
    if text.startswith("["):
        raise ValueError(f"{shown} is not an IP address; write it without brackets")
    raise ValueError(f"{shown} is not an IP address")


def _network(text: str, *, allow_ipv6: bool, usable: bool) -> Block:
    head, _, prefix = text.partition("/")
    version, number = _parsed(head, allow_ipv6=allow_ipv6)
    width = _WIDTH[version]
    if not _PREFIX.fullmatch(prefix) or int(prefix) > width:
        raise ValueError(f"network {quoted(text)} needs a prefix length from 0 to {width} after the `/`")
    size = 1 << (width - int(prefix))
    start = number & ~(size - 1)
    if start != number:
        fixed = next(Block(version, start, start).addresses())
        raise ValueError(f"target {quoted(text)} has host bits set; did you mean `{fixed}/{prefix}`?")
    if not usable or size <= _POINT_TO_POINT:
        return Block(version, start, start + size - 1)
    return Block(version, start + 1, start + size - (2 if version == IPV4 else 1))


def _range(text: str, *, allow_ipv6: bool) -> Block:
    head, _, tail = (part.strip() for part in text.partition("-"))
    version, first = _parsed(head, allow_ipv6=allow_ipv6)
    try:
        end_version, last = _parsed(tail, allow_ipv6=allow_ipv6)
    except ValueError as error:
        raise ValueError(f"{error}; a range is written with both addresses in full") from None
    if version != end_version:
        raise ValueError(f"range {quoted(text)} mixes IPv4 and IPv6")
    if last < first:
        raise ValueError(f"range {quoted(text)} runs backwards; did you mean `{tail}-{head}`?")
    return Block(version, first, last)

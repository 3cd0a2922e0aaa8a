"""What is in a packet that came, and what goes into one that leaves?"""

from dataclasses import dataclass

from dns.exception import DNSException, TooBig
from dns.flags import QR
from dns.message import Message, from_wire, make_response
from dns.opcode import QUERY, from_flags
from dns.rcode import FORMERR, NOTIMP, SERVFAIL, Rcode

HEADER = 12
LARGEST_UDP = 1232
"""What fits into a datagram wherever it goes (the DNS flag day of 2020)."""
PLAIN_UDP = 512
LARGEST_TCP = 65535

_KEPT_FLAGS = 0x7900  # opcode and RD


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A packet that holds no query: what goes back and says why, None for silence."""

    reply: bytes | None
    rcode: Rcode | None


def read_query(packet: bytes) -> Message | Unreadable:
    """Return the query in a packet, with exactly one question, or what such a packet is answered with.

    What is itself an answer, or too short for a header, is met with silence.
    """
    if len(packet) < HEADER or packet[2] & 0x80:
        return Unreadable(None, None)
    if from_flags(int.from_bytes(packet[2:4])) != QUERY:
        return Unreadable(bare(packet, NOTIMP), NOTIMP)
    try:
        query = from_wire(packet, keyring=False)
    except (DNSException, ValueError):
        return Unreadable(bare(packet, FORMERR), FORMERR)
    return query if len(query.question) == 1 else Unreadable(bare(packet, FORMERR), FORMERR)


def bare(packet: bytes, rcode: Rcode) -> bytes:
    """Return a header that answers a packet with nothing but a code."""
    flags = int.from_bytes(packet[2:4]) & _KEPT_FLAGS | QR | rcode
    return packet[:2] + flags.to_bytes(2) + bytes(HEADER - 4)


def packed(response: Message, query: Message, transport: str) -> bytes:
    """Return a response as it goes over a transport: over UDP cut with the TC bit where it is too long."""
    if transport == "udp":
        asked = query.payload if query.edns >= 0 else PLAIN_UDP
        limit = min(max(asked, PLAIN_UDP), LARGEST_UDP)
        return response.to_wire(max_size=limit, prefer_truncation=True)
    try:
        return response.to_wire(max_size=LARGEST_TCP)
    except TooBig:
        failed = make_response(query)
        failed.set_rcode(SERVFAIL)
        return failed.to_wire()

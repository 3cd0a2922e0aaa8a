"""DNS queries that tests send themselves, to one server at a time."""

from typing import Any

from dns.asyncquery import tcp, udp
from dns.flags import RD
from dns.message import Message, make_query
from dns.name import Name
from dns.rcode import to_text
from dns.reversename import from_address

PATIENCE_S = 5.0


async def query(
    endpoint: str, name: str | Name, record_type: str, *, by_tcp: bool = False, **more: Any
) -> Message:
    """Return what a server at ADDRESS:PORT answers to a question without recursion."""
    host, _, port = endpoint.rpartition(":")
    message = make_query(name, record_type, **more)
    message.flags &= ~RD
    ask = tcp if by_tcp else udp
    return await ask(message, host.strip("[]"), PATIENCE_S, int(port))


def said(message: Message) -> list[str]:
    """Return the code of an answer, or the values in it as texts when it has some, in order."""
    values = sorted(str(value) for rrset in message.answer for value in rrset)
    return values or [to_text(message.rcode())]


async def dig(endpoint: str, name: str, record_type: str = "A") -> list[str]:
    """Return what a server says of a name."""
    return said(await query(endpoint, name, record_type))


async def ptr(endpoint: str, ip: str) -> list[str]:
    """Return what a server says of the reverse name of an address."""
    return said(await query(endpoint, from_address(ip), "PTR"))

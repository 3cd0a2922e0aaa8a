"""How are names written for people, and which name does the DNS keep an address under?"""

from dns.exception import DNSException
from dns.name import Name, from_text
from dns.reversename import from_address


def shown_name(name: Name) -> str:
    """Return a name in lower case without its final dot; odd bytes are escaped, A-labels stay as they are."""
    return name.to_text(omit_final_dot=True).lower()


def reverse_name(ip: str) -> Name:
    """Return the name under which the PTR records of an address are kept (RFC 1035 §3.5, RFC 3596 §2.5)."""
    return from_address(ip)


def absolute_name(text: str) -> Name | None:
    """Return a host name as the DNS has it, or None when it cannot be one."""
    try:
        return from_text(text) if text and text.isascii() else None
    except DNSException:
        return None

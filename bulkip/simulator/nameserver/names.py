"""How do texts and addresses become names, and back?"""

from dns.exception import DNSException
from dns.name import Name, from_text
from dns.reversename import from_address, to_address

from bulkip.simulator.seeds import canonical_ip

ZONE_LABELS = {4: 6, 6: 19}
"""How many labels the zone of a /24 has, and that of a /64."""


def dns_name(text: str) -> Name | None:
    """Return a name as DNS has it; None for what cannot be one."""
    try:
        return from_text(text)
    except (DNSException, UnicodeError):
        return None


def zone_of(ip: str) -> Name:
    """Return the zone that an address has its reverse name in by default: that of its /24, or its /64."""
    return from_address(ip).split(ZONE_LABELS[6 if ":" in ip else 4])[1]


def address_of(name: Name) -> str | None:
    """Return the address whose reverse name this is, None when it is none."""
    try:
        ip = canonical_ip(to_address(name))
        return ip if ip is not None and from_address(ip) == name else None
    except (DNSException, ValueError):
        return None

"""What is wrong with a fault rule for DNS queries, and which queries a right one fits."""

from collections.abc import Iterator

from bulkip.simulator.faultfields import FaultFields
from bulkip.simulator.nameserver.troubles import Asked, DnsTrouble
from bulkip.simulator.seeds import canonical_ip

TYPES = ("PTR", "A", "AAAA", "SOA", "NS", "CNAME", "TXT")
ADDRESS_TYPES = ("PTR", "A", "AAAA")
SERVERS = (1, 2)

_OF_QUERIES = (("type", "query_type"), ("name", "query_name"), ("names", "wrong_names"), ("server", "server"))
_OF_BOTH = frozenset({"ip", "attempts", "every", "times", "probability", "seed", "delay_s", "dns"})
_DEFAULTS = FaultFields()

Mistake = tuple[str, str]


def query_problems(fault: FaultFields) -> Iterator[Mistake]:
    """Yield what is wrong with the part of a rule that is about DNS."""
    if fault.dns is None:
        for key, name in _OF_QUERIES:
            if getattr(fault, name):
                yield key, "is about DNS queries; add `dns: servfail` or another trouble, or remove it"
        return
    if foreign := [name for name in _foreign(fault) if getattr(fault, name) != getattr(_DEFAULTS, name)]:
        yield "dns", f"a rule for DNS queries has no say in {' and '.join(foreign)}; write two rules"
    if fault.query_type is not None and fault.query_type not in TYPES:
        yield "type", f"`{fault.query_type}` is not known here; known are {', '.join(TYPES)}"
    if fault.server not in (None, *SERVERS):
        yield "server", f"`{fault.server}` is no server; 1 is the first one, 2 the second"
    yield from _trouble_problems(fault)


def _foreign(fault: FaultFields) -> list[str]:
    """Return the fields of a rule that only mean something for calls of the API."""
    ours = _OF_BOTH | {name for _, name in _OF_QUERIES}
    return [name for name in fault.__dataclass_fields__ if name not in ours and not name.startswith("_")]


def _trouble_problems(fault: FaultFields) -> Iterator[Mistake]:
    if fault.wrong_names and fault.dns is not DnsTrouble.WRONG:
        yield "names", "are what a wrong answer says; add `dns: wrong` or remove them"
    if fault.dns is DnsTrouble.WRONG and fault.query_type not in (None, *ADDRESS_TYPES):
        yield "type", f"`{fault.query_type}` has no wrong names; {', '.join(ADDRESS_TYPES)} have"
    if fault.dns is DnsTrouble.LATE and not fault.delay_s:
        yield "delay", "says how late; add `delay: 2s`"


def fits(fault: FaultFields, asked: Asked) -> bool:
    """Say whether a rule is meant for a query, whatever its address and its attempt."""
    return (
        fault.dns is not None
        and fault.query_type in (None, asked.type)
        and fault.server in (None, asked.server)
        and (fault.dns is not DnsTrouble.TRUNCATE or asked.transport == "udp")
        and (fault.dns is not DnsTrouble.NO_EDNS or asked.edns)
        and (fault.dns is not DnsTrouble.WRONG or asked.type in ADDRESS_TYPES)
        and (fault.query_name is None or _is_below(asked.name, fault.query_name))
    )


def _is_below(name: str, parent: str) -> bool:
    parent = parent.removesuffix(".").lower()
    return not parent or name == parent or name.endswith("." + parent)


def wrong_values(fault: FaultFields, record_type: str) -> list[str]:
    """Return what a wrong answer to a query of this type says; a rule without names has made-up ones."""
    if not fault.wrong_names:
        return _MADE_UP[record_type]
    version = {"A": ".", "AAAA": ":"}.get(record_type)
    ips = [ip for name in fault.wrong_names if (ip := canonical_ip(name)) is not None]
    if version is None:
        return [name for name in fault.wrong_names if canonical_ip(name) is None]
    return [ip for ip in ips if version in ip]


_MADE_UP = {"PTR": ["wrong.example.net"], "A": ["192.0.2.254"], "AAAA": ["2001:db8:ffff::254"]}

"""What does a DNS message say about a name? Pure reading of replies, which may be wrong or hostile."""

from collections.abc import Iterator, Sequence
from ipaddress import ip_address
from typing import TypeAlias

from dns.exception import DNSException
from dns.flags import AA, RA
from dns.message import ChainTooLong, QueryMessage
from dns.name import Name, NameTooLong
from dns.rcode import NOERROR, NXDOMAIN
from dns.rcode import to_text as rcode_text
from dns.rdataclass import IN
from dns.rdatatype import AAAA, CNAME, DNAME, NS, PTR, SOA, A, RdataType
from dns.rrset import RRset

from bulkip.characters import quoted
from bulkip.proof import Absent, Found, Shown, Trouble
from bulkip.resolver.names import shown_name
from bulkip.resolver.servers import MOST_ADDRESSES, MOST_NAMES, Cut

MOST_RECORDS = 1000
"""More names of one address are counted, not kept."""

Reading: TypeAlias = Found | Absent | Trouble | Cut | Name
"""What a zone's own server says: an answer, that other servers know, or that the name is an alias."""


def read_direct(reply: QueryMessage, name: Name, kind: RdataType, apex: Name) -> Reading:
    """Read what a server says that was asked because it serves the zone `apex`.

    Only its own word counts (the AA bit, RFC 1035 §4.1.1): a server that
    answers from a cache does not serve the zone. An answer to an alias is not
    believed either, but asked for where the alias leads.
    """
    if reply.rcode() not in (NOERROR, NXDOMAIN):
        return refusal(reply)
    if cut := referral(reply, name, apex):
        return cut
    if not reply.flags & AA:
        return lame(apex)
    if records := _records(reply, name, kind):
        return _found(records)
    return _alias(reply, name) or Absent(f"the zone {quoted(shown_name(apex))} has none")


def read_recursive(reply: QueryMessage, name: Name) -> Shown:
    """Read what a server says that was asked to find the whole answer, aliases included."""
    if reply.rcode() not in (NOERROR, NXDOMAIN):
        return refusal(reply)
    try:
        chain = reply.resolve_chaining()
    except ChainTooLong:
        return Trouble(f"the aliases of {quoted(shown_name(name))} go round in circles")
    except DNSException:
        return Trouble("contradicts itself: no such name, and an answer")
    if chain.answer is not None:
        return _found(chain.answer)
    if reply.flags & (RA | AA) or reply.rcode() == NXDOMAIN:
        return _nothing(reply, chain.canonical_name, name)
    return Trouble("refers to other servers instead of answering; it is no recursive resolver")


def refusal(reply: QueryMessage) -> Trouble:
    """Return the trouble that a reply with an error code is."""
    return Trouble(f"answered {rcode_text(reply.rcode())}")


def lame(apex: Name) -> Trouble:
    """Return the trouble that a server is which is named for a zone but does not serve it."""
    return Trouble(f"does not serve the zone {quoted(shown_name(apex))}")


def referral(reply: QueryMessage, name: Name, apex: Name) -> Cut | None:
    """Return the delegation below `apex` on the way to `name` that a reply holds instead of an answer."""
    if reply.flags & AA or reply.answer or reply.rcode() != NOERROR:
        return None
    for records in _of(NS, reply.authority):
        if is_between(records.name, name, apex):
            return Cut(records.name, _servers(records), _glue(reply, apex))
    return None


def is_between(name: Name, below: Name, above: Name) -> bool:
    """Say whether a name lies on the way down from `above` to `below`, further than `above` itself."""
    return name != above and name.is_subdomain(above) and below.is_subdomain(name)


def apex_in(reply: QueryMessage, name: Name) -> Name | None:
    """Return the zone of a name, as the SOA record in a reply to a question for it tells."""
    owners = (records.name for records in _of(SOA, reply.answer, reply.authority))
    return max((owner for owner in owners if name.is_subdomain(owner)), key=len, default=None)


def servers_in(reply: QueryMessage, apex: Name) -> Cut:
    """Return who serves the zone `apex`, as a reply to a question for its NS records tells."""
    records = (one for one in _of(NS, reply.answer, reply.authority) if one.name == apex)
    names = tuple(name for one in records for name in _servers(one))
    return Cut(apex, names, _glue(reply, apex))


def addresses_in(reply: QueryMessage) -> tuple[str, ...]:
    """Return the addresses that a reply to a question for them gives."""
    try:
        answer = reply.resolve_chaining().answer
    except DNSException:
        return ()
    return _texts(answer)[:MOST_ADDRESSES] if answer is not None else ()


def _nothing(reply: QueryMessage, end: Name, name: Name) -> Shown:
    """Return that there is no record; a server that only knows the alias does not know that."""
    if end != name and not reply.flags & RA and not any(_of(SOA, reply.authority)):
        return Trouble(f"points to {quoted(shown_name(end))} without following; it is no recursive resolver")
    return Absent()


def _of(kind: RdataType, *sections: Sequence[RRset]) -> Iterator[RRset]:
    return (one for section in sections for one in section if one.rdtype == kind and one.rdclass == IN)


def _records(reply: QueryMessage, name: Name, kind: RdataType) -> RRset | None:
    return reply.get_rrset(reply.answer, name, IN, kind)


def _found(records: RRset) -> Found:
    texts = _texts(records)
    return Found(texts[:MOST_RECORDS], max(0, len(texts) - MOST_RECORDS))


def _texts(records: RRset) -> tuple[str, ...]:
    """Return names or addresses as text, each once, sorted."""
    if records.rdtype == PTR:
        return tuple(sorted({shown_name(target) for target in _targets(records)}))
    return tuple(sorted({str(ip_address(record.address)) for record in records}))


def _alias(reply: QueryMessage, name: Name) -> Name | Trouble | None:
    """Return where a name is an alias to: by CNAME, or below a DNAME (RFC 6672)."""
    if aliases := _records(reply, name, CNAME):
        return next(_targets(aliases))
    for records in _of(DNAME, reply.answer):
        if name != records.name and name.is_subdomain(records.name):
            return _renamed(name, records)
    return None


def _renamed(name: Name, records: RRset) -> Name | Trouble:
    target = next(_targets(records))
    try:
        return name.relativize(records.name).concatenate(target)
    except NameTooLong:
        return Trouble(f"renames {quoted(shown_name(name))} to a name that is too long")


def _targets(records: RRset) -> Iterator[Name]:
    return (record.target for record in records)


def _servers(records: RRset) -> tuple[Name, ...]:
    return tuple(sorted(_targets(records))[:MOST_NAMES])


def _glue(reply: QueryMessage, above: Name) -> dict[Name, tuple[str, ...]]:
    """Return the addresses that came along, as far as the zone above may speak for these names."""
    glue: dict[Name, tuple[str, ...]] = {}
    for records in (*_of(A, reply.additional), *_of(AAAA, reply.additional)):
        if records.name.is_subdomain(above):
            known = (*glue.get(records.name, ()), *_texts(records))
            glue[records.name] = known[:MOST_ADDRESSES]
    return glue

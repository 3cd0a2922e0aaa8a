"""What does a name server answer to a query: rightly, or as a fault wants it?"""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import assert_never

from dns.flags import AA, TC
from dns.message import Message, make_response
from dns.name import Name, root
from dns.rcode import BADVERS, FORMERR, NOERROR, NXDOMAIN, REFUSED, SERVFAIL, Rcode
from dns.rdata import from_text as record
from dns.rdataclass import IN
from dns.rdatatype import ANY, AXFR, IXFR, NS, PTR, RdataType
from dns.rdatatype import to_text as type_text
from dns.rrset import RRset, from_rdata_list

from bulkip.simulator.faults import Fault
from bulkip.simulator.nameserver.faultchecks import wrong_values
from bulkip.simulator.nameserver.packets import LARGEST_UDP
from bulkip.simulator.nameserver.troubles import DnsTrouble
from bulkip.simulator.nameserver.zones import Node, Records, by_version, pointers_to, soa

_TTL_S = 60
_TTL_OF_NOTHING_S = 1
_HINT = "a.root-servers.simulator.example."  # leads nowhere: nobody follows it off this machine
_CODES: Mapping[DnsTrouble, Rcode] = MappingProxyType(
    {
        DnsTrouble.SERVFAIL: SERVFAIL,
        DnsTrouble.REFUSE: REFUSED,
        DnsTrouble.NXDOMAIN: NXDOMAIN,
        DnsTrouble.EMPTY: NOERROR,
    }
)

Glue = Iterable[tuple[Name, Records]]


def right_answer(query: Message, node: Node, glue: Glue) -> Message:
    """Return what a server with authority answers from what it knows of the name."""
    question = query.question[0]
    if query.edns > 0:
        return nothing(query, BADVERS)
    if question.rdclass != IN or question.rdtype in (AXFR, IXFR):
        return nothing(query, REFUSED)
    found = _asked_for(question.rdtype, node.records)
    if not found:
        return _denial(query, node, NOERROR if node.exists else NXDOMAIN)
    response = _answer(query, found)
    if NS in found:
        response.additional = [rrset for name, records in glue for rrset in _rrsets(name, records)]
    return response


def spoiled_answer(query: Message, node: Node, right: Message, fault: Fault) -> Message | None:
    """Return what a fault lets go back, None for silence."""
    kind = query.question[0].rdtype
    spoiled: Message | None = right
    match fault.dns:
        case DnsTrouble.SERVFAIL | DnsTrouble.REFUSE:
            spoiled = nothing(query, _CODES[fault.dns])
        case DnsTrouble.TIMEOUT:
            spoiled = None
        case DnsTrouble.TRUNCATE:
            spoiled = _cut(query)
        case DnsTrouble.NXDOMAIN | DnsTrouble.EMPTY:
            spoiled = _denial(query, node, _CODES[fault.dns])
        case DnsTrouble.WRONG:
            spoiled = _answer(query, _wrong(kind, fault))
        case DnsTrouble.LAME:
            spoiled = _lame(query)
        case DnsTrouble.NO_EDNS:
            spoiled = _old_fashioned(query)
        case DnsTrouble.LATE | DnsTrouble.GARBAGE | None:
            pass  # a late answer is right, and garbage is no message
        case _:
            assert_never(fault.dns)
    return spoiled


def nothing(query: Message, rcode: Rcode) -> Message:
    """Return an answer that holds nothing but a code."""
    response = make_response(query, our_payload=LARGEST_UDP)
    response.set_rcode(rcode)
    return response


def values(response: Message) -> tuple[str, ...]:
    """Return the values in an answer as texts, names without their final dot."""
    return tuple(str(value).removesuffix(".") for rrset in response.answer for value in rrset)


def _asked_for(kind: RdataType, records: Records) -> Records:
    return records if kind == ANY else {each: found for each, found in records.items() if each == kind}


def _answer(query: Message, records: Records) -> Message:
    response = nothing(query, NOERROR)
    response.flags |= AA
    response.answer = [*_rrsets(query.question[0].name, records)]
    return response


def _rrsets(name: Name, records: Records) -> Iterator[RRset]:
    for found in records.values():
        if found:
            yield from_rdata_list(name, _TTL_S, found)


def _denial(query: Message, node: Node, rcode: Rcode) -> Message:
    """Return that there is no such record, or no such name, on the word of the zone (RFC 2308)."""
    response = nothing(query, rcode)
    response.flags |= AA
    response.authority = [from_rdata_list(node.zone, _TTL_OF_NOTHING_S, [soa(node.serial)])]
    return response


def _cut(query: Message) -> Message:
    response = nothing(query, NOERROR)
    response.flags |= AA | TC
    return response


def _lame(query: Message) -> Message:
    response = nothing(query, NOERROR)
    response.authority = [from_rdata_list(root, _TTL_S, [record(IN, NS, _HINT)])]
    return response


def _old_fashioned(query: Message) -> Message:
    """Return the refusal of a server from before EDNS, which shows none either (RFC 6891 §7)."""
    response = nothing(query, FORMERR)
    response.use_edns(None)
    return response


def _wrong(kind: RdataType, fault: Fault) -> Records:
    said = wrong_values(fault, type_text(kind))
    return {PTR: pointers_to(said)} if kind == PTR else by_version(said)

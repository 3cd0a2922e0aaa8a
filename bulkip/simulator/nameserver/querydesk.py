"""What happens to each DNS query: answered or spoiled; decided and logged before anything goes back."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from dns.message import Message
from dns.rcode import NOERROR, Rcode
from dns.rcode import to_text as rcode_text
from dns.rdatatype import to_text as type_text

from bulkip.simulator.faultbook import FaultBook
from bulkip.simulator.faults import Fault
from bulkip.simulator.nameserver.answers import right_answer, spoiled_answer, values
from bulkip.simulator.nameserver.log import QueryEntry
from bulkip.simulator.nameserver.packets import Unreadable, bare, packed, read_query
from bulkip.simulator.nameserver.propagation import Propagation
from bulkip.simulator.nameserver.troubles import Asked, DnsTrouble
from bulkip.simulator.nameserver.zones import Node, Zones
from bulkip.simulator.requestlog import RequestLog
from bulkip.simulator.state import SimulatorState

_JUNK = b"this is no DNS, although it began like it"


@dataclass(frozen=True, slots=True)
class Arrival:
    """A packet as it arrived: `at` is monotonic, `wall` Unix seconds; servers count from 1."""

    at: float
    wall: float
    server: int
    transport: Literal["udp", "tcp"]
    packet: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back after a delay, None for silence."""

    packet: bytes | None
    delay_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Books:
    """What DNS queries share with the calls of the API: rules, counts and log."""

    faults: FaultBook
    state: SimulatorState
    log: RequestLog


@dataclass(frozen=True, slots=True)
class Choice:
    """What could be answered to a query: rightly from what is known, or as a fault wants it."""

    node: Node
    right: Message
    fault: Fault | None


@dataclass(frozen=True, slots=True)
class Said:
    """What the log tells of an answer; no code where nothing readable goes back."""

    rcode: Rcode | None
    answers: tuple[str, ...] = ()
    fault: str | None = None


class QueryDesk:
    """Owns the order in which queries are settled; each server has its own way of hearing of changes."""

    def __init__(self, zones: Zones, propagations: Sequence[Propagation], books: Books) -> None:
        self._zones = zones
        self._propagations = propagations
        self._books = books

    def settle(self, arrival: Arrival) -> Reply:
        """Decide what happens to a packet, log it, and return what goes back."""
        query = read_query(arrival.packet)
        if isinstance(query, Unreadable):
            self._note(arrival, None, Said(query.rcode))
            return Reply(query.reply)
        return self._serve(arrival, query)

    def _serve(self, arrival: Arrival, query: Message) -> Reply:
        """Answer a query as the fault wants it that it meets."""
        question = query.question[0]
        node = self._zones.node(question.name, self._propagations[arrival.server - 1], arrival.at)
        right = right_answer(query, node, self._zones.glue())
        name, kind = question.name.to_text(omit_final_dot=True).lower(), type_text(question.rdtype)
        asked = Asked(arrival.server, arrival.transport, name, kind, node.ip, edns=query.edns >= 0)
        fault = self._fault(asked, right)
        reply, said = _decided(arrival, query, Choice(node, right, fault))
        self._note(arrival, asked, said)
        return reply

    def _fault(self, asked: Asked, right: Message) -> Fault | None:
        """Count a query, and return the fault that it meets."""
        sighting = self._books.state.sight(asked.action, asked.subject, admitted=True)
        leads_to = values(right) if asked.type in ("A", "AAAA") else ()
        return self._books.faults.take_query(asked, leads_to, sighting)

    def _note(self, arrival: Arrival, asked: Asked | None, said: Said) -> None:
        """Log a settled query."""
        log = self._books.log
        entry = QueryEntry(
            seq=log.queried + 1,
            at=arrival.at,
            wall=datetime.fromtimestamp(arrival.wall, UTC).isoformat(timespec="milliseconds"),
            server=arrival.server,
            transport=arrival.transport,
            name=asked.name if asked else None,
            type=asked.type if asked else None,
            ip=asked.ip if asked else None,
            rcode=None if said.rcode is None else rcode_text(said.rcode),
            answers=said.answers,
            fault=said.fault,
        )
        log.add_query(entry)


def _decided(arrival: Arrival, query: Message, choice: Choice) -> tuple[Reply, Said]:
    """Return what goes back, and what the log tells of it."""
    fault = choice.fault
    if fault is None:
        return Reply(packed(choice.right, query, arrival.transport)), _said(choice.right, None)
    if fault.dns is DnsTrouble.GARBAGE:
        return Reply(bare(arrival.packet, NOERROR) + _JUNK, fault.delay_s), Said(None, (), str(fault))
    response = spoiled_answer(query, choice.node, choice.right, fault)
    if response is None:
        return Reply(None), Said(None, (), str(fault))
    return Reply(packed(response, query, arrival.transport), fault.delay_s), _said(response, str(fault))


def _said(response: Message, fault: str | None) -> Said:
    return Said(response.rcode(), values(response), fault)

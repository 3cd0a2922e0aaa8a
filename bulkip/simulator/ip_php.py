"""What `ip.php` answers: the seven actions, with every success and failure text of the vendor's page.

Where the page is silent: an address that the account does not have is refused
with the action's own failure text; `location` is not judged except by
list_free_ip; all traffic counts as unbilled; "special" is the last free address of a subnet.
"""

import ipaddress
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType

from bulkip.model import JsonValue
from bulkip.simulator.pages import Call, Outcome, Page, json_page, refusal
from bulkip.simulator.seeds import TrafficPoint, canonical_ip
from bulkip.simulator.state import SimulatorState

_ID = re.compile(r"[1-9][0-9]{0,9}")
_TIME = re.compile(r"[0-9]{1,10}")
_LONGEST_PERIOD_S = 366 * 86400 * 2
_DEFAULT_PERIOD_S = 86400
# Not JSON: the page shows these escapes, and clients have to live with them.
BAD_ESCAPES = Page(rb'{"code": -1, "message": "\(module/\)action: invalid request"}')


@dataclass(frozen=True, slots=True)
class Question:
    """A call whose token was accepted, and the state that answers it."""

    call: Call
    state: SimulatorState
    token: str

    def text(self, field: str) -> str:
        """Return a form field; empty when it was not sent."""
        return self.call.form.get(field, "")

    def ip(self) -> str | None:
        """Return the address in canonical form; None when it is none."""
        return canonical_ip(self.text("ip"))

    def server_id(self) -> int | None:
        """Return the id; None when it is not a positive number."""
        return int(self.text("id")) if _ID.fullmatch(self.text("id")) else None

    def malformed_ip(self) -> Outcome:
        """Refuse the address as the page does, which shows the caller his own token."""
        return Outcome(refusal(f"malformed IP={self.text('ip')} for token {self.token}"))


@dataclass(frozen=True, slots=True)
class Method:
    """How an action is answered, and whether the page allows GET for it."""

    answer: Callable[[Question], Outcome]
    get: bool = False


def answer(call: Call, state: SimulatorState, token: str) -> Outcome:
    """Answer a call to ip.php."""
    if not call.form.get("token"):
        return Outcome(refusal("authentication required"))
    if call.form["token"] != token:
        return Outcome(refusal("invalid token"))
    method = METHODS.get(call.action)
    if method is None or (call.method == "GET" and not method.get):
        return Outcome(refusal("invalid request"))
    return method.answer(Question(call, state, token))


def _ok(**fields: JsonValue) -> Outcome:
    return Outcome(json_page({"result": "OK", **fields}))


def _get_client_ip(question: Question) -> Outcome:
    return Outcome(json_page({"ip": question.call.client_ip}))


def _get_ip(question: Question) -> Outcome:
    ip = question.ip()
    cidr = question.state.network_of(ip) if ip else None
    if cidr is None:
        return question.malformed_ip()
    network = ipaddress.ip_network(cidr)
    described: dict[str, JsonValue] = {
        "network": str(network.network_address),
        "netmask": str(network.netmask),
        "gateway": str(network.network_address + 1),
        "broadcast": str(network.broadcast_address),
    }
    return _ok(module="ip", action="get_ip", data=described)


def _get_ptr(question: Question) -> Outcome:
    ip, server_id = question.ip(), question.server_id()
    if ip is None or server_id is None or not question.state.belongs(ip, server_id):
        return Outcome(BAD_ESCAPES)
    return _ok(message="\n".join(question.state.ptr_of(ip)))


def _update_ptr(question: Question) -> Outcome:
    ip, server_id = question.ip(), question.server_id()
    if ip is None:
        return question.malformed_ip()
    if "ptr" not in question.call.form:
        return Outcome(refusal("invalid request"))
    if server_id is None or not question.state.belongs(ip, server_id):
        return Outcome(refusal(f"IP {question.text('ip')} is not assigned for server {question.text('id')}"))
    names = tuple(name.strip() for name in question.text("ptr").split("\n") if name.strip())
    question.state.set_ptr(ip, server_id, names, question.call.at)
    return Outcome(json_page({"result": "OK", "message": ""}), effect=True)


def _set_main(question: Question) -> Outcome:
    ip, server_id = question.ip(), question.server_id()
    known = ip is not None and server_id is not None and question.state.belongs(ip, server_id)
    # The vendor's own client sends the address as `main`; the page's example sends no `main` at all.
    if not known or question.text("main") not in ("", "0", "1", question.text("ip")):
        return Outcome(refusal("invalid request (ID or IP mismatch)"))
    question.state.set_main(str(ip), int(server_id or 0), question.call.at, ipmi=question.text("main") == "0")
    page = json_page({"result": "OK", "message": "Data returned from ipv4_set_main function"})
    return Outcome(page, effect=True)


def _get_traffic(question: Question) -> Outcome:
    ip, period = question.ip(), _period(question)
    if ip is None:
        return question.malformed_ip()
    if period is None:
        return Outcome(refusal("invalid request"))
    points = question.state.traffic_of(ip, *period)
    if not points:
        return _no_traffic(question.text("ip"), *period)
    if question.text("summary") == "1":
        points = [_total(points, period[0])]
    return _ok(traffic=[_traffic_row(point) for point in points])


def _period(question: Question) -> tuple[int, int] | None:
    """Return [start, stop): the last day when neither is given, None for nonsense and for over two years."""
    start, stop = question.text("period_start"), question.text("period_stop")
    if not start and not stop:
        now = int(time.time())
        return now - _DEFAULT_PERIOD_S, now
    if not _TIME.fullmatch(start) or not _TIME.fullmatch(stop):
        return None
    return (int(start), int(stop)) if 0 < int(stop) - int(start) <= _LONGEST_PERIOD_S else None


def _total(points: list[TrafficPoint], at: int) -> TrafficPoint:
    return TrafficPoint(at, sum(point.inbound for point in points), sum(point.outbound for point in points))


def _traffic_row(point: TrafficPoint) -> JsonValue:
    moment = datetime.fromtimestamp(point.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"timestamp": moment, "in": point.inbound / 100, "out": point.outbound / 100}


def _no_traffic(ip: str, start: int, stop: int) -> Outcome:
    days = [datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M:%S") for moment in (start, stop)]
    text = f"no significant traffic detected for {ip} in the period {days[0]} - {days[1]}"
    return Outcome(refusal(text, error=text))


def _list_free_ip(question: Question) -> Outcome:
    location, subnet = question.text("location"), question.text("id")
    if (not location and not subnet) or (subnet and not _ID.fullmatch(subnet)):
        return Outcome(refusal("illegal IP subnet"))
    ids = question.state.subnets(location, int(subnet) if subnet else None)
    if not ids:
        return Outcome(refusal("illegal IP subnet"))
    kept = slice(None, -1) if question.text("exclude_special") == "1" else slice(None)
    free = [row for subnet_id in ids for row in question.state.free_ips(subnet_id)[kept]]
    return _ok(ip=[f"{ip} {place}" for ip, place in free])


METHODS: Mapping[str, Method] = MappingProxyType(
    {
        "get_client_ip": Method(_get_client_ip, get=True),
        "get_ip": Method(_get_ip),
        "get_ptr": Method(_get_ptr, get=True),
        "get_traffic": Method(_get_traffic, get=True),
        "list_free_ip": Method(_list_free_ip, get=True),
        "set_main": Method(_set_main),
        "update_ptr": Method(_update_ptr),
    }
)

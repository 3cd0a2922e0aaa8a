"""What `ip.php` answers: the seven actions, with every success and failure text of the vendor's page.

Where the page is silent: an address that the account does not have is refused
with the action's own failure text; `location` is not judged except by
list_free_ip; all traffic counts as unbilled; "special" is the last free address of a subnet.
"""

import ipaddress
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType

from bulkip.model import JsonValue
from bulkip.simulator.account import INVALID_REQUEST, Method, Outcome, Question, Written, by_method_for_token
from bulkip.simulator.dialects import Envelope, Refusal, Success
from bulkip.simulator.seeds import TrafficPoint

_TIME = re.compile(r"[0-9]{1,10}")
_LONGEST_PERIOD_S = 366 * 86400 * 2
_DEFAULT_PERIOD_S = 86400
# Not JSON: the page shows these escapes, and clients have to live with them.
BAD_ESCAPES = Refusal(
    "(module/)action: invalid request",
    raw=rb'{"code": -1, "message": "\(module/\)action: invalid request"}',
)


def answer(question: Question) -> Outcome:
    """Answer a call to ip.php."""
    return by_method_for_token(question, METHODS)


def _malformed_ip(question: Question) -> Outcome:
    """Refuse the address as the page does, which shows the caller his own token."""
    return Outcome(Refusal(f"malformed IP={question.text('ip')} for token {question.call.token}"))


def _ok(**fields: JsonValue) -> Outcome:
    return Outcome(Success(fields))


def _get_client_ip(question: Question) -> Outcome:
    return Outcome(Success({"ip": question.call.client_ip}, Envelope.ALONE))


def _get_ip(question: Question) -> Outcome:
    ip = question.ip()
    cidr = question.account.state.network_of(ip) if ip else None
    if cidr is None:
        return _malformed_ip(question)
    network = ipaddress.ip_network(cidr)
    described: dict[str, JsonValue] = {
        "network": str(network.network_address),
        "netmask": str(network.netmask),
        "gateway": str(network.network_address + 1),
        "broadcast": str(network.broadcast_address),
    }
    return _ok(module="ip", action="get_ip", data=described)


def _get_ptr(question: Question) -> Outcome:
    ip, server_id = question.ip(), question.number("id")
    if ip is None or server_id is None or not question.account.state.belongs(ip, server_id):
        return Outcome(BAD_ESCAPES)
    return _ok(message="\n".join(question.account.ptr(ip, question.call.at)))


def _update_ptr(question: Question) -> Outcome:
    ip, server_id = question.ip(), question.number("id")
    if ip is None:
        return _malformed_ip(question)
    if "ptr" not in question.call.form:
        return Outcome(INVALID_REQUEST)
    if server_id is None or not question.account.state.belongs(ip, server_id):
        return Outcome(Refusal(f"IP {question.text('ip')} is not assigned for server {question.text('id')}"))
    names = tuple(name.strip() for name in question.text("ptr").split("\n") if name.strip())
    seen = question.account.ptr(ip, question.call.at)
    effect = question.account.state.set_ptr(ip, server_id, names, question.call.at, question.propagation_s)
    return Outcome(Success({"message": ""}), Written(effect, ("ptr", ip), seen))


def _set_main(question: Question) -> Outcome:
    ip, server_id, account = question.ip(), question.number("id"), question.account
    # The vendor's own client sends the address as `main`; the page's example sends no `main` at all.
    if (
        ip is None
        or server_id is None
        or not account.state.belongs(ip, server_id)
        or question.text("main") not in ("", "0", "1", question.text("ip"))
    ):
        return Outcome(Refusal("invalid request (ID or IP mismatch)"))
    ipmi, at = question.text("main") == "0", question.call.at
    seen = account.ipmi(server_id, at) if ipmi else account.main(server_id, at)
    effect = account.state.set_main(ip, server_id, at, ipmi=ipmi)
    written = Written(effect, ("ipmi" if ipmi else "main", server_id), (seen,) if seen else ())
    return Outcome(Success({"message": "Data returned from ipv4_set_main function"}), written)


def _get_traffic(question: Question) -> Outcome:
    ip, period = question.ip(), _period(question)
    if ip is None:
        return _malformed_ip(question)
    if period is None:
        return Outcome(INVALID_REQUEST)
    points = question.account.state.traffic_of(ip, *period)
    if not points:
        return _no_traffic(question.text("ip"), *period)
    if question.text("summary") == "1":
        points = [_total(points, period[0])]
    return _ok(traffic=[_traffic_row(point) for point in points])


def _period(question: Question) -> tuple[int, int] | None:
    """Return [start, stop): the last day when neither is given, None for nonsense and for over two years."""
    start, stop = question.text("period_start"), question.text("period_stop")
    if not start and not stop:
        now = int(question.call.wall)
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
    return Outcome(Refusal(text, twice=True))


def _list_free_ip(question: Question) -> Outcome:
    location, subnet = question.text("location"), question.number("id")
    if subnet is None and (question.text("id") or not location):
        return Outcome(Refusal("illegal IP subnet"))
    ids = question.account.state.subnets(location, subnet)
    if not ids:
        return Outcome(Refusal("illegal IP subnet"))
    kept = slice(None, -1) if question.text("exclude_special") == "1" else slice(None)
    free = [row for subnet_id in ids for row in question.account.state.free_ips(subnet_id)[kept]]
    return _ok(ip=[f"{ip} {place}" for ip, place in free])


METHODS: Mapping[str, Method] = MappingProxyType(
    {
        "get_client_ip": Method(_get_client_ip),
        "get_ip": Method(_get_ip, get=False),
        "get_ptr": Method(_get_ptr),
        "get_traffic": Method(_get_traffic),
        "list_free_ip": Method(_list_free_ip),
        "set_main": Method(_set_main, get=False),
        "update_ptr": Method(_update_ptr, get=False),
    }
)

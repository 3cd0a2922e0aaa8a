"""What eq.php is asked about servers: what one has, and which of its addresses is the main one."""

from collections.abc import Iterator, Mapping

from bulkip.actions.action import Action, AnswerShapeError
from bulkip.addresses import canonical_ip
from bulkip.model import JsonValue
from bulkip.wire import ApiRequest

SCRIPT = "eq.php"
SHOW = "show"
MOST_ADDRESSES = 100_000
_HOLDERS = ("server_data", "data", "result")
_LISTS = ("IP", "ip", "ips")
_FLAGS: Mapping[object, bool] = {0: False, 1: True, "0": False, "1": True}  # `True == 1` in Python


def show_request(server_id: str) -> ApiRequest:
    """Return the question what a server has."""
    return ApiRequest(SHOW, {"id": server_id}, script=SCRIPT)


def addresses_in(value: JsonValue) -> tuple[str, ...]:
    """Return the addresses in the typed answer of `show`."""
    addresses = value.get("addresses") if isinstance(value, dict) else None
    return tuple(addresses) if isinstance(addresses, dict) else ()


def main_flag(value: JsonValue, ip: str) -> bool | None:
    """Return whether an address is the main one, in the typed answer of `show`; None when it is not told."""
    addresses = value.get("addresses") if isinstance(value, dict) else None
    flag = addresses.get(ip) if isinstance(addresses, dict) else None
    return flag if isinstance(flag, bool) else None


def _parse_show(envelope: Mapping[str, JsonValue]) -> JsonValue:
    entries = next(_lists(envelope), None)
    if entries is None:
        raise AnswerShapeError("`IP` is missing")
    flags: dict[str, JsonValue] = {}
    for entry in entries[:MOST_ADDRESSES]:
        ip, flag = _entry(entry)
        if ip is not None:
            flags[ip] = flag
    return {"addresses": flags}


def _lists(envelope: Mapping[str, JsonValue]) -> Iterator[list[JsonValue]]:
    """Yield the lists of addresses, at the top or one level below: sources disagree on where it stands."""
    nested = (envelope.get(name) for name in _HOLDERS)
    for holder in (envelope, *nested):
        if isinstance(holder, Mapping):
            yield from (found for name in _LISTS if isinstance(found := holder.get(name), list))


def _entry(entry: JsonValue) -> tuple[str | None, bool | None]:
    if not isinstance(entry, dict):
        return None, None
    text, flag = entry.get("ip", entry.get("IP")), entry.get("main_ip", entry.get("main"))
    try:
        ip = canonical_ip(text, allow_ipv6=True) if isinstance(text, str) else None
    except ValueError:
        ip = None
    return ip, _FLAGS.get(flag) if isinstance(flag, str | int) else None


SHOW_ACTION = Action.of_our_own(SHOW, "what does a server have?", _parse_show)
"""A job cannot ask for it: it only settles what a set_main left behind."""

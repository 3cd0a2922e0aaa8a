"""The action get_ip: in which network does an address live?"""

from collections.abc import Mapping

from bulkip.actions.action import Action, Allow, Parameter, Rendered
from bulkip.actions.checks import address
from bulkip.actions.forms import ipv6_problems, read_form, settled
from bulkip.actions.shapes import address_in, code_in, object_in, text_in
from bulkip.model import JsonValue

PARAMETERS = (Parameter("ip", "the address to look up", required=True, check=address),)


def build(values: Mapping[str, Rendered], allow: Allow) -> dict[str, str]:
    """Return the form: the address alone."""
    form, problems = read_form(PARAMETERS, values)
    return settled(form, problems + ipv6_problems(form, allow))


def parse(envelope: Mapping[str, JsonValue]) -> JsonValue:
    """Return the network's addresses; gateway and broadcast may be null, unknown fields are left out."""
    found = object_in(envelope.get("data"), "data")
    answer: dict[str, JsonValue] = {
        "network": address_in(found.get("network"), "data.network"),
        "netmask": address_in(found.get("netmask"), "data.netmask"),
        "gateway": _address_or_none(found.get("gateway"), "data.gateway"),
        "broadcast": _address_or_none(found.get("broadcast"), "data.broadcast"),
    }
    return answer | _extras(found)


def _address_or_none(value: JsonValue, field: str) -> str | None:
    return None if value is None or value == "" else address_in(value, field)


def _extras(found: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    readers = {"ip": address_in, "location": code_in, "status": text_in}
    return {
        name: read(found[name], f"data.{name}")
        for name, read in readers.items()
        if found.get(name) not in (None, "")
    }


ACTION = Action(
    name="get_ip",
    summary="the network of an address: network, mask, gateway, broadcast",
    parameters=PARAMETERS,
    build=build,
    objections=ipv6_problems,
    parse=parse,
    answer='{"network": "203.0.113.0", "netmask": "255.255.255.0", "gateway": "203.0.113.1", '
    '"broadcast": "203.0.113.255"}, with ip, location and status where the server gives them',
    example="- action: get_ip",
)

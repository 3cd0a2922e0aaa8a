"""The action get_client_ip: from which address does the server see us?"""

from collections.abc import Mapping

from bulkip.actions.action import Action, Allow, AnswerShapeError, Rendered
from bulkip.actions.forms import read_form, settled
from bulkip.actions.shapes import address_in, object_in
from bulkip.model import JsonValue


def build(values: Mapping[str, Rendered], _allow: Allow) -> dict[str, str]:
    """Return the empty form: nothing goes out besides action and token."""
    return settled(*read_form((), values))


def parse(envelope: Mapping[str, JsonValue]) -> JsonValue:
    """Return the address, which stands at the top (the page) or under `data` (a sibling page)."""
    found = [address_in(envelope["ip"], "ip")] if "ip" in envelope else []
    if envelope.get("data") is not None:
        found.append(address_in(object_in(envelope["data"], "data").get("ip"), "data.ip"))
    if len(set(found)) != 1:
        raise AnswerShapeError("`ip` is missing" if not found else "`ip` and `data.ip` differ")
    return {"ip": found[0]}


ACTION = Action(
    name="get_client_ip",
    summary="the address from which the server sees this client",
    parameters=(),
    build=build,
    parse=parse,
    self_evident=True,
    answer='{"ip": "192.0.2.1"}',
    example="- action: get_client_ip",
    needs_ip=False,
)

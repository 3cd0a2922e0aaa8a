"""The action list_free_ip: which addresses of a location or subnet are unused?"""

from collections.abc import Mapping

from bulkip.actions.action import Action, Allow, AnswerShapeError, Parameter, Rendered
from bulkip.actions.checks import flag, location, subnet_id
from bulkip.actions.forms import read_form, settled
from bulkip.actions.shapes import address_in, code_in, list_in
from bulkip.model import JsonValue

MOST_PARTS = 2

PARAMETERS = (
    Parameter("exclude_special", "1: leave special addresses out", check=flag),
    Parameter("location", "location code to search, such as NL", check=location),
    Parameter("id", "subnet id, for clients", check=subnet_id),
)


def build(values: Mapping[str, Rendered], _allow: Allow) -> dict[str, str]:
    """Return the form with what is given; which of them a token needs only the server knows."""
    return settled(*read_form(PARAMETERS, values))


def parse(envelope: Mapping[str, JsonValue]) -> JsonValue:
    """Return the free addresses, each with its location or null."""
    entries = list_in(envelope.get("ip"), "ip")
    return {"ips": [_free(entry, f"ip[{index}]") for index, entry in enumerate(entries)]}


def _free(entry: JsonValue, field: str) -> JsonValue:
    parts = entry.split() if isinstance(entry, str) else []
    if not 1 <= len(parts) <= MOST_PARTS:
        raise AnswerShapeError(f"`{field}` is not of the form ADDRESS LOCATION")
    code = code_in(parts[1], field) if len(parts) == MOST_PARTS else None
    return {"ip": address_in(parts[0], field), "location": code}


ACTION = Action(
    name="list_free_ip",
    summary="unused addresses of a location or of the client's subnet",
    parameters=PARAMETERS,
    build=build,
    parse=parse,
    answer='{"ips": [{"ip": "203.0.113.9", "location": "NL"}]}, location null where the server gives none',
    example="- action: list_free_ip\n  with: {id: 15, location: NL}",
    needs_ip=False,
)

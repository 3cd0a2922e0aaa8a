"""The action update_ptr: set the reverse name of an address."""

from collections.abc import Mapping

from bulkip.actions.action import Action, Allow, Parameter, Rendered
from bulkip.actions.checks import address, location, ptr_text, server_id
from bulkip.actions.forms import Problems, ipv6_problems, read_form, settled
from bulkip.model import ApiRequest, JsonValue

PARAMETERS = (
    Parameter("ip", "the address whose name is set", required=True, check=address),
    Parameter("id", "the server the address belongs to", required=True, check=server_id),
    Parameter(
        "ptr",
        "the host name, or a YAML list of several; empty clears and needs allow_empty: true",
        required=True,
        check=ptr_text,
        empty_is_a_value=True,
    ),
    Parameter("location", "the server's location code, such as NL", check=location),
)


def build(values: Mapping[str, Rendered], allow: Allow) -> dict[str, str]:
    """Return the form; `ptr` replaces whatever names the address had."""
    form, problems = read_form(PARAMETERS, values)
    return settled(form, problems + ipv6_problems(form, allow) + _empty_problems(form, allow))


def parse(_envelope: Mapping[str, JsonValue]) -> JsonValue:
    """Return nothing: the server's OK is all that it says."""
    return None


def read_back(form: Mapping[str, str]) -> ApiRequest:
    """Return the get_ptr that shows which names the address has now."""
    return ApiRequest("get_ptr", {name: form[name] for name in ("id", "ip", "location") if name in form})


def _empty_problems(form: Mapping[str, str], allow: Allow) -> Problems:
    if allow.empty or form.get("ptr") != "":
        return []
    return [("ptr", "is empty, which clears the PTR; set allow_empty: true if that is meant")]


ACTION = Action(
    name="update_ptr",
    summary="set the reverse name (PTR) of an address",
    parameters=PARAMETERS,
    build=build,
    parse=parse,
    answer="null",
    example='- action: update_ptr\n  with: {id: "{{ row.id }}", ptr: "{{ ip.dashed }}.example.net"}',
    writes=True,
    read_back=read_back,
    read_back_help="get_ptr with the same id, ip and location; several names compare as a set",
)

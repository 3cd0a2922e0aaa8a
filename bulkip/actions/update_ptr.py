"""The action update_ptr: set the reverse name of an address."""

from collections.abc import Mapping

from bulkip.actions.action import Action, Allow, Parameter, ReadBack, Rendered
from bulkip.actions.checks import address, location, ptr_text, server_id
from bulkip.actions.forms import Problems, ipv6_problems, read_form, settled
from bulkip.hostnames import ptr_names
from bulkip.model import JsonValue
from bulkip.wire import ApiRequest

PARAMETERS = (
    Parameter("ip", "the address whose name is set", required=True, check=address),
    Parameter("id", "the server the address belongs to, or `lookup`", required=True, check=server_id),
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
    return settled(form, problems + objections(form, allow))


def objections(form: Mapping[str, str], allow: Allow) -> Problems:
    """Return what is wrong with a form whose parameters are right."""
    if form.get("ptr") and ":" not in form.get("ip", ""):
        return []  # as nearly all of them
    return ipv6_problems(form, allow) + _empty_problems(form, allow)


def parse(_envelope: Mapping[str, JsonValue]) -> JsonValue:
    """Return nothing: the server's OK is all that it says."""
    return None


def show_request(form: Mapping[str, str]) -> ApiRequest:
    """Return the get_ptr that shows which names the address has now."""
    return ApiRequest("get_ptr", {name: form[name] for name in ("id", "ip", "location") if name in form})


def wanted(form: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names that the write sets; none when it clears."""
    return ptr_names(form.get("ptr", ""))


def shown_names(_form: Mapping[str, str], value: JsonValue) -> tuple[str, ...] | None:
    """Return the names in the typed answer of get_ptr."""
    match value.get("ptr") if isinstance(value, dict) else None:
        case str(name):
            return (name,)
        case list(names):
            return tuple(str(name) for name in names)
        case _:
            return () if isinstance(value, dict) else None


def _empty_problems(form: Mapping[str, str], allow: Allow) -> Problems:
    if allow.empty or form.get("ptr") != "":
        return []
    return [("ptr", "is empty, which clears the PTR; set allow_empty: true if that is meant")]


ACTION = Action(
    name="update_ptr",
    summary="set the reverse name (PTR) of an address",
    parameters=PARAMETERS,
    build=build,
    objections=objections,
    parse=parse,
    answer="null",
    example='- action: update_ptr\n  with: {id: "{{ row.id }}", ptr: "{{ ip.dashed }}.example.net"}',
    writes=True,
    read_back=ReadBack(show_request, wanted, shown_names),
    read_back_help="get_ptr with the same id, ip and location; several names compare as a set",
)

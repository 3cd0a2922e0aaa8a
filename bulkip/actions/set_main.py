"""The action set_main: make an address the main one of its server."""

from collections.abc import Mapping

from bulkip.actions.action import Action, Allow, Parameter, ReadBack, Rendered
from bulkip.actions.checks import address, one_text, server_id, single_line
from bulkip.actions.checks import shown as quoted_value
from bulkip.actions.eq_show import main_flag, show_request
from bulkip.actions.forms import Problems, ipv6_problems, read_form, settled
from bulkip.model import JsonValue
from bulkip.wire import ApiRequest

IPMI = "0"
IPV4 = "1"

PARAMETERS = (
    Parameter("id", "the server the address belongs to, or `lookup`", required=True, check=server_id),
    Parameter("ip", "the address to make the main one", required=True, check=address),
    Parameter(
        "main",
        "1: IPv4, 0: IPMI (needs allow_ipmi: true), or the address itself; never guessed",
        required=True,
        check=one_text,
    ),
    Parameter("description", "one line of text kept with the address", check=single_line),
)


def build(values: Mapping[str, Rendered], allow: Allow) -> dict[str, str]:
    """Return the form; `main` goes out as its author stated it."""
    form, problems = read_form(PARAMETERS, values)
    return settled(form, problems + objections(form, allow))


def objections(form: Mapping[str, str], allow: Allow) -> Problems:
    """Return what is wrong with a form whose parameters are right."""
    return ipv6_problems(form, allow) + _main_problems(form, allow)


def parse(_envelope: Mapping[str, JsonValue]) -> JsonValue:
    """Return nothing: what the server says beside its OK has no meaning."""
    return None


def show(form: Mapping[str, str]) -> ApiRequest:
    """Return the eq/show that tells which address of the server is the main one."""
    return show_request(form["id"])


def wanted(form: Mapping[str, str]) -> tuple[str, ...]:
    """Return what the reading says once the write has happened."""
    return (f"{form['ip']} is the main address",)


def undone(form: Mapping[str, str]) -> tuple[str, ...]:
    """Return what the reading says while the write has not happened."""
    return (f"{form['ip']} is not the main address",)


def shown(form: Mapping[str, str], value: JsonValue) -> tuple[str, ...] | None:
    """Return what eq/show says of the address; it tells nothing of the management interface."""
    flag = None if form.get("main") == IPMI else main_flag(value, form["ip"])
    if flag is None:
        return None
    return wanted(form) if flag else undone(form)


def _main_problems(form: Mapping[str, str], allow: Allow) -> Problems:
    main = form.get("main", IPV4)
    if main == IPMI and not allow.ipmi:
        return [("main", "0 touches the management interface (IPMI); set allow_ipmi: true if that is meant")]
    if main in (IPMI, IPV4, form.get("ip", main)):
        return []
    return [
        ("main", f"{quoted_value(main)} is neither 1 (IPv4) nor 0 (IPMI) nor the address itself; write 1")
    ]


ACTION = Action(
    name="set_main",
    summary="make an address the main one of its server (it may change billing)",
    parameters=PARAMETERS,
    build=build,
    objections=objections,
    parse=parse,
    answer="null",
    example='- action: set_main\n  with: {id: "{{ row.id }}", main: 1}',
    writes=True,
    replayable=False,
    read_back=ReadBack(show, wanted, shown, undone),
    read_back_help="eq/show of the server, where the token may ask it; otherwise a doubt stays unknown",
)

"""The action get_ptr: which reverse name does an address have?"""

import re
from collections.abc import Mapping

from bulkip.actions.action import Action, Allow, AnswerShapeError, Parameter, Rendered
from bulkip.actions.checks import address, location, server_id
from bulkip.actions.forms import ipv6_problems, read_form, settled
from bulkip.hostnames import LONGEST_NAME, ptr_names
from bulkip.model import JsonValue

MOST_NAMES = 100
LONGEST_MESSAGE = (LONGEST_NAME + 3) * MOST_NAMES  # each with a dot and a line end

PARAMETERS = (
    Parameter("id", "the server the address belongs to, or `lookup`", required=True, check=server_id),
    Parameter("ip", "the address to look up", required=True, check=address),
    Parameter("location", "the server's location code, such as NL", check=location),
)

# What a zone may already hold is wider than what we would write: single labels, wildcards, slashes.
_NAME = re.compile(r"[\w*/-]+(?:\.[\w*/-]+)*")


def build(values: Mapping[str, Rendered], allow: Allow) -> dict[str, str]:
    """Return the form: id, ip, and location where it is given."""
    form, problems = read_form(PARAMETERS, values)
    return settled(form, problems + ipv6_problems(form, allow))


def parse(envelope: Mapping[str, JsonValue]) -> JsonValue:
    """Return the name, the names where there are several, or null where there is none.

    The server answers in `message`, one name a line; empty or null means that
    there is no PTR, but a missing `message` is no answer.
    """
    message = envelope.get("message", False)
    if message is None:
        return {"ptr": None}
    if not isinstance(message, str) or len(message) > LONGEST_MESSAGE:
        raise AnswerShapeError("`message` is missing, too long or no text, expected the PTR name")
    if _is_name(message):  # nearly always
        return {"ptr": message}
    return _ptr(ptr_names(message))


def _ptr(names: tuple[str, ...]) -> JsonValue:
    if len(names) > MOST_NAMES or not all(map(_is_name, names)):
        raise AnswerShapeError("`message` holds something else than PTR names")
    if len(names) == 1:
        return {"ptr": names[0]}
    return {"ptr": list(names) or None}


def _is_name(text: str) -> bool:
    return len(text) <= LONGEST_NAME and _NAME.fullmatch(text) is not None


ACTION = Action(
    name="get_ptr",
    summary="the reverse name (PTR) of an address",
    parameters=PARAMETERS,
    build=build,
    objections=ipv6_problems,
    parse=parse,
    answer='{"ptr": "mail.example.net"}, a list where there are several, null where there is none',
    example='- action: get_ptr\n  with: {id: "{{ row.id }}", location: NL}',
)

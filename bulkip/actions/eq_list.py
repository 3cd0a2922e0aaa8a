"""What eq.php is asked to find servers: all of the account, or those that have an address."""

import re
from collections.abc import Mapping

from bulkip.actions.action import Action, AnswerShapeError
from bulkip.actions.eq_show import SCRIPT
from bulkip.model import ErrorClass, JsonValue, Result, Status
from bulkip.wire import ApiRequest

LIST = "list"
MOST_SERVERS = 100_000
SHOWN_SERVERS = 5
NOT_LOOKED_UP = "no server id was found (`id: lookup`), so nothing was sent; state the id in the job"
_HOLDERS = ("data", "result")
_ID = re.compile(r"[1-9][0-9]{0,9}")

LIST_REQUEST = ApiRequest(LIST, {}, script=SCRIPT)
"""The question which servers the account has."""


def search_request(ip: str) -> ApiRequest:
    """Return the question on which servers an address is."""
    return ApiRequest(LIST, {"ip": ip}, script=SCRIPT)


def servers_in(value: JsonValue) -> tuple[str, ...]:
    """Return the ids in the typed answer of `list`."""
    found = value.get("servers") if isinstance(value, dict) else None
    return tuple(str(one) for one in found) if isinstance(found, list) else ()


def not_one(servers: tuple[str, ...]) -> Result:
    """Return how an item ends whose address is on none or on several servers."""
    if not servers:
        text = "the address is on none of this account's servers"
        return Result(Status.FAILED, ErrorClass.NOT_FOUND, message=text, note=NOT_LOOKED_UP)
    more = f" and {len(servers) - SHOWN_SERVERS:,} more" if len(servers) > SHOWN_SERVERS else ""
    text = f"the address is on several servers: {', '.join(servers[:SHOWN_SERVERS])}{more}"
    return Result(Status.FAILED, ErrorClass.INVALID, message=text, note=NOT_LOOKED_UP)


def _parse_list(envelope: Mapping[str, JsonValue]) -> JsonValue:
    """Return the ids, each once; an entry that is none makes the whole list doubtful."""
    entries = _listed(envelope)
    if entries is None or len(entries) > MOST_SERVERS:
        raise AnswerShapeError("`servers` is missing, too long or no list")
    ids: list[JsonValue] = [*dict.fromkeys(map(_id, entries))]
    return {"servers": ids}


def _listed(envelope: Mapping[str, JsonValue]) -> list[JsonValue] | None:
    """Return the list, which stands at the top or one level below."""
    nested = (envelope.get(name) for name in _HOLDERS)
    for holder in (envelope, *nested):
        found = holder.get("servers") if isinstance(holder, Mapping) else None
        if isinstance(found, list):
            return found
    return None


def _id(entry: JsonValue) -> str:
    number = entry.get("id") if isinstance(entry, dict) else entry
    text = str(number) if isinstance(number, int | str) and not isinstance(number, bool) else ""
    if _ID.fullmatch(text) is None:
        raise AnswerShapeError("`servers` holds something else than ids")
    return text


LIST_ACTION = Action.of_our_own(LIST, "which servers are there?", _parse_list)
"""A job asks for it by writing `id: lookup`."""

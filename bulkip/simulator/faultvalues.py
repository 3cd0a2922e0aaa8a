"""Which value each field of a fault file holds, and how its text becomes one."""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any, TypeAlias

from bulkip.jobfile import Node
from bulkip.model import JsonValue
from bulkip.quantities import parse_duration_s, parse_percent
from bulkip.simulator.callbacks import Finish
from bulkip.simulator.faultchecks import closest
from bulkip.simulator.nameserver.troubles import DnsTrouble
from bulkip.simulator.sessions import TokenEnd

Parser: TypeAlias = Callable[[Node], Any]

MAX_ATTEMPT = 1000
MAX_CHECKS = 1_000_000
_ATTEMPTS = re.compile(r"([0-9]{1,4})(?:-([0-9]{1,4}))?")


class MistakeError(ValueError):
    """Raised when a field of a rule does not hold what belongs there."""


def _text(node: Node) -> str:
    if not isinstance(node, str):
        raise MistakeError(f"`{_shown(node)}` is no text; put it in quotes")
    return node


def whole_number(node: Node) -> int:
    """Return a whole number; raises `MistakeError` for anything else."""
    if isinstance(node, bool) or not isinstance(node, int):
        raise MistakeError(f"`{_shown(node)}` is not a whole number")
    return node


def _flag(node: Node) -> bool:
    if not isinstance(node, bool):
        raise MistakeError(f"`{_shown(node)}` is neither true nor false")
    return node


def _duration_s(node: Node) -> float:
    return parse_duration_s(_shown(node))


def _probability(node: Node) -> float:
    return float(parse_percent(_shown(node)).value) / 100


def _token_end(node: Node) -> TokenEnd:
    known = tuple(end.value for end in TokenEnd)
    if not isinstance(node, str) or node not in known:
        raise MistakeError(f"a token does not die `{_shown(node)}`; {closest(_shown(node), known)}")
    return TokenEnd(node)


def _dns_trouble(node: Node) -> DnsTrouble:
    known = tuple(trouble.value for trouble in DnsTrouble)
    if not isinstance(node, str) or node not in known:
        raise MistakeError(f"no DNS trouble is called `{_shown(node)}`; {closest(_shown(node), known)}")
    return DnsTrouble(node)


def _texts(node: Node) -> tuple[str, ...]:
    return tuple(_text(each) for each in (node if isinstance(node, list) else [node]))


def _finish(node: Node) -> Finish:
    """Return when a callback says OK: a plain number counts checks, anything with a unit is a time."""
    if isinstance(node, int) and not isinstance(node, bool):
        if not 0 <= node <= MAX_CHECKS:
            raise MistakeError(f"`{node}` checks are out of range; from 0 to {MAX_CHECKS}")
        return Finish(checks=node)
    if not isinstance(node, str):
        raise MistakeError(f"`{_shown(node)}` is neither a number of checks like 3 nor a time like 2s")
    return Finish(after_s=parse_duration_s(node))


def _attempts(node: Node) -> tuple[int, ...]:
    if isinstance(node, list):
        return tuple(attempt for entry in node for attempt in _attempts(entry))
    match = _ATTEMPTS.fullmatch(_shown(node))
    first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
    if not 1 <= first <= last <= MAX_ATTEMPT:
        raise MistakeError(f"`{_shown(node)}` is no attempt; write 2, 1-3 or [1, 3], up to {MAX_ATTEMPT}")
    return tuple(range(first, last + 1))


def _headers(node: Node) -> dict[str, str]:
    if not isinstance(node, dict) or any(isinstance(value, dict | list) for value in node.values()):
        raise MistakeError("headers are a mapping like {X-Edge: fra}")
    return {name: _shown(value) for name, value in node.items()}


def _json(node: Node) -> JsonValue:
    """Return a node as JSON; null has its own text, because here it would mean no answer at all."""
    if node is None:
        raise MistakeError('null is no answer here; write `body: "null"`')
    return _plain(node)


def _plain(node: Node) -> JsonValue:
    if isinstance(node, dict):
        return {key: _plain(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_plain(value) for value in node]
    return float(node) if isinstance(node, Decimal) else node


def _shown(node: Node) -> str:
    """Return a node as the user wrote it, or nearly."""
    if node is None or isinstance(node, bool):
        return {None: "null", True: "true", False: "false"}[node]
    return str(node)[:60]


FIELDS: Mapping[str, tuple[str, Parser]] = MappingProxyType(
    {
        "action": ("action", _text),
        "ip": ("ip", _text),
        "attempt": ("attempts", _attempts),
        "every": ("every", whole_number),
        "times": ("times", whole_number),
        "probability": ("probability", _probability),
        "delay": ("delay_s", _duration_s),
        "status": ("status", whole_number),
        "retry_after": ("retry_after_s", _duration_s),
        "headers": ("headers", _headers),
        "content_type": ("content_type", _text),
        "body": ("body", _text),
        "json": ("json", _json),
        "reset": ("reset", _text),
        "hang": ("hang_s", _duration_s),
        "effect": ("effect", _flag),
        "redirect": ("redirect", whole_number),
        "to": ("to", _text),
        "bomb": ("bomb_mib", whole_number),
        "token": ("token", _token_end),
        "callback": ("callback", _finish),
        "lag": ("lag_s", _duration_s),
        "drip": ("drip", whole_number),
        "truncate": ("truncate", whole_number),
        "clean": ("clean", _flag),
        "duplicate_keys": ("duplicate_keys", _flag),
        "keep_alive": ("keep_alive", _text),
        "propagation": ("propagation_s", _duration_s),
        "dns": ("dns", _dns_trouble),
        "type": ("query_type", _text),
        "name": ("query_name", _text),
        "names": ("wrong_names", _texts),
        "server": ("server", whole_number),
    }
)

"""Which faults a fault file asks for.

    version: 1
    faults:
      - {action: update_ptr, ip: 203.0.113.7, attempt: 1, status: 503}
      - {action: get_ptr, every: 25, attempt: 1, status: 429, retry_after: 1s}
      - {action: update_ptr, ip: 203.0.113.16/28, attempt: 1-2, reset: after}
      - {action: "*", attempt: [1, 3], hang: 60s, effect: true, times: 2}
      - {action: get_ip, status: 200, body: "<html></html>", content_type: text/html}
      - {action: get_ip, json: {code: -1, message: no}, headers: {X-Edge: fra}}
      - {action: get_traffic, delay: 300ms}

The first rule that fits a call wins. Which calls it fits:
`action`   one action, or "*" (the default) for all.
`ip`       an address, a network or a range; all when absent.
`attempt`  the how-manieth call of this action for this address: 2, 1-3 or [1, 3];
           every one when absent. Calls refused by a rate limit are not counted.
`every`    N: every Nth address, in the order in which the action first saw them.
`times`    how often the rule applies at most.

What happens to them, one of:
`status`, `body`, `json`  a wrong answer, with `content_type`, `headers`, `retry_after`.
`reset`    the connection breaks: `before` or `after` the call had its effect
           (a TCP reset), or `close` (a clean end, without an effect).
`hang`     silence for so long, then a clean end.
`delay`    alone: the right answer, late. With one of the others: they come late.

`effect: true` carries out a write although its answer is lost or wrong.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeAlias

from bulkip.errors import JobError
from bulkip.jobfile import Node, NodePath, Tree, read_tree
from bulkip.model import JsonValue, Place, Problem
from bulkip.quantities import parse_duration_s
from bulkip.simulator.faults import Fault, FaultError, closest

Parser: TypeAlias = Callable[[Node], Any]

MAX_ATTEMPT = 1000
_BY_THEMSELVES = ("action", "ip", "attempt", "every", "times")
_TOP = ("version", "faults")
_ATTEMPTS = re.compile(r"([0-9]{1,4})(?:-([0-9]{1,4}))?")


class MistakeError(ValueError):
    """Raised when a field of a rule does not hold what belongs there."""


def read_faults(path: str | Path) -> tuple[Fault, ...]:
    """Read a fault file; raises `JobError` with every mistake in it."""
    tree = read_tree(path)
    problems: list[Problem] = []
    faults = [_fault(tree, at, entry, problems) for at, entry in _entries(tree, problems)]
    if problems:
        raise JobError(sorted(problems, key=lambda problem: (problem.place.line, problem.place.column)))
    return tuple(fault for fault in faults if fault is not None)


def _entries(tree: Tree, problems: list[Problem]) -> Iterator[tuple[NodePath, dict[str, Node]]]:
    """Yield the entries of `faults` that are mappings, and note what is wrong around them."""
    root = tree.root
    if not isinstance(root, dict):
        problems.append(Problem(tree.place(()), "a fault file is a mapping with `version: 1` and `faults`"))
        return
    problems.extend(_unknown_keys(tree, (), root, _TOP))
    if root.get("version") != 1:
        problems.append(Problem(tree.place(("version",)), "a fault file begins with `version: 1`"))
    faults = root.get("faults")
    if not isinstance(faults, list):
        problems.append(Problem(tree.place(("faults",)), "`faults` is a list of rules; an empty one is `[]`"))
        return
    for number, entry in enumerate(faults):
        if isinstance(entry, dict):
            yield ("faults", number), entry
        else:
            text = "a fault is a mapping like {action: get_ptr, attempt: 1, status: 503}"
            problems.append(Problem(tree.place(("faults", number)), text))


def _unknown_keys(
    tree: Tree, at: NodePath, node: Mapping[str, Node], known: tuple[str, ...]
) -> Iterator[Problem]:
    for key in node:
        if key not in known:
            text = f"unknown key `{key}`; {closest(key, known)}"
            yield Problem(tree.key_place((*at, key)), text)


def _fault(tree: Tree, at: NodePath, entry: dict[str, Node], problems: list[Problem]) -> Fault | None:
    """Return one fault, or None when something is wrong with it."""
    found = list(_unknown_keys(tree, at, entry, tuple(_FIELDS)))
    fields: dict[str, Any] = {}
    for key, (name, parse) in _FIELDS.items():
        if key not in entry:
            continue
        try:
            fields[name] = parse(entry[key])
        except ValueError as error:
            found.append(Problem(tree.place((*at, key)), f"{key}: {error}"))
    fault: Fault | None = None
    try:
        fault = Fault(**fields)
    except FaultError as error:
        # After a field that could not be read, only what stands by itself is certain.
        certain = [(key, text) for key, text in error.problems if not found or key in _BY_THEMSELVES]
        found.extend(
            Problem(_place(tree, at, key), f"{key}: {text}" if key else text) for key, text in certain
        )
    problems.extend(found)
    return fault


def _place(tree: Tree, at: NodePath, key: str) -> Place:
    return tree.place((*at, key) if key else at)


def _text(node: Node) -> str:
    if not isinstance(node, str):
        raise MistakeError(f"`{_shown(node)}` is no text; put it in quotes")
    return node


def _number(node: Node) -> int:
    if isinstance(node, bool) or not isinstance(node, int):
        raise MistakeError(f"`{_shown(node)}` is not a whole number")
    return node


def _flag(node: Node) -> bool:
    if not isinstance(node, bool):
        raise MistakeError(f"`{_shown(node)}` is neither true nor false")
    return node


def _duration_s(node: Node) -> float:
    return parse_duration_s(_shown(node))


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


_FIELDS: Mapping[str, tuple[str, Parser]] = MappingProxyType(
    {
        "action": ("action", _text),
        "ip": ("ip", _text),
        "attempt": ("attempts", _attempts),
        "every": ("every", _number),
        "times": ("times", _number),
        "delay": ("delay_s", _duration_s),
        "status": ("status", _number),
        "retry_after": ("retry_after_s", _duration_s),
        "headers": ("headers", _headers),
        "content_type": ("content_type", _text),
        "body": ("body", _text),
        "json": ("json", _json),
        "reset": ("reset", _text),
        "hang": ("hang_s", _duration_s),
        "effect": ("effect", _flag),
    }
)

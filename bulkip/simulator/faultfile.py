"""Which faults a fault file asks for.

    version: 1
    seed: 7
    faults:
      - {action: update_ptr, ip: 203.0.113.7, attempt: 1, status: 503}
      - {action: get_ptr, every: 25, attempt: 1, status: 429, retry_after: 1s}
      - {action: update_ptr, ip: 203.0.113.16/28, attempt: 1-2, reset: after}
      - {action: "*", attempt: [1, 3], hang: 60s, effect: true, times: 2}
      - {action: get_ip, status: 200, body: "<html></html>", content_type: text/html}
      - {action: get_ip, json: {code: -1, message: no}, headers: {X-Edge: fra}}
      - {action: get_traffic, delay: 300ms, probability: 5%}
      - {action: get_ptr, times: 1, token: expired}
      - {action: update_ptr, callback: 3}
      - {action: update_ptr, reset: after, lag: 2s}
      - {action: get_ip, redirect: 307}
      - {action: update_ptr, ip: 203.0.113.8, propagation: 30s}
      - {dns: servfail, type: PTR, ip: 203.0.113.9, attempt: 1-2}
      - {dns: wrong, ip: 203.0.113.10, names: [other.example.net]}

The first rule that fits a call wins. Which calls it fits:
`action`   one action, or "*" (the default) for all; of auth.php: login, info,
           logout; of eq.php: list, show, update_servers; of eq_callback.php: check.
`ip`       an address, a network or a range; all when absent.
`attempt`  the how-manieth call of this action for this address: 2, 1-3 or [1, 3];
           every one when absent. Calls refused by a rate limit are not counted.
`every`    N: every Nth address, in the order in which the action first saw them.
`times`    how often the rule applies at most.
`probability`  5%: so many of the calls that fit. Which ones follows from the
           file's `seed` (0 without one), the rule's number, the action, the
           address and the attempt, so that a repeated run meets the same.

What happens to them, one of:
`status`, `body`, `json`  a wrong answer, with `content_type`, `headers`, `retry_after`.
`redirect` 301, 302, 303, 307 or 308, `to` a URL on this machine; without one to
           the simulator's own /elsewhere.php, whose log tells who followed.
`bomb`     N: a gzipped answer of N MiB of spaces.
`reset`    the connection breaks: `before` or `after` the call had its effect
           (a TCP reset), or `close` (a clean end, without an effect).
`hang`     silence for so long, then a clean end.
`token`    the token of the call dies, for good: `expired`, `invalid` or `hash`
           say with which words this call and all later ones are refused.
`callback` a write that is accepted, but not final: eq_callback.php says "pending"
           N times, or for so long (2s), and readers see the old value until OK.

What changes the answer that goes back, be it wrong or right; alone or together:
`delay`    it comes so much later.
`lag`      what a write changed is seen by readers so much later.
`propagation`  what a write changed is seen in DNS so much later.
`drip`     N: it arrives at N bytes per second.
`truncate` N: the body ends after N bytes, too early for its Content-Length, and
           the connection with it; `clean: true` lets Content-Length say N.
`duplicate_keys: true`  the last key of the JSON object comes again, with null.
`keep_alive: close`     the connection ends behind the answer, unannounced.

`effect: true` carries out a write although its answer is lost or wrong.

A rule with `dns` is about DNS queries, which no other rule is. Which ones:
`ip`       whose reverse name is asked for, or to which a name that is asked for leads.
`type`     PTR, A, AAAA, SOA, NS, CNAME or TXT; all when absent.
`name`     a name, and all names below it.
`server`   1, or 2 for the second server.
`attempt`, `every`, `times`, `probability`  as above, counted for each server and type.
What happens to them: `servfail`, `refuse`, `timeout` (silence), `truncate` (over UDP
only, so that TCP is tried), `nxdomain`, `empty` (the name is there, the record is
not), `wrong` (other `names`, or addresses), `lame` (no authority, but a hint at
the root), `no-edns` (FORMERR for queries with EDNS), `garbage`, `late` (by `delay`,
which all others may have too).
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bulkip.errors import JobError
from bulkip.jobfile import Node, NodePath, Tree, read_tree
from bulkip.model import Place, Problem
from bulkip.simulator.faultchecks import closest
from bulkip.simulator.faults import Fault, FaultError
from bulkip.simulator.faultvalues import FIELDS, whole_number

_BY_THEMSELVES = ("action", "ip", "attempt", "every", "times", "probability")
_TOP = ("version", "seed", "faults")


def read_faults(path: str | Path) -> tuple[Fault, ...]:
    """Read a fault file; raises `JobError` with every mistake in it."""
    tree = read_tree(path)
    problems: list[Problem] = []
    seed = _seed(tree, problems)
    faults = [_fault(tree, at, entry, seed, problems) for at, entry in _entries(tree, problems)]
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


def _seed(tree: Tree, problems: list[Problem]) -> int:
    """Return the seed of all probabilities."""
    if not isinstance(tree.root, dict) or "seed" not in tree.root:
        return 0
    try:
        return whole_number(tree.root["seed"])
    except ValueError as error:
        problems.append(Problem(tree.place(("seed",)), f"seed: {error}"))
        return 0


def _unknown_keys(
    tree: Tree, at: NodePath, node: Mapping[str, Node], known: tuple[str, ...]
) -> Iterator[Problem]:
    for key in node:
        if key not in known:
            text = f"unknown key `{key}`; {closest(key, known)}"
            yield Problem(tree.key_place((*at, key)), text)


def _fault(
    tree: Tree, at: NodePath, entry: dict[str, Node], seed: int, problems: list[Problem]
) -> Fault | None:
    """Return one fault, or None when something is wrong with it."""
    found = list(_unknown_keys(tree, at, entry, tuple(FIELDS)))
    fields: dict[str, Any] = {"seed": seed}
    for key, (name, parse) in FIELDS.items():
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

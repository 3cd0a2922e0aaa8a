"""What is wrong with a fault rule: each mistake with the field's name in a fault file, and the way out."""

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from http import HTTPStatus
from ipaddress import ip_address
from urllib.parse import urlsplit

from bulkip.addresses import parse_expression
from bulkip.simulator.faultfields import FaultFields
from bulkip.simulator.nameserver.faultchecks import query_problems
from bulkip.simulator.scripts import ACTIONS, WRITES

RESETS = ("before", "after", "close")
REDIRECTS = (301, 302, 303, 307, 308)
LONGEST_S = 86400.0
BIGGEST_BOMB_MIB = 256
FINAL_STATUSES = range(200, 600)

_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\xa0-\xff]*")
_URL = re.compile(r"[\x21-\x7e]+")
_ANSWER_FIELDS = ("status", "body", "json")

Mistake = tuple[str, str]


class FaultError(ValueError):
    """Raised with every mistake of a fault: the field's name in a fault file, and what is wrong with it."""

    def __init__(self, problems: list[Mistake]) -> None:
        """Keep pairs of field name and message."""
        self.problems = tuple(problems)
        super().__init__("; ".join(f"{name}: {message}" for name, message in problems))


def closest(word: str, known: tuple[str, ...]) -> str:
    """Return the end of a message about an unknown word: the nearest known one, or all of them."""
    near = get_close_matches(word, known, 1)
    return f"did you mean `{near[0]}`?" if near else f"known are {', '.join(known)}"


def problems_of(fault: FaultFields) -> Iterator[Mistake]:
    """Yield everything that is wrong with a fault."""
    yield from _target_problems(fault)
    yield from _chance_problems(fault)
    yield from query_problems(fault)
    yield from _wait_problems(fault)
    if fault.dns is not None:
        return
    yield from _deed_problems(fault)
    yield from _effect_problems(fault)
    yield from _answer_problems(fault)
    yield from _redirect_problems(fault)
    yield from _delivery_problems(fault)


def _target_problems(fault: FaultFields) -> Iterator[Mistake]:
    if fault.action != "*" and fault.action not in ACTIONS:
        yield "action", f"no action is called `{fault.action}`; {closest(fault.action, (*ACTIONS, '*'))}"
    elif fault.needs_a_write and fault.action not in ("*", *WRITES):
        left = {"lag": fault.lag_s, "callback": fault.callback, "propagation": fault.propagation_s}
        name = next(name for name, value in left.items() if value is not None)
        yield name, f"`{fault.action}` writes nothing; it fits {' and '.join(WRITES)}"
    try:
        if fault.ip is not None and parse_expression(fault.ip, allow_ipv6=True).excluded:
            yield "ip", f"`{fault.ip}` excludes; write the addresses the fault applies to"
    except ValueError as error:
        yield "ip", str(error)
    if any(attempt < 1 for attempt in fault.attempts):
        yield "attempt", "attempts count from 1"


def _chance_problems(fault: FaultFields) -> Iterator[Mistake]:
    if fault.every < 1:
        yield "every", f"`{fault.every}` is not a distance; 1 is every address"
    if fault.times is not None and fault.times < 1:
        yield "times", f"`{fault.times}` applications is none; remove the fault instead"
    if not 0 < fault.probability <= 1:
        yield "probability", "is above 0% and at most 100%; a fault that never applies can be removed"


def _deed_problems(fault: FaultFields) -> Iterator[Mistake]:
    """Yield what is wrong with the choice between the things that exclude each other."""
    deeds = _deeds(fault)
    if len(deeds) > 1:
        yield deeds[0], f"a call cannot have {' and '.join(deeds)} at once (body and json count as status)"
    if not deeds and not fault.delay_s and not _changes(fault):
        known = "status, body, json, redirect, bomb, reset, hang, token, callback, dns"
        yield "", f"the fault says nothing to do; give one of {known}, {', '.join(_CHANGES)} or delay"
    if fault.reset is not None and fault.reset not in RESETS:
        yield "reset", f"`{fault.reset}` is not a way to reset; {closest(fault.reset, RESETS)}"
    if fault.bomb_mib is not None and not 1 <= fault.bomb_mib <= BIGGEST_BOMB_MIB:
        yield "bomb", f"`{fault.bomb_mib}` MiB is out of range; from 1 to {BIGGEST_BOMB_MIB}"


def _deeds(fault: FaultFields) -> list[str]:
    chosen = {
        "reset": fault.reset,
        "hang": fault.hang_s,
        "redirect": fault.redirect,
        "bomb": fault.bomb_mib,
        "token": fault.token,
        "callback": fault.callback,
    }
    own = any(each is not None for each in (fault.status, fault.body, fault.json))
    return [*(name for name, value in chosen.items() if value is not None), *(["status"] if own else [])]


_LEFT_BY_WRITES = ("lag", "propagation")
_CHANGES = (*_LEFT_BY_WRITES, "drip", "truncate", "duplicate_keys", "keep_alive")


def _changes(fault: FaultFields) -> list[str]:
    values = (
        *(fault.lag_s, fault.propagation_s, fault.drip),
        *(fault.truncate, fault.duplicate_keys or None, fault.keep_alive),
    )
    return [name for name, value in zip(_CHANGES, values, strict=True) if value is not None]


def _effect_problems(fault: FaultFields) -> Iterator[Mistake]:
    if fault.reset in ("before", "after") and fault.effect not in (None, fault.reset == "after"):
        yield "effect", f"contradicts `reset: {fault.reset}`; remove it"
    if fault.effect is not None and fault.answers_rightly:
        yield "effect", "a right answer has its effect; add a status, reset or hang, or remove it"
    for name, seconds in zip(_LEFT_BY_WRITES, (fault.lag_s, fault.propagation_s), strict=True):
        if seconds is not None and not fault.answers_rightly and not fault.carries_out:
            yield name, "without an effect nothing lags; add `effect: true` or remove it"
    if fault.lag_s is not None and fault.callback is not None:
        yield "lag", "a callback hides the new value by itself; remove it"


def _wait_problems(fault: FaultFields) -> Iterator[Mistake]:
    waits = {
        "delay": fault.delay_s,
        "hang": fault.hang_s,
        "retry_after": fault.retry_after_s,
        "lag": fault.lag_s,
        "propagation": fault.propagation_s,
        "callback": fault.callback.after_s if fault.callback else None,
    }
    for name, seconds in waits.items():
        if seconds is not None and not 0 <= seconds <= LONGEST_S:
            yield name, f"`{seconds:g}s` is out of range; from 0s to 24h"


def _answer_problems(fault: FaultFields) -> Iterator[Mistake]:
    """Yield what is wrong with an answer of its own."""
    if fault.status is not None and fault.status not in FINAL_STATUSES:
        yield "status", f"`{fault.status}` is not a final HTTP status; from 200 to 599"
    if fault.body is not None and fault.json is not None:
        yield "json", "stands beside `body`; keep one of them"
    if fault.status == HTTPStatus.OK and fault.body is None and fault.json is None:
        yield "status", "200 is what a right answer has; add the `body` or `json` that is wrong"
    given = {"content_type": fault.content_type, "headers": fault.headers, "retry_after": fault.retry_after_s}
    for name, value in given.items():
        if value not in (None, {}) and not fault.answers:
            yield name, f"needs an answer to stand in; add one of {', '.join(_ANSWER_FIELDS)}"
    yield from _header_problems({**fault.headers, "Content-Type": fault.content_type or ""}, fault.headers)


def _header_problems(sent: Mapping[str, str], own: Mapping[str, str]) -> Iterator[Mistake]:
    for name, value in sent.items():
        if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
            yield "headers" if name in own else "content_type", f"`{name}` cannot go into a header"


def _redirect_problems(fault: FaultFields) -> Iterator[Mistake]:
    if fault.redirect is not None and fault.redirect not in REDIRECTS:
        yield "redirect", f"`{fault.redirect}` does not redirect; {', '.join(map(str, REDIRECTS))} do"
    if fault.to is None:
        return
    if fault.redirect is None:
        yield "to", "says where a redirect leads; add `redirect: 307`"
    elif not _on_loopback(fault.to):
        yield "to", f"`{fault.to}` is not on this machine; write http://127.0.0.1:PORT/PATH"


def _on_loopback(url: str) -> bool:
    """Say whether a URL, without anything that reads differently elsewhere, leads to this machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        return (
            _URL.fullmatch(url) is not None
            and "\\" not in url
            and parts.scheme in ("http", "https")
            and (parts.port is None or parts.port > 0)
            and (host == "localhost" or ip_address(host).is_loopback)
        )
    except ValueError:
        return False


def _delivery_problems(fault: FaultFields) -> Iterator[Mistake]:
    """Yield what is wrong with how an answer goes back."""
    if fault.drip is not None and fault.drip < 1:
        yield "drip", f"`{fault.drip}` bytes per second never arrive; 1 is the slowest"
    if fault.truncate is not None and fault.truncate < 0:
        yield "truncate", f"`{fault.truncate}` is no number of bytes; 0 leaves nothing"
    if fault.clean and fault.truncate is None:
        yield "clean", "says how to truncate; add `truncate: 20`"
    if fault.keep_alive not in (None, "close"):
        yield "keep_alive", f"`{fault.keep_alive}` is not known; `close` ends the connection"
    if fault.reset is None and fault.hang_s is None:
        return
    for name in _changes(fault):
        if name not in _LEFT_BY_WRITES:
            yield name, "there is no answer that it could change; remove it"

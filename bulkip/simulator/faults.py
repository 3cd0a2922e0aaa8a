"""What can be done to a call on demand: a rule says which calls, and what happens to them."""

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from http import HTTPStatus
from typing import Literal, TypeAlias

from bulkip.addresses import Block, parse_expression
from bulkip.model import JsonValue
from bulkip.simulator.pages import HTML_TYPE, JSON_TYPE, Page, html_page, refusal
from bulkip.simulator.scripts import ACTIONS

ResetKind: TypeAlias = Literal["before", "after", "close"]
RESETS: tuple[ResetKind, ...] = ("before", "after", "close")
LONGEST_S = 86400.0
FINAL_STATUSES = range(200, 600)

_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_HEADER_VALUE = re.compile(r"[\t\x20-\x7e\xa0-\xff]*")
_ANSWER_FIELDS = ("status", "body", "json", "content_type", "headers", "retry_after")


class FaultError(ValueError):
    """Raised with every mistake of a fault: the field's name in a fault file, and what is wrong with it."""

    def __init__(self, problems: list[tuple[str, str]]) -> None:
        """Keep pairs of field name and message."""
        self.problems = tuple(problems)
        super().__init__("; ".join(f"{name}: {message}" for name, message in problems))


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A rule: the calls it applies to, and what happens to them; `faultfile` explains the fields.

    A fault either answers (`status`, `body` or `json`), or resets, or hangs, or
    only delays the right answer. Raises `FaultError` when it contradicts itself.
    """

    action: str = "*"
    ip: str | None = None
    attempts: tuple[int, ...] = ()
    every: int = 1
    times: int | None = None
    delay_s: float = 0.0
    status: int | None = None
    retry_after_s: float | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str | None = None
    body: str | None = None
    json: JsonValue = None
    reset: ResetKind | None = None
    hang_s: float | None = None
    effect: bool | None = None

    def __post_init__(self) -> None:
        """Refuse a rule that contradicts itself."""
        if problems := [*_target_problems(self), *_deed_problems(self), *_answer_problems(self)]:
            raise FaultError(problems)

    def __str__(self) -> str:
        if self.reset:
            return f"reset {self.reset}"
        if self.hang_s is not None:
            return f"hang {self.hang_s:g}s"
        return f"status {self.page().status}" if self.answers else f"delay {self.delay_s:g}s"

    @property
    def answers(self) -> bool:
        """Whether it sends an answer of its own."""
        return self.status is not None or self.body is not None or self.json is not None

    @property
    def only_delays(self) -> bool:
        """Whether the right answer comes, but late."""
        return not self.answers and self.reset is None and self.hang_s is None

    @property
    def carries_out(self) -> bool:
        """Whether a write is carried out although its answer is lost or wrong."""
        if self.effect is not None:
            return self.effect
        return self.reset == "after"

    def block(self) -> Block | None:
        """Return the addresses it applies to; None for all calls."""
        return parse_expression(self.ip, allow_ipv6=True).block if self.ip is not None else None

    def page(self) -> Page:
        """Return its own answer."""
        status = self.status or HTTPStatus.OK
        page = self._content(status)
        given = {"Content-Type": self.content_type} if self.content_type else {}
        if self.retry_after_s is not None:
            given["Retry-After"] = str(math.ceil(self.retry_after_s))
        return Page(page.body, status, {**page.headers, **given, **self.headers})

    def _content(self, status: int) -> Page:
        if self.body is not None:
            return Page(self.body.encode(), headers={"Content-Type": HTML_TYPE})
        if self.json is not None:
            return Page(json.dumps(self.json).encode(), headers={"Content-Type": JSON_TYPE})
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            return refusal("too many requests")
        return html_page(status)


def closest(word: str, known: tuple[str, ...]) -> str:
    """Return the end of a message about an unknown word: the nearest known one, or all of them."""
    near = get_close_matches(word, known, 1)
    return f"did you mean `{near[0]}`?" if near else f"known are {', '.join(known)}"


def _target_problems(fault: Fault) -> Iterator[tuple[str, str]]:
    if fault.action != "*" and fault.action not in ACTIONS:
        yield "action", f"no action is called `{fault.action}`; {closest(fault.action, (*ACTIONS, '*'))}"
    try:
        if fault.ip is not None and parse_expression(fault.ip, allow_ipv6=True).excluded:
            yield "ip", f"`{fault.ip}` excludes; write the addresses the fault applies to"
    except ValueError as error:
        yield "ip", str(error)
    if any(attempt < 1 for attempt in fault.attempts):
        yield "attempt", "attempts count from 1"
    if fault.every < 1:
        yield "every", f"`{fault.every}` is not a distance; 1 is every address"
    if fault.times is not None and fault.times < 1:
        yield "times", f"`{fault.times}` applications is none; remove the fault instead"


def _deed_problems(fault: Fault) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with the choice between answering, resetting, hanging and delaying."""
    chosen = {"reset": fault.reset is not None, "hang": fault.hang_s is not None, "status": fault.answers}
    deeds = [name for name, is_chosen in chosen.items() if is_chosen]
    if len(deeds) > 1:
        yield deeds[0], f"a call cannot have {' and '.join(deeds)} at once (body and json count as status)"
    if not deeds and not fault.delay_s:
        yield "", "the fault says nothing to do; give one of status, body, json, reset, hang or delay"
    if fault.reset is not None and fault.reset not in RESETS:
        yield "reset", f"`{fault.reset}` is not a way to reset; {closest(fault.reset, RESETS)}"
    if fault.reset in ("before", "after") and fault.effect not in (None, fault.reset == "after"):
        yield "effect", f"contradicts `reset: {fault.reset}`; remove it"
    if fault.effect is not None and not deeds:
        yield "effect", "a delayed answer is a right one; add a status, reset or hang"
    waits = {"delay": fault.delay_s, "hang": fault.hang_s, "retry_after": fault.retry_after_s}
    for name, seconds in waits.items():
        if seconds is not None and not 0 <= seconds <= LONGEST_S:
            yield name, f"`{seconds:g}s` is out of range; from 0s to 24h"


def _answer_problems(fault: Fault) -> Iterator[tuple[str, str]]:
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
            yield name, f"needs an answer to stand in; add one of {', '.join(_ANSWER_FIELDS[:3])}"
    for name, value in {**fault.headers, "Content-Type": fault.content_type or ""}.items():
        if not _HEADER_NAME.fullmatch(name) or not _HEADER_VALUE.fullmatch(value):
            yield "headers" if name in fault.headers else "content_type", f"`{name}` cannot go into a header"

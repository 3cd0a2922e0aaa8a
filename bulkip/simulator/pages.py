"""What goes over the wire: a call as the simulator received it, and the page it answers."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TypeAlias

from bulkip.model import JsonValue
from bulkip.simulator.state import SimulatorState

JSON_TYPE = "application/json"
HTML_TYPE = "text/html; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Call:
    """A request as it arrived: `at` is monotonic seconds; `connection` numbers the TCP connections from 1."""

    at: float
    method: str
    script: str
    form: Mapping[str, str]
    client_ip: str
    connection: int

    @property
    def action(self) -> str:
        """The action asked for; empty when the form names none."""
        return self.form.get("action", "")


@dataclass(frozen=True, slots=True)
class Page:
    """An HTTP answer."""

    body: bytes
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": JSON_TYPE})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a script made of a call: its page, and whether it carried out a write."""

    page: Page
    effect: bool = False


Script: TypeAlias = Callable[[Call, SimulatorState, str], Outcome]
"""A script answers a call from the state; the text is the token it accepts."""


def json_page(body: JsonValue, status: int = 200) -> Page:
    """Return a page with a JSON body."""
    return Page(json.dumps(body, ensure_ascii=False).encode(), status)


def refusal(message: str, status: int = 200, **more: JsonValue) -> Page:
    """Return the failure envelope of the vendor's page, which shows code -1 for every failure."""
    return json_page({"code": -1, "message": message, **more}, status)


def html_page(status: int) -> Page:
    """Return what a web server in front of the API says by itself, in HTML."""
    title = f"{status} {phrase(status)}".strip()
    body = f"<html><head><title>{title}</title></head><body><h1>{title}</h1></body></html>\n"
    return Page(body.encode(), status, {"Content-Type": HTML_TYPE})


def phrase(status: int) -> str:
    """Return the standard words for a status; empty for a number that has none."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""

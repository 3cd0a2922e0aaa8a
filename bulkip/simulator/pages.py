"""What goes over the wire: a call as the simulator received it, and the page it answers."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus

from bulkip.model import JsonValue

JSON_TYPE = "application/json"
HTML_TYPE = "text/html; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Call:
    """A request as it arrived: `at` is monotonic, `wall` Unix seconds; TCP connections count from 1."""

    at: float
    wall: float
    method: str
    script: str
    form: Mapping[str, str]
    client_ip: str
    connection: int

    @property
    def action(self) -> str:
        """The action asked for; empty when the form names none."""
        return self.form.get("action", "")

    @property
    def token(self) -> str:
        """The session token that came along; empty when none did."""
        return self.form.get("token", "")


@dataclass(frozen=True, slots=True)
class Page:
    """An HTTP answer."""

    body: bytes
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": JSON_TYPE})


@dataclass(frozen=True, slots=True)
class Delivery:
    """How a page goes back: whole and at once, unless a fault wants it otherwise.

    `drip` is bytes per second. `cut` is how many bytes of the body go out;
    Content-Length tells of all of them unless the cut is `clean`. `close` ends
    the connection behind the answer, without having announced it.
    """

    drip: int | None = None
    cut: int | None = None
    clean: bool = False
    close: bool = False


AT_ONCE = Delivery()


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


def doubled(page: Page) -> Page:
    """Return a page whose JSON object has its last key twice, the second time with null.

    A reader that lets the last one win sees a success without its answer. A
    page that is no JSON object stays as it is.
    """
    try:
        answer = json.loads(page.body)
    except ValueError:
        return page
    if not isinstance(answer, dict) or not answer:
        return page
    last = json.dumps([*answer][-1], ensure_ascii=False)
    return Page(page.body.rstrip()[:-1] + f", {last}: null}}".encode(), page.status, page.headers)


def phrase(status: int) -> str:
    """Return the standard words for a status; empty for a number that has none."""
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""

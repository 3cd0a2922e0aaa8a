"""What can be done to a call on demand: a rule says which calls, and what happens to them."""

import json
import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from http import HTTPStatus

from bulkip.addresses import Block, parse_expression
from bulkip.simulator.faultchecks import FaultError, problems_of
from bulkip.simulator.faultfields import FaultFields
from bulkip.simulator.pages import HTML_TYPE, JSON_TYPE, Delivery, Page, doubled, html_page, refusal

__all__ = ["Fault", "FaultError"]

_MIB = 2**20
ELSEWHERE = "/elsewhere.php"
"""Where a redirect leads when nobody says: to the simulator itself, whose log tells who followed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault(FaultFields):
    """A rule that makes sense: raises `FaultError` when it contradicts itself.

    A fault either answers (`status`, `body` or `json`, `redirect`, `bomb`), or
    resets, or hangs, or lets the token die, or leaves a write unfinished, or
    only changes how the right answer goes back.
    """

    _bomb: bytes = field(init=False, repr=False, compare=False, default=b"")

    def __post_init__(self) -> None:
        """Refuse a rule that contradicts itself; build a bomb now, not while calls wait."""
        if problems := [*problems_of(self)]:
            raise FaultError(problems)
        if self.bomb_mib is not None:
            object.__setattr__(self, "_bomb", _spaces(self.bomb_mib))

    def __str__(self) -> str:
        done = [*self._deeds(), *self._changes()]
        return ", ".join(done) if done else f"delay {self.delay_s:g}s"

    def _deeds(self) -> Iterator[str]:
        if self.dns:
            yield f"dns {self.dns}"
        elif self.reset:
            yield f"reset {self.reset}"
        elif self.hang_s is not None:
            yield f"hang {self.hang_s:g}s"
        elif self.bomb_mib is not None:
            yield f"bomb {self.bomb_mib} MiB"
        elif self.redirect is not None:
            yield f"redirect {self.redirect}"
        elif self.token is not None:
            yield f"token {self.token}"
        elif self.callback is not None:
            yield f"callback {self.callback}"
        elif self.answers:
            yield f"status {self.page().status}"

    def _changes(self) -> Iterator[str]:
        if self.lag_s is not None:
            yield f"lag {self.lag_s:g}s"
        if self.propagation_s is not None:
            yield f"propagation {self.propagation_s:g}s"
        if self.drip is not None:
            yield f"drip {self.drip}/s"
        if self.truncate is not None:
            yield f"truncate {self.truncate}{' clean' if self.clean else ''}"
        if self.duplicate_keys:
            yield "duplicate keys"
        if self.keep_alive:
            yield f"keep-alive {self.keep_alive}"

    def block(self) -> Block | None:
        """Return the addresses it applies to; None for all calls."""
        return parse_expression(self.ip, allow_ipv6=True).block if self.ip is not None else None

    def delivery(self) -> Delivery:
        """Return how the page goes back, be it its own or the right one."""
        return Delivery(self.drip, self.truncate, self.clean, self.keep_alive == "close")

    def changed(self, page: Page) -> Page:
        """Return a page with twice the keys where it asks for that."""
        return doubled(page) if self.duplicate_keys else page

    def page(self) -> Page:
        """Return its own answer."""
        status = self.status or self.redirect or HTTPStatus.OK
        page = self._content(status)
        given = {"Content-Type": self.content_type} if self.content_type else {}
        if self.retry_after_s is not None:
            given["Retry-After"] = str(math.ceil(self.retry_after_s))
        if self.redirect is not None:
            given["Location"] = self.to or ELSEWHERE
        return Page(page.body, status, {**page.headers, **given, **self.headers})

    def _content(self, status: int) -> Page:
        if self.bomb_mib is not None:
            return Page(self._bomb, headers={"Content-Type": JSON_TYPE, "Content-Encoding": "gzip"})
        if self.body is not None:
            return Page(self.body.encode(), headers={"Content-Type": HTML_TYPE})
        if self.json is not None:
            return Page(json.dumps(self.json).encode(), headers={"Content-Type": JSON_TYPE})
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            return refusal("too many requests")
        return html_page(status)


def _spaces(mib: int) -> bytes:
    """Return so many MiB of spaces, gzipped: about a kilobyte each."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    block = b" " * _MIB
    return b"".join([*(packer.compress(block) for _ in range(mib)), packer.flush()])

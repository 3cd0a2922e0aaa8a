"""What happens to each call: refused, spoiled or answered; decided and logged before anything goes back."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path
from typing import TextIO

from bulkip.model import Rate
from bulkip.simulator.faultbook import FaultBook
from bulkip.simulator.faults import Fault
from bulkip.simulator.pages import Call, Outcome, Page, html_page, refusal
from bulkip.simulator.requestlog import LogEntry, RequestLog
from bulkip.simulator.scripts import SCRIPTS
from bulkip.simulator.seeds import canonical_ip
from bulkip.simulator.state import SimulatorState
from bulkip.simulator.window import SlidingWindows


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatorSettings:
    """How a simulator behaves, and where it listens.

    Port 0 takes a free one. `log` gets every request as a line of JSON;
    `state` names the file that keeps the state, temporary without one.
    """

    token: str = "simulated"  # noqa: S105 - public on purpose: it opens nothing but the simulator
    latency_s: float = 0.0
    limits: tuple[Rate, ...] = ()
    faults: tuple[Fault, ...] = ()
    host: str = "127.0.0.1"
    port: int = 0
    log: TextIO | None = None
    state: Path | None = None


@dataclass(frozen=True, slots=True)
class Answering:
    """A page goes back after a delay."""

    page: Page
    delay_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Dropping:
    """The connection ends without an answer after a delay: by a TCP reset, or else by a clean close."""

    reset: bool
    delay_s: float = 0.0


Ruling = Answering | Dropping


class Desk:
    """Owns the order in which calls are settled: windows, then faults, then the script."""

    def __init__(self, settings: SimulatorSettings, state: SimulatorState) -> None:
        self.log = RequestLog(settings.log)
        self.faults = FaultBook(settings.faults)
        self._settings = settings
        self._state = state
        self._windows = SlidingWindows(settings.limits)

    def settle(self, call: Call, early: Page | None = None) -> Ruling:
        """Decide what happens to a call, carry it out, log it, and return what goes back.

        An `early` page is for a request that could not be read at all.
        """
        if early is not None:
            return self._close(call, Answering(early), None)
        wait_s = self._windows.admit(call.at)
        ip = _address(call)
        sighting = self._state.sight(call.action, ip, admitted=wait_s == 0)
        if wait_s > 0:
            return self._close(call, Answering(_throttled(wait_s), self._settings.latency_s), "limit")
        return self._serve(call, self.faults.take(call.action, ip, sighting))

    def _serve(self, call: Call, fault: Fault | None) -> Ruling:
        """Answer an admitted call, as its fault wants it."""
        delay_s = self._settings.latency_s + (fault.delay_s if fault else 0)
        if fault is None or fault.only_delays:
            outcome = self._answer(call)
            done = str(fault) if fault else None
            return self._close(call, Answering(outcome.page, delay_s), done, effect=outcome.effect)
        effect = fault.carries_out and self._answer(call).effect
        return self._close(call, _spoiled(fault, delay_s), str(fault), effect=effect)

    def _answer(self, call: Call) -> Outcome:
        script = SCRIPTS.get(call.script)
        if script is None:
            return Outcome(html_page(HTTPStatus.NOT_FOUND))
        return script(call, self._state, self._settings.token)

    def _close(self, call: Call, ruling: Ruling, fault: str | None, *, effect: bool = False) -> Ruling:
        """Log a settled call."""
        entry = LogEntry(
            seq=self.log.total + 1,
            at=call.at,
            wall=datetime.now(UTC).isoformat(timespec="milliseconds"),
            connection=call.connection,
            method=call.method,
            script=call.script,
            action=call.action or None,
            ip=_address(call),
            form={name: "***" if name == "token" else value for name, value in call.form.items()},
            status=ruling.page.status if isinstance(ruling, Answering) else None,
            fault=fault,
            effect=effect,
        )
        self.log.add(entry)
        return ruling


def _spoiled(fault: Fault, delay_s: float) -> Ruling:
    if fault.answers:
        return Answering(fault.page(), delay_s)
    reset = fault.reset in ("before", "after")
    return Dropping(reset, delay_s + (fault.hang_s or 0))


def _throttled(wait_s: float) -> Page:
    page = refusal("too many requests", HTTPStatus.TOO_MANY_REQUESTS)
    return Page(page.body, page.status, {**page.headers, "Retry-After": str(max(1, math.ceil(wait_s)))})


def _address(call: Call) -> str | None:
    """Return the address a call names, canonical where it is one."""
    text = call.form.get("ip")
    return (canonical_ip(text) or text) if text else None

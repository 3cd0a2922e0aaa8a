"""What happens to each call: refused, spoiled or answered; decided and logged before anything goes back."""

import math
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from http import HTTPStatus

from bulkip.simulator.account import Account, Outcome, Question, hide, unfinished
from bulkip.simulator.callbacks import Callbacks
from bulkip.simulator.curtain import Curtain
from bulkip.simulator.dialects import Refusal, worded
from bulkip.simulator.faultbook import FaultBook
from bulkip.simulator.faults import Fault
from bulkip.simulator.pages import AT_ONCE, Call, Delivery, Page, html_page
from bulkip.simulator.requestlog import LogEntry, RequestLog
from bulkip.simulator.scripts import SCRIPTS
from bulkip.simulator.seeds import canonical_ip
from bulkip.simulator.sessions import Session, Sessions
from bulkip.simulator.settings import SimulatorSettings
from bulkip.simulator.state import SimulatorState
from bulkip.simulator.window import SlidingWindows

_SECRETS = frozenset({"token", "key", "password", "root_pass", "pin"})


@dataclass(frozen=True, slots=True)
class Answering:
    """A page goes back after a delay."""

    page: Page
    delay_s: float = 0.0
    delivery: Delivery = AT_ONCE


@dataclass(frozen=True, slots=True)
class Dropping:
    """The connection ends without an answer after a delay: by a TCP reset, or else by a clean close."""

    reset: bool
    delay_s: float = 0.0


Ruling = Answering | Dropping


@dataclass(frozen=True, slots=True)
class Settled:
    """What was decided about a call, and what the log tells of it."""

    ruling: Ruling
    fault: str | None = None
    effect: bool = False
    session: Session | None = None


class Desk:
    """Owns the order in which calls are settled: windows, then faults, then the script."""

    def __init__(self, settings: SimulatorSettings, state: SimulatorState) -> None:
        self.log = RequestLog(settings.log)
        self.faults = FaultBook(settings.faults)
        self._settings = settings
        sessions = Sessions(settings.token, settings.keys, settings.token_life_s, settings.token_uses)
        self.account = Account(state, sessions, Curtain(), Callbacks())
        self._windows = SlidingWindows(settings.limits)

    def settle(self, call: Call, early: Page | None = None) -> Ruling:
        """Decide what happens to a call, carry it out, log it, and return what goes back.

        An `early` page is for a request that could not be read at all.
        """
        # A token that this call ends is still the one that it came with.
        came_with = self.account.sessions.find(call.token)
        settled = Settled(Answering(early)) if early is not None else self._admit(call)
        self.log.add(self._entry(call, settled, settled.session if call.action == "login" else came_with))
        return settled.ruling

    def _admit(self, call: Call) -> Settled:
        """Count a call, and let it pass when every limit has room."""
        wait_s = self._windows.admit(call.at)
        ip = _address(call)
        sighting = self.account.state.sight(call.action, ip, admitted=wait_s == 0)
        if wait_s > 0:
            return Settled(Answering(self._throttled(wait_s), self._settings.latency_s), "limit")
        return self._serve(Question(call, self.account), self.faults.take(call.action, ip, sighting))

    def _serve(self, question: Question, fault: Fault | None) -> Settled:
        """Answer an admitted call, as its fault wants it."""
        delay_s = self._settings.latency_s + (fault.delay_s if fault else 0)
        if fault is None:
            page, outcome = self._answer(question)
            return Settled(Answering(page, delay_s), None, outcome.written is not None, outcome.session)
        if fault.answers_rightly:
            page, outcome = self._answer(question, fault)
            ruling = Answering(fault.changed(page), delay_s, fault.delivery())
            return Settled(ruling, str(fault), outcome.written is not None, outcome.session)
        outcome = self._answer(question, fault)[1] if fault.carries_out else Outcome(Refusal(""))
        effect = outcome.written is not None
        return Settled(self._spoiled(question, fault, delay_s), str(fault), effect, outcome.session)

    def _answer(self, question: Question, fault: Fault | None = None) -> tuple[Page, Outcome]:
        """Return what the script makes of a call, and the page that says so."""
        script = SCRIPTS.get(question.call.script)
        if script is None:
            return html_page(HTTPStatus.NOT_FOUND), Outcome(Refusal("no such script"))
        outcome = script(replace(question, propagation_s=fault.propagation_s) if fault else question)
        if fault is not None and fault.lag_s is not None:
            hide(outcome.written, question, fault.lag_s)
        if fault is not None and fault.callback is not None:
            outcome = unfinished(outcome, question, fault.callback)
        return worded(outcome.answer, self._settings.dialects), outcome

    def _spoiled(self, question: Question, fault: Fault, delay_s: float) -> Ruling:
        """Return the wrong answer that a fault gives, or the end of the connection."""
        if fault.token is not None:
            refusal = self.account.sessions.kill(question.call.token, fault.token)
            page = worded(refusal, self._settings.dialects)
        elif fault.answers:
            page = fault.page()
        else:
            return Dropping(fault.reset in ("before", "after"), delay_s + (fault.hang_s or 0))
        return Answering(fault.changed(page), delay_s, fault.delivery())

    def _throttled(self, wait_s: float) -> Page:
        page = worded(Refusal("too many requests"), self._settings.dialects)
        retry_after = {"Retry-After": str(max(1, math.ceil(wait_s)))}
        return Page(page.body, HTTPStatus.TOO_MANY_REQUESTS, {**page.headers, **retry_after})

    def _entry(self, call: Call, settled: Settled, session: Session | None) -> LogEntry:
        """Return what the log says about a settled call; secrets are blanked."""
        # The key of a callback is no secret: it opens nothing, and readers of the log look for it.
        blanked = _SECRETS - {"key"} if call.script == "eq_callback.php" else _SECRETS
        ruling = settled.ruling
        return LogEntry(
            seq=self.log.total + 1,
            at=call.at,
            wall=datetime.fromtimestamp(call.wall, UTC).isoformat(timespec="milliseconds"),
            connection=call.connection,
            method=call.method,
            script=call.script,
            action=call.action or None,
            ip=_address(call),
            form={name: "***" if name in blanked else value for name, value in call.form.items()},
            status=ruling.page.status if isinstance(ruling, Answering) else None,
            fault=settled.fault,
            effect=settled.effect,
            login=session.login if session else None,
            key=session.key if session else None,
        )


def _address(call: Call) -> str | None:
    """Return the address a call names, canonical where it is one."""
    text = call.form.get("ip")
    return (canonical_ip(text) or text) if text else None

"""What the scripts serve from: the state, the tokens, and what writes still hide or leave open."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from bulkip.simulator.callbacks import Callbacks, Finish
from bulkip.simulator.curtain import Curtain, Record
from bulkip.simulator.dialects import Answer, Refusal, Success
from bulkip.simulator.pages import Call
from bulkip.simulator.seeds import canonical_ip
from bulkip.simulator.sessions import Session, Sessions
from bulkip.simulator.state import Effect, SimulatorState

INVALID_REQUEST = Refusal("invalid request")
_NUMBER = re.compile(r"[1-9][0-9]{0,9}")


@dataclass(frozen=True, slots=True)
class Account:
    """The simulated account."""

    state: SimulatorState
    sessions: Sessions
    curtain: Curtain
    callbacks: Callbacks

    def ptr(self, ip: str, now: float) -> tuple[str, ...]:
        """Return the PTR names that a reader sees."""
        hidden = self.curtain.shown(("ptr", ip), now)
        return self.state.ptr_of(ip) if hidden is None else hidden

    def main(self, server_id: int, now: float) -> str | None:
        """Return the main address of a server that a reader sees."""
        return self._seen(("main", server_id), self.state.main_of(server_id), now)

    def ipmi(self, server_id: int, now: float) -> str | None:
        """Return the address of a server's management interface that a reader sees."""
        return self._seen(("ipmi", server_id), self.state.ipmi_of(server_id), now)

    def _seen(self, record: Record, true: str | None, now: float) -> str | None:
        hidden = self.curtain.shown(record, now)
        return true if hidden is None else next(iter(hidden), None)


@dataclass(frozen=True, slots=True)
class Written:
    """A write that a script carried out, which record it changed, and what readers saw until then."""

    effect: Effect
    record: Record
    seen: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a script made of a call: its answer, the write it carried out, the session it made."""

    answer: Answer
    written: Written | None = None
    session: Session | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """A call, and the account that answers it."""

    call: Call
    account: Account
    propagation_s: float | None = None  # how much later DNS shows what it writes, where a fault says so

    def text(self, field: str) -> str:
        """Return a form field; empty when it was not sent."""
        return self.call.form.get(field, "")

    def ip(self) -> str | None:
        """Return the address in canonical form; None when it is none."""
        return canonical_ip(self.text("ip"))

    def number(self, field: str) -> int | None:
        """Return a field as a number; None when it is not a positive one of ten digits at most."""
        return int(self.text(field)) if _NUMBER.fullmatch(self.text(field)) else None


Script: TypeAlias = Callable[[Question], Outcome]
"""A script, or one of its methods: it answers a question."""


@dataclass(frozen=True, slots=True)
class Method:
    """How an action of a script is answered, and whether by GET too."""

    answer: Script
    get: bool = True


def by_method(question: Question, methods: Mapping[str, Method]) -> Outcome:
    """Answer by the method that the call's action names."""
    method = methods.get(question.call.action)
    if method is None or (question.call.method == "GET" and not method.get):
        return Outcome(INVALID_REQUEST)
    return method.answer(question)


def by_method_for_token(question: Question, methods: Mapping[str, Method]) -> Outcome:
    """Answer likewise, but only to a live token, of which this is one use."""
    refusal = question.account.sessions.enter(question.call)
    return Outcome(refusal) if refusal else by_method(question, methods)


def hide(written: Written | None, question: Question, for_s: float) -> None:
    """Hide for a time what a write changed: readers go on seeing what they saw."""
    if written is not None:
        question.account.curtain.drop(written.record, written.seen, question.call.at, for_s)


def unfinished(outcome: Outcome, question: Question, finish: Finish) -> Outcome:
    """Return the outcome of a write as accepted but not final: its answer names a callback."""
    if outcome.written is None or not isinstance(outcome.answer, Success):
        return outcome
    account, call = question.account, question.call
    context = {"action": call.action, **{name: question.text(name) for name in ("id", "ip", "location")}}
    hide(outcome.written, question, finish.at_most_s)
    key = account.callbacks.open(finish.pending(context, outcome.written.record, call.at))
    if (oldest := account.callbacks.overflow()) is not None:
        account.curtain.lift(oldest.record)
    return Outcome(Success({**outcome.answer.fields, "callback": key}), outcome.written)

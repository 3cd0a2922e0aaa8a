"""What `eq_callback.php` answers: whether a write that was accepted is finished.

It asks for no token, as the vendor's own client sends none. How the vendor
says "not yet" is not public; here it is a `result` of "pending".
"""

from collections.abc import Mapping
from types import MappingProxyType

from bulkip.model import JsonValue
from bulkip.simulator.account import Method, Outcome, Question, by_method
from bulkip.simulator.callbacks import Pending
from bulkip.simulator.dialects import Envelope, Refusal, Success


def answer(question: Question) -> Outcome:
    """Answer a call to eq_callback.php."""
    return by_method(question, METHODS)


def _check(question: Question) -> Outcome:
    key = question.text("key")
    pending = question.account.callbacks.check(key)
    if pending is None:
        return Outcome(Refusal("callback key not found"))
    if not pending.done(question.call.at):
        # The vendor's own client takes an id and an address in the context for the end.
        return Outcome(Success(_described(key, pending, "pending", id="", ip=""), Envelope.PENDING))
    question.account.curtain.lift(pending.record)
    return Outcome(Success(_described(key, pending, f"{pending.context['action']} done")))


def _described(key: str, pending: Pending, scope: str, **context: str) -> dict[str, JsonValue]:
    return {"scope": scope, "context": {**pending.context, **context}, "debug": None, "key": key}


METHODS: Mapping[str, Method] = MappingProxyType({"check": Method(_check)})

"""What is asked when a write was accepted but is not finished: whether it is done, by its key."""

from collections.abc import Mapping

from bulkip.actions.action import Action, AnswerShapeError
from bulkip.model import JsonValue
from bulkip.wire import ApiRequest

SCRIPT = "eq_callback.php"
CHECK = "check"
LONGEST_KEY = 256
FIRST_CHECK_S = 1.0
LONGEST_CHECK_S = 20.0


def check_request(key: str) -> ApiRequest:
    """Return the question whether the write with this key is finished; the vendor's client sends no token."""
    return ApiRequest(CHECK, {"key": key}, script=SCRIPT, needs_token=False)


def check_after_s(checks: int) -> float:
    """Return how long to wait before the next question, after so many: a second, doubling."""
    return float(min(LONGEST_CHECK_S, FIRST_CHECK_S * 2 ** min(checks, 32)))


def usable_key(key: str) -> str | None:
    """Return the key as it is to be sent back; None when it is nothing that this API would give."""
    stripped = key.strip()
    return (
        stripped if stripped.isascii() and stripped.isprintable() and len(stripped) <= LONGEST_KEY else None
    )


def _parse(envelope: Mapping[str, JsonValue]) -> JsonValue:
    if str(envelope.get("scope", "")).lower() == "pending":
        raise AnswerShapeError("it is not finished yet")
    return None


ACTION = Action.of_our_own(CHECK, "is a write that was accepted finished?", _parse)
"""What eq_callback.php can do for us; a job cannot ask for it."""

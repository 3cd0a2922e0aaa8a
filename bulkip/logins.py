"""What auth.php is asked, and what it answers: tokens, how long they live, and whether one is still taken."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import TypeAlias

from bulkip.actions.action import Action, AnswerShapeError
from bulkip.model import JsonValue
from bulkip.wire import ApiRequest

Parse: TypeAlias = Callable[[Mapping[str, JsonValue]], JsonValue]

SCRIPT = "auth.php"
LIFE_S = 3600
"""What the vendor's own clients ask for; the answer says what was given."""
SECONDS_DIGITS = 10  # of Unix seconds; more are milliseconds, which no answer of this API holds


def login_request(key: str) -> ApiRequest:
    """Return the request that exchanges an API key for a session token."""
    form = {"key": key, "ttl": str(LIFE_S), "fix_ip": "0"}
    return ApiRequest("login", form, script=SCRIPT, needs_token=False)


INFO_REQUEST = ApiRequest("info", {}, script=SCRIPT)
LOGOUT_REQUEST = ApiRequest("logout", {}, script=SCRIPT)


def _session_in(envelope: Mapping[str, JsonValue]) -> Mapping[str, JsonValue]:
    """Return where the answer keeps the session: under `result` (live) or `data`, or at the top."""
    for name in ("result", "data"):
        inner = envelope.get(name)
        if isinstance(inner, dict):
            return inner
    return envelope


def _parse_login(envelope: Mapping[str, JsonValue]) -> JsonValue:
    session = _session_in(envelope)
    token = session.get("token")
    if not isinstance(token, str) or not token or not token.isascii() or not token.isprintable():
        raise AnswerShapeError("`token` is missing")
    return {"token": token, "token_expire": _seconds(session.get("token_expire"))}


def _seconds(value: JsonValue) -> float | None:
    """Return Unix seconds, which some answers give as text; None when there are none."""
    number = float(value) if isinstance(value, Decimal) else value
    text = str(number) if isinstance(number, int | float | str) and not isinstance(number, bool) else ""
    whole = text.partition(".")[0]
    return float(whole) if whole.isascii() and whole.isdigit() and len(whole) <= SECONDS_DIGITS else None


def _parse_info(envelope: Mapping[str, JsonValue]) -> JsonValue:
    if not isinstance(envelope.get("result"), dict) and envelope.get("result") not in {"OK", "success"}:
        raise AnswerShapeError("`result` is missing")
    return None


def _parse_nothing(_envelope: Mapping[str, JsonValue]) -> JsonValue:
    return None


LOGIN_ACTIONS: Mapping[str, Action] = MappingProxyType(
    {
        "login": Action.of_our_own(
            "login", "exchange an API key for a token", _parse_login, self_evident=True
        ),
        "info": Action.of_our_own("info", "is this token still taken?", _parse_info, self_evident=True),
        "logout": Action.of_our_own("logout", "give a token back", _parse_nothing),
    }
)
"""What auth.php can do for us, by name; a job cannot ask for these."""

"""Answers of the API as tests write them, and the verdict that the program gives on them."""

import json
from typing import Any

from bulkip.actions import ACTIONS
from bulkip.classify import classify
from bulkip.model import ErrorClass, JsonValue
from bulkip.redact import Redactor
from bulkip.wire import Answer, ApiRequest, Reply, Verdict, VerdictKind

TOKEN = "tok-4f3c2b1a9d8e"
NOW = 1_790_000_000.0
IP = "203.0.113.7"
FORMS = {
    "get_client_ip": {},
    "get_ip": {"ip": IP},
    "get_ptr": {"id": "123", "ip": IP, "location": "NL"},
    "get_traffic": {"ip": IP, "period_start": "1788000000", "period_stop": "1788086400", "summary": "0"},
    "list_free_ip": {"location": "NL", "id": "15", "exclude_special": "1"},
    "set_main": {"id": "123", "ip": IP, "main": "1", "description": "not found"},
    "update_ptr": {"ip": IP, "id": "123", "ptr": "mail.example.net", "location": "NL"},
}
K = VerdictKind
E = ErrorClass


def judge(name: str, reply: Reply, **form: str) -> Verdict:
    """Classify a reply to one of the seven actions."""
    action = ACTIONS[name]
    request = ApiRequest(name, FORMS[name] | form, writes=action.writes)
    return classify(request, action, reply, redactor=Redactor([TOKEN]), now=NOW)


def answer(body: Any, status: int = 200, **headers: str) -> Answer:
    """Build an answer; text and bytes go out as they are, all else as JSON."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, raw)


def failure(text: str) -> dict[str, JsonValue]:
    """Build the failure envelope of the vendor's page."""
    return {"code": -1, "message": text}

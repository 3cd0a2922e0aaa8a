"""What `auth.php` answers: an API key becomes a token, a token can be asked about and given back."""

from collections.abc import Mapping
from types import MappingProxyType

from bulkip.model import JsonValue
from bulkip.simulator.account import Method, Outcome, Question, by_method
from bulkip.simulator.dialects import Envelope, Refusal, Success
from bulkip.simulator.sessions import Session, TokenEnd

_PERMISSIONS = (
    "eq_list",
    "eq_show",
    "ip_get_ip",
    "ip_get_ptr",
    "ip_get_traffic",
    "ip_set_main",
    "ip_update_ptr",
)


def answer(question: Question) -> Outcome:
    """Answer a call to auth.php."""
    return by_method(question, METHODS)


def _login(question: Question) -> Outcome:
    session = question.account.sessions.login(question.call)
    if isinstance(session, Refusal):
        return Outcome(session)
    return Outcome(Success(_described(session, question), Envelope.LOGIN), session=session)


def _info(question: Question) -> Outcome:
    session = question.account.sessions.look(question.call)
    if isinstance(session, Refusal):
        return Outcome(session)
    return Outcome(Success(_described(session, question), Envelope.WITHIN))


def _logout(question: Question) -> Outcome:
    sessions = question.account.sessions
    session = sessions.look(question.call)
    if isinstance(session, Refusal):
        return Outcome(session)
    sessions.kill(session.token, TokenEnd.INVALID)
    return Outcome(Success({}))


def _described(session: Session, question: Question) -> dict[str, JsonValue]:
    """Return what login and info tell: the token, whose it is, what it may do and until when."""
    return {
        "token": session.token,
        "role": "Customer",
        "role_type": "Customer",
        "role_name": "customer_billing",
        "permissions": list(_PERMISSIONS),
        "servers": [*question.account.state.servers()],
        "email": "customer@example.net",
        "customer_id": session.key or 0,
        "token_expire": session.expires(question.call.wall),
        "verified": True,
        "default_lang": "en",
    }


METHODS: Mapping[str, Method] = MappingProxyType(
    {"login": Method(_login), "info": Method(_info), "logout": Method(_logout)}
)

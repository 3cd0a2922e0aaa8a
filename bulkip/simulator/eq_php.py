"""What `eq.php` answers: which servers there are, on which one an address is, and what a server has.

The vendor shows no failure texts for these actions; an unknown server is "not
found", and a list that finds nothing is empty.
"""

from collections.abc import Mapping
from types import MappingProxyType

from bulkip.model import JsonValue
from bulkip.simulator.account import INVALID_REQUEST, Account, Method, Outcome, Question, by_method_for_token
from bulkip.simulator.dialects import Refusal, Success


def answer(question: Question) -> Outcome:
    """Answer a call to eq.php."""
    return by_method_for_token(question, METHODS)


def _list(question: Question) -> Outcome:
    return Outcome(Success({"servers": list(_found(question))}))


def _found(question: Question) -> list[int]:
    """Return the servers that a list asks for; other filters than the address let all pass."""
    state = question.account.state
    if not question.text("ip"):
        return state.servers()
    ip = question.ip()
    server_id = state.server_of(ip) if ip else None
    return [] if server_id is None else [server_id]


def _show(question: Question) -> Outcome:
    server_id = question.number("id")
    if server_id is None:
        return Outcome(INVALID_REQUEST)
    if not question.account.state.has_server(server_id):
        return Outcome(Refusal(f"server {server_id} not found"))
    return Outcome(Success(_described(server_id, question.account, question.call.at)))


def _described(server_id: int, account: Account, now: float) -> dict[str, JsonValue]:
    addresses = account.state.addresses_of(server_id)
    main = account.main(server_id, now)
    return {
        "server_data": {
            "id": server_id,
            "hostname": f"server{server_id}.example.net",
            "status": "rent",
            "location": addresses[0][1] if addresses else None,
            "main_ip": main,
            "ipmi": account.ipmi(server_id, now),
        },
        "hardware": [],
        "IP": [{"ip": ip, "main_ip": int(ip == main), "location": place} for ip, place in addresses],
        "tags": [],
    }


def _update_servers(question: Question) -> Outcome:
    servers: list[JsonValue] = [*question.account.state.servers()]
    return Outcome(Success({"servers": servers, "billing_servers": [], "deploy_keys": []}))


METHODS: Mapping[str, Method] = MappingProxyType(
    {"list": Method(_list), "show": Method(_show), "update_servers": Method(_update_servers)}
)

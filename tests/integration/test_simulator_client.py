"""A client of the vendor's API, reduced to its calls, works against the simulated provider unchanged."""

import json
from collections.abc import Iterator
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from bulkip.simulator import EmbeddedSimulator, Seed, Simulator

IP, OTHER = "203.0.113.7", "203.0.113.8"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


class Client:
    """Owns a connection and the session token that its login gave."""

    def __init__(self, url: str) -> None:
        """Log in with the key, by a form POST."""
        self._connection = HTTPConnection(urlsplit(url).netloc, timeout=5)
        answer = self.call("auth", "login", key="simulated-key", ttl=3600, fix_ip=0)
        self.session: dict[str, Any] = answer["result"]

    def call(self, module: str, action: str, **form: object) -> Any:
        """Return what a module answers; a token goes along once there is one."""
        token = {"token": self.session["token"]} if hasattr(self, "session") else {}
        body = urlencode({"action": action, **token, **form})
        self._connection.request("POST", f"/{module}.php", body, FORM)
        return json.loads(self._connection.getresponse().read())

    def close(self) -> None:
        """End the connection."""
        self._connection.close()


@pytest.fixture
def api() -> Iterator[Simulator]:
    """Serve a server with two addresses, from a thread of its own."""
    with EmbeddedSimulator([Seed(IP, 4711, "NL"), Seed(OTHER, 4711, "NL")]) as simulator:
        yield simulator


@pytest.fixture
def client(api: Simulator) -> Iterator[Client]:
    """Log a client in."""
    client = Client(api.url)
    yield client
    client.close()


def test_session_has_the_fields_that_clients_decode(client: Client) -> None:
    """The token is text, its end a number of seconds, the servers a list of ids."""
    token, expires, servers = (client.session[name] for name in ("token", "token_expire", "servers"))

    assert (type(token), type(expires), servers) == (str, int, [4711])


def test_address_leads_to_its_server_and_back(client: Client) -> None:
    """update_servers, list by address and show give an id, and the address in the server's list."""
    refreshed = client.call("eq", "update_servers")
    [server_id] = client.call("eq", "list", ip=OTHER)["servers"]
    shown = client.call("eq", "show", id=server_id)

    assert refreshed["servers"] == [server_id]
    assert (OTHER, 0) in [(entry["ip"], entry["main_ip"]) for entry in shown["IP"]]


def test_record_and_main_address_are_written_and_read_back(api: Simulator, client: Client) -> None:
    """update_ptr shows in get_ptr, set_main in show, over one connection."""
    written = client.call("ip", "update_ptr", id=4711, ip=OTHER, ptr="mail.example.net")
    moved = client.call("ip", "set_main", id=4711, ip=OTHER, main=OTHER)
    name = client.call("ip", "get_ptr", id=4711, ip=OTHER)["message"]
    mains = [entry["ip"] for entry in client.call("eq", "show", id=4711)["IP"] if entry["main_ip"] == 1]

    assert [written["result"], moved["result"]] == ["OK", "OK"]
    assert (name, mains) == ("mail.example.net", [OTHER])
    assert {entry.connection for entry in api.log.entries()} == {1}


def test_network_of_an_address_is_told(client: Client) -> None:
    """get_ip answers network, mask, gateway and broadcast as text."""
    answer = client.call("ip", "get_ip", ip=IP)

    assert set(answer["data"]) == {"network", "netmask", "gateway", "broadcast"}

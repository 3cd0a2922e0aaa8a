"""How the simulated provider feeds a real name server; here a script that reads the messages."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import anyio
import pytest
from anyio.abc import ByteStream, SocketAttribute
from anyio.streams.buffered import BufferedByteReceiveStream
from dns.exception import DNSException
from dns.message import Message, from_wire, make_response
from dns.rcode import NOERROR, NOTAUTH, REFUSED, Rcode
from dns.rdataclass import ANY
from dns.tsig import HMAC_SHA256, Key
from dns.update import UpdateMessage

from bulkip.errors import UsageError
from bulkip.simulator import (
    DnsUpdate,
    EmbeddedSimulator,
    Fault,
    Seed,
    Simulator,
    SimulatorSettings,
    UpdateEntry,
)

pytestmark = pytest.mark.anyio

IP, OTHER, V6 = "203.0.113.7", "203.0.113.40", "2001:db8::7"
ZONE = "113.0.203.in-addr.arpa."
SECRET = "c2VjcmV0IG9mIHRoZSB0ZXN0cw=="
KEY = Key("feed.", SECRET, HMAC_SHA256)
SEEDS = tuple(Seed(ip, 4711, "NL", f"old-{number}.example.net") for number, ip in enumerate((IP, OTHER, V6)))
PATIENCE_S = 10


@dataclass
class Told:
    """What a server was told: for each name of each update its new values; and what it answers."""

    endpoint: str = ""
    rcode: Rcode = NOERROR
    refuses_connections: int = 0
    updates: list[tuple[str, dict[str, list[str]]]] = field(default_factory=list)

    @property
    def changes(self) -> list[tuple[str, list[str]]]:
        """The names and their new values, in order, whatever came together."""
        return [change for _, changes in self.updates for change in changes.items()]

    async def until(self, count: int) -> list[tuple[str, list[str]]]:
        """Wait until so many names were told of, and return them."""
        with anyio.fail_after(PATIENCE_S):
            while len(self.changes) < count:
                await anyio.wait_all_tasks_blocked()
        return self.changes


def change_of(update: Message) -> Iterator[tuple[str, list[str]]]:
    """Yield what an update sets: each name that it clears, with the values that it adds afterwards."""
    assert isinstance(update, UpdateMessage)
    values: dict[str, list[str]] = {}
    for rrset in update.update:
        name = str(rrset.name.derelativize(update.zone[0].name))
        if rrset.deleting == ANY:
            values[name] = []
        else:
            values[name] += [str(value) for value in rrset]
    yield from values.items()


@asynccontextmanager
async def name_server(told: Told) -> AsyncIterator[Told]:
    """Take signed updates over TCP."""

    async def take(stream: ByteStream) -> None:
        async with stream:
            if told.refuses_connections > 0:
                told.refuses_connections -= 1
                return
            received = BufferedByteReceiveStream(stream)
            length = int.from_bytes(await received.receive_exactly(2))
            wire = await received.receive_exactly(length)
            try:
                update = from_wire(wire, keyring=KEY)
                told.updates.append((str(update.sections[0][0].name), dict(change_of(update))))
                answer = make_response(update)
                answer.set_rcode(told.rcode)
            except DNSException:
                answer = make_response(from_wire(wire, keyring=False))
                answer.set_rcode(NOTAUTH)
            await stream.send(answer.to_wire(prepend_length=True))

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    told.endpoint = f"127.0.0.1:{listener.extra_attributes[SocketAttribute.local_port]()}"
    async with listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, take)
        yield told
        tasks.cancel_scope.cancel()


def feeding(told: Told, *faults: Fault, secret: str = SECRET, **more: object) -> SimulatorSettings:
    """Return settings of a simulator that feeds this server."""
    update = DnsUpdate(server=told.endpoint, key_name="feed", key_secret=secret, **more)  # type: ignore[arg-type]
    return SimulatorSettings(dns_update=update, faults=faults)


async def entries(api: Simulator, count: int) -> list[UpdateEntry]:
    """Wait until so many changes are settled, and return them."""
    with anyio.fail_after(PATIENCE_S):
        while api.log.updated < count:
            await anyio.wait_all_tasks_blocked()
    return api.log.updates()


def rename(api: Simulator, ip: str, *names: str) -> None:
    """Give an address other PTR names now."""
    api.state.set_ptr(ip, 4711, names, anyio.current_time())


async def test_changes_are_told_in_order() -> None:
    """Each change replaces what the name had, in the order in which the changes were made."""
    async with name_server(Told()) as told, Simulator(SEEDS, feeding(told)) as api:
        rename(api, IP, "new.example.net")
        rename(api, V6, "six.example.net", "sechs.example.net")
        rename(api, IP)
        changes = await told.until(3)
        logged = await entries(api, 3)

    assert changes == [
        ("7.113.0.203.in-addr.arpa.", ["new.example.net."]),
        (f"7.{'0.' * 23}8.b.d.0.1.0.0.2.ip6.arpa.", ["six.example.net.", "sechs.example.net."]),
        ("7.113.0.203.in-addr.arpa.", []),
    ]
    assert [(entry.ip, entry.result) for entry in logged] == [(ip, "NOERROR") for ip in (IP, V6, IP)]


async def test_zone_with_the_longest_suffix_is_updated() -> None:
    """The most special zone of a feed gets a change, also one without a whole octet (RFC 2317)."""
    zones = ("203.in-addr.arpa", ZONE, "32-47.113.0.203.in-addr.arpa", "0/29.113.0.203.in-addr.arpa")
    async with name_server(Told()) as told, Simulator(SEEDS, feeding(told, zones=zones)) as api:
        for ip in (OTHER, IP, V6):
            rename(api, ip, "new.example.net")
        await told.until(2)
        logged = await entries(api, 3)

    assert [(zone, *changes) for zone, changes in told.updates] == [
        ("32-47.113.0.203.in-addr.arpa.", "40.32-47.113.0.203.in-addr.arpa."),
        ("0/29.113.0.203.in-addr.arpa.", "7.0/29.113.0.203.in-addr.arpa."),
    ]
    assert (logged[2].zone, logged[2].result) == (None, "no zone of the feed has it")


async def test_changes_that_are_due_together_go_together() -> None:
    """Many changes of one zone are one message."""
    async with name_server(Told()) as told, Simulator(SEEDS, feeding(told)) as api:
        for number in range(50):
            rename(api, (IP, OTHER)[number % 2], f"new-{number}.example.net")
        await entries(api, 50)

    assert len(told.updates) < 5
    assert told.updates[-1][1]["7.113.0.203.in-addr.arpa."] == ["new-48.example.net."]


@pytest.mark.virtual_time
async def test_delay_and_fault_say_when_a_change_is_told() -> None:
    """A change is sent after the delay of the feed, or after the propagation time that a fault gave it."""
    async with name_server(Told()) as told:
        settings = feeding(told, delay_s=5.0)
        async with Simulator(SEEDS, settings, clock=anyio.current_time) as api:
            begin = anyio.current_time()
            api.state.set_ptr(IP, 4711, ("late.example.net",), begin, propagation_s=20.0)
            rename(api, OTHER, "new.example.net")
            await anyio.sleep(4.5)
            early = len(told.changes)
            await anyio.sleep(26.0)
            logged = api.log.updates()

    assert early == 0
    assert [(entry.ip, round(entry.at - begin)) for entry in logged] == [(OTHER, 5), (IP, 20)]


async def test_seeds_are_told_before_the_first_call() -> None:
    """Where it is wanted, the server knows the names of the beginning before the simulator answers."""
    async with name_server(Told()) as told, Simulator(SEEDS, feeding(told, seeds=True)) as api:
        assert api.log.updated == 3

    assert ("7.113.0.203.in-addr.arpa.", ["old-0.example.net."]) in told.changes


async def test_refusal_is_logged_and_left_behind() -> None:
    """What the server refuses is logged with its code; the changes after it are told all the same."""
    async with name_server(Told(rcode=REFUSED)) as told, Simulator(SEEDS, feeding(told)) as api:
        rename(api, IP, "new.example.net")
        await entries(api, 1)
        told.rcode = NOERROR
        rename(api, IP, "newer.example.net")
        logged = await entries(api, 2)

    assert [entry.result for entry in logged] == ["REFUSED", "NOERROR"]


async def test_server_that_comes_late_hears_everything() -> None:
    """A server that hangs up is tried again before the next change is told."""
    async with name_server(Told(refuses_connections=2)) as told, Simulator(SEEDS, feeding(told)) as api:
        rename(api, IP, "new.example.net")
        await entries(api, 1)

    assert told.changes == [("7.113.0.203.in-addr.arpa.", ["new.example.net."])]


async def test_wrong_key_tells_nothing() -> None:
    """A server that does not know the key hears nothing; the log says why, without the secret."""
    wrong = "d3Jvbmc="
    async with name_server(Told()) as told, Simulator(SEEDS, feeding(told, secret=wrong)) as api:
        rename(api, IP, "new.example.net")
        logged = await entries(api, 1)

    assert told.changes == []
    assert logged[0].result != "NOERROR"
    assert wrong not in logged[0].line() + repr(feeding(told, secret=wrong))


async def test_server_that_is_not_there_keeps_nobody() -> None:
    """Without a server the changes are logged as not told, and the simulator ends at once."""
    async with name_server(Told()) as told:
        settings = feeding(told)
    with anyio.fail_after(PATIENCE_S):
        async with Simulator(SEEDS, settings) as api:
            rename(api, IP, "new.example.net")
            logged = await entries(api, 1)
            rename(api, IP, "newer.example.net")

    assert "Error" in logged[0].result


async def test_changes_from_another_thread_are_told() -> None:
    """A feed in a thread of its own hears of what a test changes in the state."""
    async with name_server(Told()) as told:
        with EmbeddedSimulator(SEEDS, feeding(told)) as api:
            api.state.set_ptr(IP, 4711, ("new.example.net",), 0.0)
            await told.until(1)

    assert told.changes == [("7.113.0.203.in-addr.arpa.", ["new.example.net."])]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        pytest.param(
            {"server": "192.0.2.53:53"}, "dns_update `192.0.2.53`: .* loopback only", id="elsewhere"
        ),
        pytest.param({"server": "127.0.0.1"}, "dns_update `127.0.0.1`: is no ADDRESS:PORT", id="no port"),
        pytest.param({"key_secret": "not base64!"}, "the secret of `feed` is no base64", id="secret"),
        pytest.param({"algorithm": "md5"}, "dns_update `md5`: no such algorithm", id="algorithm"),
        pytest.param({"delay_s": -1.0}, "is out of range", id="delay"),
    ],
)
def test_feed_that_makes_no_sense_is_refused(fields: dict[str, object], message: str) -> None:
    """A feed that could not work is refused when it is made, without its secret in the message."""
    given: dict[str, object] = {
        "server": "127.0.0.1:5300",
        "key_name": "feed",
        "key_secret": SECRET,
        **fields,
    }

    with pytest.raises(UsageError, match=message) as raised:
        DnsUpdate(**given)  # type: ignore[arg-type]  # a table of different fields

    assert str(given["key_secret"]) not in str(raised.value)

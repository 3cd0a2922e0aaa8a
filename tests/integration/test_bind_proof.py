"""Live proof against real name servers: a small Internet of BINDs, from the root down."""

from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest
from anyio import create_task_group, to_thread

from bulkip.policy import VerifyMode
from bulkip.proof import Absent, Finding, Found, Leading, Shown, Trouble
from bulkip.resolver import Resolver
from tests.bindserver import NEEDS_NAMED, TRANSFERRED, Bind, Hints, Primary, Secondary, bind, free_port

MAIL = Found(("mail.customer.example",))
NONE = Absent("the zone `113.0.203.in-addr.arpa` has none")
NONE_OF_THEIRS = Absent("the zone `0-15.113.0.203.in-addr.arpa` has none")
NOBODY_LISTENS = Trouble("refused the connection; no name server listens there")
NETWORK, A_FEW = 256, 10
NO_ADDRESS = Trouble("no address of it was found")
pytestmark = [pytest.mark.anyio, NEEDS_NAMED, pytest.mark.xdist_group("bind")]

REVERSE = "113.0.203.in-addr.arpa"
ROOT = """
@ NS ns.root.
ns.root. A 127.0.0.2
113.0.203.in-addr.arpa. NS ns1.isp.example.
113.0.203.in-addr.arpa. NS ns2.isp.example.
2.0.192.in-addr.arpa. NS ns1.isp.example.
2.0.192.in-addr.arpa. NS ns.customer.example.
99.51.198.in-addr.arpa. NS ns1.isp.example.
19.198.in-addr.arpa. NS ns1.isp.example.
1.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa. NS ns1.isp.example.
isp.example. NS ns1.isp.example.
ns1.isp.example. A 127.0.0.3
customer.example. NS ns.customer.example.
ns.customer.example. A 127.0.0.5
100.51.198.in-addr.arpa. NS ns.gone.example.
ns.gone.example. A 127.0.0.9
lost.example. NS ns.gone.example.
101.51.198.in-addr.arpa. NS ns.nowhere.example.
18.198.in-addr.arpa. NS ns.six.example.
ns.six.example. AAAA ::1
"""
ISP = "@ NS ns1\nns1 A 127.0.0.3\nns2 A 127.0.0.4\n"
ISP_REVERSE = """
@ NS ns1.isp.example.
@ NS ns2.isp.example.
0-15 NS ns.customer.example.
7 CNAME 7.0-15
8 CNAME 8.0-15
20 PTR Mail.Customer.example.
21 PTR wrong.customer.example.
22 PTR nowhere.customer.example.
"""
CUSTOMER = """
@ NS ns
ns A 127.0.0.5
mail A 203.0.113.20
mail AAAA 2001:db8:1::7
www CNAME mail
wrong A 203.0.113.99
7.18.moved PTR mail
"""
"""The customer's own names, and the reverse names that the provider's DNAME renames to here."""


@dataclass(frozen=True, slots=True)
class Internet:
    """The servers that tests speak to; the orphanage resolves, and serves a zone that nobody delegates."""

    port: int
    root: Bind
    provider: Bind
    secondary: Bind
    cache: Bind
    orphanage: Bind

    def updated(self, owner: str, kind: str, *values: str) -> None:
        """Change a record of the provider's reverse zone, on the primary and the secondary."""
        self.provider.update(REVERSE, owner, kind, *values)
        self.secondary.notify(REVERSE)


@pytest.fixture(scope="module")
def internet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Internet]:
    """Start all servers."""
    folder, port = tmp_path_factory.mktemp("bind"), free_port()
    with ExitStack() as stack:
        root = stack.enter_context(bind(folder / "root", "127.0.0.2", port, {".": Primary(ROOT)}))
        zones = {
            REVERSE: Primary(ISP_REVERSE, updatable=True),
            "isp.example": Primary(ISP),
            "99.51.198.in-addr.arpa": Primary("@ NS ns1.isp.example.\n"),
            "2.0.192.in-addr.arpa": Primary("@ NS ns1.isp.example.\n7 PTR mail.customer.example.\n"),
            "19.198.in-addr.arpa": Primary("@ NS ns1.isp.example.\n@ DNAME moved.customer.example.\n"),
            "1.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa": Primary(
                "@ NS ns1.isp.example.\n7" + ".0" * 19 + " PTR mail.customer.example.\n"
            ),
        }
        provider = stack.enter_context(bind(folder / "provider", "127.0.0.3", port, zones))
        secondary = stack.enter_context(
            bind(folder / "secondary", "127.0.0.4", port, {REVERSE: Secondary(provider)})
        )
        theirs = {
            "customer.example": Primary(CUSTOMER),
            f"0-15.{REVERSE}": Primary("@ NS ns.customer.example.\n7 PTR mail.customer.example.\n"),
        }
        stack.enter_context(bind(folder / "customer", "127.0.0.5", port, theirs))
        v6_only = {"18.198.in-addr.arpa": Primary("@ NS ns.six.example.\n7.0 PTR mail.customer.example.\n")}
        stack.enter_context(bind(folder / "six", "::1", port, v6_only))
        cache = stack.enter_context(bind(folder / "cache", "127.0.0.6", port, {".": Hints("127.0.0.2")}))
        orphan = {"0.0.192.in-addr.arpa": Primary("@ NS ns1.isp.example.\n7 PTR mail.customer.example.\n")}
        orphanage = stack.enter_context(
            bind(folder / "orphanage", "127.0.0.7", port, {".": Hints("127.0.0.2"), **orphan})
        )
        secondary.wait_for(TRANSFERRED)
        yield Internet(port, root, provider, secondary, cache, orphanage)


@pytest.fixture(params=["root", "cache"])
async def resolver(internet: Internet, request: pytest.FixtureRequest) -> AsyncIterator[Resolver]:
    """Begin every way once at the root, which only delegates, and once at a recursive resolver."""
    start: Bind = getattr(internet, request.param)
    async with Resolver(start=[start.endpoint], port=internet.port) as resolver:
        yield resolver


def said(findings: tuple[Finding, ...]) -> dict[str, Shown]:
    """Return what was said, by the first label of the server's name."""
    return {one.server.partition(" ")[0]: one.shown for one in findings}


@pytest.mark.parametrize(
    ("ip", "shown"),
    [
        pytest.param("203.0.113.20", {"ns1.isp.example": MAIL, "ns2.isp.example": MAIL}, id="two-servers"),
        pytest.param("203.0.113.99", {"ns1.isp.example": NONE, "ns2.isp.example": NONE}, id="no-name"),
        pytest.param("203.0.113.7", {"ns.customer.example": MAIL}, id="delegated-by-alias-rfc2317"),
        pytest.param("203.0.113.8", {"ns.customer.example": NONE_OF_THEIRS}, id="alias-to-no-name"),
        pytest.param("198.19.18.7", {"ns.customer.example": MAIL}, id="renamed-by-dname"),
        pytest.param("2001:db8:1::7", {"ns1.isp.example": MAIL}, id="ipv6"),
        pytest.param("198.18.0.7", {"ns.six.example": MAIL}, id="server-on-ipv6-only"),
        pytest.param(
            "192.0.2.7",
            {"ns1.isp.example": MAIL, "ns.customer.example": Trouble("answered REFUSED")},
            id="one-server-is-lame",
        ),
        pytest.param("198.51.100.7", {"ns.gone.example": NOBODY_LISTENS}, id="delegated-to-nobody"),
        pytest.param("198.51.101.7", {"ns.nowhere.example": NO_ADDRESS}, id="server-without-address"),
        pytest.param("192.168.1.1", {"ns.root": Absent("the zone `.` has none")}, id="not-delegated"),
    ],
)
async def test_servers_of_the_zone_are_found_and_asked(
    resolver: Resolver, ip: str, shown: dict[str, Shown]
) -> None:
    """Every server that the world is sent to says what it shows, wherever the way begins."""
    assert said(await resolver.pointers(ip)) == shown


async def test_servers_are_asked_for_their_own_word(internet: Internet, resolver: Resolver) -> None:
    """No server is asked to look further, so none answers from a cache."""
    await resolver.pointers("203.0.113.20")

    seen = [server.queries(f"20.{REVERSE}") for server in (internet.provider, internet.secondary)]
    assert [[one for one in queries if one == "PTR -E(0)"] != [] for queries in seen] == [True, True]


async def test_lagging_secondary_holds_the_proof_back(internet: Internet, resolver: Resolver) -> None:
    """A change counts when the last server shows it."""
    internet.updated("30", "PTR", "old.customer.example.")
    internet.provider.update(REVERSE, "30", "PTR", "mail.customer.example.")

    before = await resolver.proof(VerifyMode.DNS, "203.0.113.30", ["mail.customer.example"])
    internet.secondary.notify(REVERSE)
    after = await resolver.proof(VerifyMode.DNS, "203.0.113.30", ["mail.customer.example"])

    assert (before.holds, before.decided, after.holds) == (False, True, True)
    assert "ns2.isp.example" in before.reason
    assert "`old.customer.example`" in before.reason


async def test_cleared_name_is_gone_on_every_server(internet: Internet, resolver: Resolver) -> None:
    """No name is proved like a name, server by server."""
    internet.updated("31", "PTR", "mail.customer.example.")
    internet.provider.update(REVERSE, "31", "PTR")

    before = await resolver.proof(VerifyMode.DNS, "203.0.113.31", [])
    internet.secondary.notify(REVERSE)
    after = await resolver.proof(VerifyMode.DNS, "203.0.113.31", [])

    assert (before.holds, after.holds) == (False, True)


async def test_many_names_come_over_tcp(internet: Internet, resolver: Resolver) -> None:
    """An answer that is too long for UDP is fetched whole."""
    names = [f"a-rather-long-name-of-a-machine-{number:03}.customer.example" for number in range(60)]
    internet.updated("32", "PTR", "old.customer.example.")
    internet.updated("32", "PTR", *(f"{name}." for name in names))

    proof = await resolver.proof(VerifyMode.DNS, "203.0.113.32", names)

    assert proof.holds, proof.reason
    await to_thread.run_sync(internet.provider.wait_for, f"query: 32.{REVERSE} IN PTR -E(0)T")


@pytest.mark.parametrize(
    ("ip", "name", "reason"),
    [
        pytest.param("203.0.113.20", "mail", "`mail.customer.example` leads back to 203.0.113.20", id="v4"),
        pytest.param("2001:db8:1::7", "mail", "`mail.customer.example` leads back to 2001:db8:1::7", id="v6"),
        pytest.param(
            "203.0.113.21",
            "wrong",
            "`wrong.customer.example` leads to 203.0.113.99 instead of 203.0.113.21",
            id="wrong",
        ),
        pytest.param("203.0.113.22", "nowhere", "`nowhere.customer.example` leads nowhere", id="none"),
    ],
)
async def test_name_is_followed_back(resolver: Resolver, ip: str, name: str, reason: str) -> None:
    """Both directions are proved: the address has the name, and the name that address."""
    proof = await resolver.proof(VerifyMode.FCRDNS, ip, [f"{name}.customer.example"])

    assert (proof.holds, proof.decided) == ("leads back" in reason, True)
    assert proof.reason.endswith(reason)


@pytest.mark.parametrize(
    ("name", "leading"),
    [
        pytest.param("mail.customer.example", Leading.HERE, id="here"),
        pytest.param("www.customer.example", Leading.HERE, id="by-an-alias"),
        pytest.param("wrong.customer.example", Leading.ELSEWHERE, id="elsewhere"),
        pytest.param("nowhere.customer.example", Leading.NOWHERE, id="nowhere"),
        pytest.param("mail.lost.example", Leading.UNKNOWN, id="delegated-to-nobody"),
    ],
)
async def test_name_is_looked_up_before_it_is_written(
    resolver: Resolver, name: str, leading: Leading
) -> None:
    """A plan can say of a new name whether mail servers will be content with it."""
    assert (await resolver.lead(name, "203.0.113.20")).leading is leading


async def test_alias_of_a_name_is_followed(resolver: Resolver) -> None:
    """A name may lead to its address by way of another name."""
    findings = await resolver.addresses("www.customer.example", 4)

    assert said(findings) == {"ns.customer.example": Found(("203.0.113.20",))}


async def test_given_resolver_answers_from_its_cache(internet: Internet) -> None:
    """Who names resolvers sees what their users see, although the zone's servers know better."""
    internet.updated("33", "PTR", "old.customer.example.")
    async with (
        Resolver([internet.cache.endpoint]) as given,
        Resolver(start=[internet.root.endpoint], port=internet.port) as direct,
    ):
        await given.pointers("203.0.113.33")
        internet.updated("33", "PTR", "mail.customer.example.")

        cached = await given.pointers("203.0.113.33")
        fresh = await direct.pointers("203.0.113.33")

    assert cached == (Finding(internet.cache.endpoint, Found(("old.customer.example",))),)
    assert {one.shown for one in fresh} == {MAIL}


async def test_given_server_that_does_not_resolve_is_no_proof(internet: Internet) -> None:
    """A server that only refers to others was not meant; it says neither yes nor no."""
    async with Resolver([internet.root.endpoint]) as resolver:
        proof = await resolver.proof(VerifyMode.DNS, "203.0.113.20", ["mail.customer.example"])

    assert not proof.decided
    assert "no recursive resolver" in proof.reason


async def test_zone_without_delegation_is_no_proof(internet: Internet) -> None:
    """A zone that its own provider serves, but nobody is sent to, shows the world nothing."""
    async with Resolver(start=[internet.orphanage.endpoint], port=internet.port) as resolver:
        proof = await resolver.proof(VerifyMode.DNS, "192.0.0.7", ["mail.customer.example"])

    assert (proof.holds, proof.decided) == (False, True)
    assert "zone above 0.0.192.in-addr.arpa shows no name (it does not delegate this zone)" in proof.reason


async def test_network_is_walked_once(internet: Internet, resolver: Resolver) -> None:
    """A network of addresses costs its servers one question each, beside one that finds its zone."""
    upstairs, network = (internet.root, internet.cache), "99.51.198.in-addr.arpa"
    before = [len(server.questions("arpa")) for server in upstairs]
    asked_before = len(internet.provider.questions(network))

    async with create_task_group() as tasks:
        for last in range(NETWORK):
            tasks.start_soon(resolver.pointers, f"198.51.99.{last}")

    above = [len(server.questions("arpa")) for server in upstairs]
    assert len(internet.provider.questions(network)) - asked_before <= 2 * NETWORK + A_FEW
    assert max(now - then for now, then in zip(above, before, strict=True)) <= A_FEW

"""How the servers of a zone are found, when those on the way are broken, slow or hostile."""

import sys
from collections.abc import Iterable, Mapping
from itertools import count

import anyio
import dns.flags
import dns.rcode
import pytest

from bulkip.policy import VerifyMode
from bulkip.proof import Absent, Finding, Found, Shown, Trouble
from bulkip.resolver import Resolver
from bulkip.resolver.resolver import TRIES
from bulkip.resolver.walks import MOST_QUESTIONS
from tests.scriptednameserver import NameServer, Question, Reply, Script, answering, reply_to
from tests.virtualtime import stall

pytestmark = pytest.mark.anyio
ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has 127.0.0.2 from the start")

IP, OWNER, APEX = "203.0.113.7", "7.113.0.203.in-addr.arpa.", "113.0.203.in-addr.arpa."
MAIL = Found(("mail.example.net",))
NS = f"{APEX} NS ns.example."
ADDRESS = "ns.example. A 127.0.0.1"
SOA = f"{APEX} SOA ns.example. hostmaster.example. 1 3600 600 86400 60"
LONGEST = ".".join(["a" * 63] * 3 + ["a" * 61]) + "."
NETWORK = 256
NOT_ITS_OWN = dns.flags.Flag(0)
ALONE: Mapping[tuple[str, str], Iterable[str]] = {
    (APEX, "NS"): [NS],
    ("ns.example.", "A"): [ADDRESS],
    (OWNER, "PTR"): [f"{OWNER} PTR mail.example.net."],
}


def world(answers: Mapping[tuple[str, str], Iterable[str]] = ALONE, soa: str = SOA) -> Script:
    """Answer for the zone, and for the name of its server; a changed answer is given over the usual ones."""
    known = {**ALONE, **answers}

    def script(question: Question) -> Iterable[Reply]:
        answer = [*known.get((question.name, question.kind), ())]
        yield reply_to(question, answer=answer, authority=[] if answer else [soa])

    return script


async def pointers(server: NameServer, ip: str = IP) -> dict[str, Shown]:
    """Return what is said of an address by those that the way from a server leads to."""
    async with Resolver(start=[server.endpoint], port=server.port) as resolver:
        return {one.server: one.shown for one in await resolver.pointers(ip)}


async def told(script: Script) -> set[Shown]:
    """Return what is said in a world of one server."""
    async with answering(script) as server:
        return set((await pointers(server)).values())


def not_its_own(script: Script) -> Script:
    """Answer like a cache: the same, but not as the zone's own server."""

    def cached(question: Question) -> Iterable[Reply]:
        for reply in script(question):
            assert not isinstance(reply, bytes)
            reply.flags &= ~dns.flags.AA
            yield reply

    return cached


async def test_one_server_may_be_the_whole_world() -> None:
    """A server that only serves the zone, and knows nothing above it, is enough to begin at."""
    async with answering(world()) as server:
        findings = await pointers(server)

    assert findings == {f"ns.example ({server.endpoint})": MAIL}
    assert [one.recursive for one in server.seen if one.kind == "PTR"] == [False]


@pytest.mark.parametrize(
    ("script", "shown"),
    [
        pytest.param(
            not_its_own(world()),
            {Trouble(f"does not serve the zone `{APEX[:-1]}`")},
            id="answers-from-a-cache",
        ),
        pytest.param(
            world({(OWNER, "PTR"): [f"{OWNER} CNAME {OWNER}"]}),
            {Trouble(f"the way to `{OWNER[:-1]}` has no end")},
            id="alias-of-itself",
        ),
        pytest.param(
            world(
                {
                    (OWNER, "PTR"): [f"{OWNER} CNAME a.{APEX}"],
                    (f"a.{APEX}", "PTR"): [f"a.{APEX} CNAME {OWNER}"],
                }
            ),
            {Trouble(f"the way to `{OWNER[:-1]}` has no end")},
            id="aliases-in-a-circle",
        ),
        pytest.param(
            world({(OWNER, "PTR"): [f"{APEX} DNAME {LONGEST}"]}),
            {Trouble(f"renames `{OWNER[:-1]}` to a name that is too long")},
            id="renamed-beyond-255-octets",
        ),
        pytest.param(
            world({(APEX, "NS"): []}), {Trouble("no name server of this zone was found")}, id="no-servers"
        ),
        pytest.param(
            world({("ns.example.", "A"): []}), {Trouble("no address of it was found")}, id="no-address"
        ),
        pytest.param(
            world({("ns.example.", "A"): ["ns.example. CNAME ns.example."]}),
            {Trouble("no address of it was found")},
            id="server-is-alias-of-itself",
        ),
        pytest.param(
            world({(OWNER, "PTR"): []}), {Absent(f"the zone `{APEX[:-1]}` has none")}, id="no-record"
        ),
        pytest.param(
            world(soa="8.113.0.203.in-addr.arpa. SOA ns.example. a.example. 1 1 1 1 1"),
            {Trouble("not to be found: nobody told")},
            id="soa-of-another-name",
        ),
    ],
)
async def test_broken_zone_is_told(script: Script, shown: set[Shown]) -> None:
    """What is wrong with a zone is said of it, and is no proof."""
    assert await told(script) == shown


async def test_chain_of_aliases_has_an_end() -> None:
    """Aliases that lead on for ever are given up."""
    names = (f"{number}.{APEX}" for number in count(1000))

    def script(question: Question) -> Iterable[Reply]:
        if question.kind == "PTR":
            return [reply_to(question, answer=[f"{question.name} CNAME {next(names)}"])]
        return world()(question)

    async with answering(script) as server:
        findings = await pointers(server)

    assert [type(shown) for shown in findings.values()] == [Trouble]
    assert len([one for one in server.seen if one.kind == "PTR"]) == 8


async def test_delegations_have_an_end() -> None:
    """Servers that always refer one label further down are given up."""
    name = OWNER.split(".")

    def script(question: Question) -> Iterable[Reply]:
        if question.kind == "A":
            return [reply_to(question, answer=[f"{question.name} A 127.0.0.1"])]
        seen = len(server.seen)
        below = ".".join(name[max(0, 6 - seen) :])
        return [
            reply_to(question, authority=[f"{below} NS ns{seen}.example."], flags=NOT_ITS_OWN),
        ]

    async with answering(script) as server:
        findings = await pointers(server)

    assert all(isinstance(shown, Trouble) for shown in findings.values())
    assert len(server.seen) < 100


async def test_flood_of_name_servers_is_bounded() -> None:
    """A zone that names a thousand servers without addresses costs no thousand questions."""

    def script(question: Question) -> Iterable[Reply]:
        if question.name == APEX and question.kind == "NS":
            return [
                reply_to(question, answer=[f"{APEX} NS ns{number}.victim.example." for number in range(30)])
            ]
        return world()(question)

    async with answering(script) as server:
        findings = await pointers(server)

    assert set(findings.values()) == {Trouble("no address of it was found")}
    assert len(server.seen) <= 60


async def test_circle_of_servers_names_has_an_end() -> None:
    """Two zones whose servers are named in each other, without addresses, lead nowhere."""

    def script(question: Question) -> Iterable[Reply]:
        if question.name.endswith("a.example."):
            cut = "a.example. NS ns.b.example."
        elif question.name.endswith("b.example."):
            cut = "b.example. NS ns.a.example."
        else:
            cut = f"{APEX} NS ns.a.example."
        return [reply_to(question, authority=[cut], flags=NOT_ITS_OWN)]

    async with answering(script) as server:
        findings = await pointers(server)

    assert set(findings.values()) == {Trouble("no address of it was found")}
    assert len(server.seen) <= 100


async def test_endless_search_is_given_up() -> None:
    """However servers send us around, one address costs a bounded number of questions."""
    labels = count()

    def script(question: Question) -> Iterable[Reply]:
        zone = question.name.split(".", 1)[1]
        names = [f"{zone} NS ns{next(labels)}.deep.deep.deep.example." for _ in range(16)]
        return [reply_to(question, authority=names, flags=NOT_ITS_OWN)]

    async with answering(script) as server:
        findings = await pointers(server)

    assert all(isinstance(shown, Trouble) for shown in findings.values())
    assert len(server.seen) <= MOST_QUESTIONS * TRIES


@ON_LINUX
async def test_resolver_that_fails_below_is_asked_about_what_is_above() -> None:
    """A recursive resolver says nothing below a broken delegation; the zone above tells who is to blame."""
    above = "203.in-addr.arpa."
    answers = {
        (above, "SOA"): [f"{above} SOA ns.example. a.example. 1 1 1 1 1"],
        (above, "NS"): [f"{above} NS ns.example."],
        ("ns.example.", "A"): [ADDRESS],
        ("dead.example.", "A"): ["dead.example. A 127.0.0.2"],
    }

    def script(question: Question) -> Iterable[Reply]:
        answer = [*answers.get((question.name, question.kind), ())]
        if answer:
            return [reply_to(question, answer=answer)]
        if question.recursive or not question.name.endswith(APEX):
            soa = f"{above} SOA ns.example. a.example. 1 1 1 1 1"
            broken = question.name.endswith(APEX)
            return [
                reply_to(question, rcode=dns.rcode.SERVFAIL if broken else dns.rcode.NOERROR, authority=[soa])
            ]
        return [reply_to(question, authority=[f"{APEX} NS dead.example."], flags=NOT_ITS_OWN)]

    async with answering(script) as server:
        findings = await pointers(server)

    refused = Trouble("refused the connection; no name server listens there")
    assert findings == {f"dead.example (127.0.0.2:{server.port})": refused}


async def test_second_starting_server_helps_out() -> None:
    """One dead resolver of the machine is no obstacle."""
    async with (
        answering(lambda _: []) as dead,
        answering(world()) as server,
        Resolver(start=[dead.endpoint, server.endpoint], port=server.port, timeout_s=0.05) as resolver,
    ):
        findings = await resolver.pointers(IP)

    assert findings == (Finding(f"ns.example ({server.endpoint})", MAIL),)


async def test_delegation_that_only_an_answer_shows_is_followed() -> None:
    """Servers may differ about where a zone ends; who is sent on goes on."""

    def script(question: Question) -> Iterable[Reply]:
        below = [one for one in server.seen if one.kind == "NS" and one.name == OWNER]
        if question.kind == "PTR" and not below:
            return [reply_to(question, authority=[f"{OWNER} NS ns.example."], flags=NOT_ITS_OWN)]
        return world()(question)

    async with answering(script) as server:
        findings = await pointers(server)

    assert findings == {f"ns.example ({server.endpoint})": MAIL}


@ON_LINUX
async def test_word_of_a_server_that_does_not_serve_the_zone_leads_nowhere() -> None:
    """A lame server cannot tell where a zone ends; another one of the zone is asked."""

    def lame(question: Question) -> Iterable[Reply]:
        forged = f"{OWNER} SOA a.example. a.example. 1 1 1 1 1"
        yield reply_to(question, authority=[forged], flags=NOT_ITS_OWN)

    answers = {
        (APEX, "NS"): [f"{APEX} NS a.example.", NS],
        ("a.example.", "A"): ["a.example. A 127.0.0.2"],
    }
    async with (
        answering(world(answers)) as server,
        answering(lame, address="127.0.0.2", port=server.port) as other,
    ):
        findings = await pointers(server)

    refused = Trouble(f"does not serve the zone `{APEX[:-1]}`")
    assert findings == {f"a.example ({other.endpoint})": refused, f"ns.example ({server.endpoint})": MAIL}


async def test_dead_start_is_told() -> None:
    """Without anybody to begin at, the reason names who did not answer."""
    async with (
        answering(lambda _: []) as dead,
        Resolver(start=[dead.endpoint], port=dead.port, timeout_s=0.03) as resolver,
    ):
        proof = await resolver.proof(VerifyMode.DNS, IP, ["mail.example.net"])

    assert not proof.decided
    assert f"not to be found: {dead.endpoint}: no answer within" in proof.reason


async def test_way_up_from_a_failing_resolver_is_short() -> None:
    """An IPv6 name has 34 labels; a resolver that fails at each is not asked about each."""
    async with answering(lambda question: [reply_to(question, rcode=dns.rcode.SERVFAIL)]) as server:
        await pointers(server, "2001:db8::7")

    assert len(server.seen) <= 7


@ON_LINUX
async def test_silent_server_is_not_asked_first_again() -> None:
    """Who was silent is asked what it shows, but the way is asked of those that answer."""
    answers = {
        (APEX, "NS"): [f"{APEX} NS a.example.", NS],
        ("a.example.", "A"): ["a.example. A 127.0.0.2"],
    }
    async with (
        answering(world(answers)) as server,
        answering(lambda _: [], address="127.0.0.2", port=server.port) as silent,
        Resolver(start=[server.endpoint], port=server.port, timeout_s=0.2) as resolver,
    ):
        for last in range(3):
            await resolver.pointers(f"203.0.113.{last}")

    names = {one.name for one in silent.seen if one.kind == "SOA"}
    assert len(names) <= 1
    assert len({one.name for one in silent.seen if one.kind == "PTR"}) == 3


async def test_machine_without_resolvers_is_told() -> None:
    """A machine whose configuration names no resolver can only ask those that the job names."""
    async with Resolver(start=[]) as resolver:
        (finding,) = await resolver.pointers(IP)

    reason = "not to be found: no resolver to begin at is known; the system's configuration names none"
    assert finding == Finding(f"zone of {OWNER[:-1]}", Trouble(reason))


async def test_neighbours_wait_for_the_first_one() -> None:
    """A thousand addresses of one network find its servers once."""
    async with (
        answering(world()) as server,
        Resolver(start=[server.endpoint], port=server.port) as resolver,
        anyio.create_task_group() as tasks,
    ):
        for last in range(NETWORK):
            tasks.start_soon(resolver.pointers, f"203.0.113.{last}")

    assert len([one for one in server.seen if one.recursive]) <= 10
    assert len([one for one in server.seen if one.kind == "PTR"]) == NETWORK


async def test_cancelled_first_one_holds_nobody_up() -> None:
    """When the address that finds the zone is given up, its neighbours find it themselves."""
    scout, found = anyio.CancelScope(), list[tuple[Finding, ...]]()

    def script(question: Question) -> Iterable[Reply]:
        return world()(question) if scout.cancel_called else []

    async with (
        answering(script) as server,
        Resolver(start=[server.endpoint], port=server.port, timeout_s=60) as resolver,
    ):

        async def look() -> None:
            found.append(await resolver.pointers(IP))

        async def look_until_given_up() -> None:
            with scout:
                await look()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(look_until_given_up)
            tasks.start_soon(look)
            await anyio.wait_all_tasks_blocked()
            scout.cancel()

    assert [[one.shown for one in findings] for findings in found] == [[MAIL]]


@pytest.mark.virtual_time
async def test_who_serves_a_zone_is_asked_again_after_a_minute() -> None:
    """Delegations are remembered for a minute, what servers say is not."""
    async with (
        answering(world()) as server,
        Resolver(start=[server.endpoint], port=server.port) as resolver,
    ):
        for _ in range(3):
            await resolver.pointers(IP)
            stall(31)

    assert len([one for one in server.seen if one.kind == "PTR"]) == 3
    assert len([one for one in server.seen if one.recursive and one.name == OWNER]) == 2


async def test_configuration_of_the_machine_is_read_beside_the_loop() -> None:
    """Without servers to begin at, those of the machine are learned before the first question."""
    async with Resolver() as resolver:
        assert isinstance(resolver, Resolver)

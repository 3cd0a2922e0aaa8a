"""What becomes of one question to one server, however the server answers."""

import socket
from collections.abc import Iterable
from typing import Any

import anyio
import dns.flags
import dns.message
import dns.rcode
import pytest

from bulkip.proof import Absent, Finding, Found, Shown, Trouble
from bulkip.resolver import Resolver
from tests.rawserver import arrived
from tests.scriptednameserver import NameServer, Question, Reply, Script, answering, reply_to

pytestmark = pytest.mark.anyio

IP, OWNER = "203.0.113.7", "7.113.0.203.in-addr.arpa."
MAIL = Found(("mail.example.net",))
PTR = f"{OWNER} PTR mail.example.net."
PATIENT_S, QUICK_S = 10.0, 0.2
IN_FLIGHT = 7
RESOLVED = dns.flags.RA
TRUNCATED = dns.flags.TC | dns.flags.RA


@pytest.fixture(params=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, Any]]:
    """Run on the loop of tests and on the one of the program."""
    return "asyncio", {"use_uvloop": request.param == "uvloop"}


async def shown_by(server: NameServer, timeout_s: float = PATIENT_S) -> Shown:
    """Return what one given server shows for an address."""
    async with Resolver([server.endpoint], timeout_s=timeout_s) as resolver:
        (finding,) = await resolver.pointers(IP)
    return finding.shown


async def shown(script: Script, timeout_s: float = PATIENT_S) -> Shown:
    """Return what a server with this script shows."""
    async with answering(script) as server:
        return await shown_by(server, timeout_s)


def good(question: Question) -> dns.message.Message:
    """Return the honest answer."""
    return reply_to(question, answer=[PTR], flags=RESOLVED)


def renumbered(question: Question) -> dns.message.Message:
    """Return an answer to another question's number."""
    reply = reply_to(question, answer=[f"{OWNER} PTR forged.example."])
    reply.id ^= 1
    return reply


def for_another_name(question: Question) -> dns.message.Message:
    """Return an answer with the right number to a question that was not asked."""
    other = dns.message.make_query("8.113.0.203.in-addr.arpa.", "PTR", id=question.message.id)
    return reply_to(Question(other), answer=["8.113.0.203.in-addr.arpa. PTR forged.example."])


def cut_off(question: Question) -> bytes:
    """Return an answer without its end."""
    forged = [f"{OWNER} PTR forged.example.", f"{OWNER} A 203.0.113.7"]
    return reply_to(question, answer=forged).to_wire()[:-20]


@pytest.mark.parametrize(
    "forged",
    [
        pytest.param(renumbered, id="wrong-number"),
        pytest.param(for_another_name, id="other-question"),
        pytest.param(cut_off, id="cut-off"),
        pytest.param(lambda question: question.message, id="question-itself"),
        pytest.param(lambda _: b"", id="empty"),
        pytest.param(lambda _: b"\xff" * 600, id="noise"),
        pytest.param(
            lambda question: question.message.to_wire()[:2] + b"\xff" * 600, id="noise-with-its-number"
        ),
    ],
)
async def test_what_answers_another_question_is_ignored(forged: Any) -> None:
    """Datagrams that anybody could have sent do not count; the honest answer after them does."""
    assert await shown(lambda question: [forged(question), good(question)]) == MAIL


async def test_answer_from_another_port_is_ignored() -> None:
    """Only the server that was asked can answer."""
    with socket.socket(type=socket.SOCK_DGRAM) as forger:

        def script(question: Question) -> Iterable[Reply]:
            forged = reply_to(question, answer=[f"{OWNER} PTR forged.example."], flags=RESOLVED)
            forger.sendto(forged.to_wire(), question.client)
            yield good(question)

        assert await shown(script) == MAIL


async def test_silent_server_is_asked_twice_and_the_second_time_plainly() -> None:
    """A question that got lost is repeated without EDNS, in case that was what lost it."""
    async with answering(lambda _: []) as server:
        answer = await shown_by(server, QUICK_S)

    assert answer == Trouble("no answer within 0.2 s, asked 2 times")
    assert [question.edns for question in server.seen] == [True, False]


async def test_server_that_drops_edns_is_asked_plainly_from_then_on() -> None:
    """An old server costs one lost question, not one each time."""
    async with (
        answering(lambda question: [] if question.edns else [good(question)]) as server,
        Resolver([server.endpoint], timeout_s=QUICK_S) as resolver,
    ):
        shown = [one.shown for _ in range(2) for one in await resolver.pointers(IP)]

    assert shown == [MAIL, MAIL]
    assert [question.edns for question in server.seen] == [True, False, False]


async def test_server_that_stays_silent_is_tried_once() -> None:
    """A dead server holds up a thousand addresses no longer than it must."""
    async with answering(lambda _: []) as server, Resolver([server.endpoint], timeout_s=0.03) as resolver:
        shown = [one.shown for _ in range(4) for one in await resolver.pointers(IP)]

    assert shown[-1] == Trouble("no answer within 0.01 s, asked once")
    assert len(server.seen) == 3 * 2 + 1


@pytest.mark.parametrize("rcode", [dns.rcode.FORMERR, dns.rcode.NOTIMP, dns.rcode.BADVERS])
async def test_server_that_refuses_edns_is_asked_plainly(rcode: dns.rcode.Rcode) -> None:
    """A server that takes offence at EDNS is asked again at once."""

    def script(question: Question) -> Iterable[Reply]:
        yield reply_to(question, rcode=rcode) if question.edns else good(question)

    assert await shown(script) == MAIL


@pytest.mark.parametrize(
    "rcode", [dns.rcode.SERVFAIL, dns.rcode.REFUSED, dns.rcode.NOTIMP, dns.rcode.FORMERR, dns.rcode.YXDOMAIN]
)
async def test_error_code_is_told(rcode: dns.rcode.Rcode) -> None:
    """A server that says it failed proves nothing, and its word is passed on."""
    assert await shown(lambda question: [reply_to(question, rcode=rcode)]) == Trouble(
        f"answered {rcode.name}"
    )


async def test_closed_port_is_told_at_once() -> None:
    """Where nothing listens nobody waits for an answer."""
    async with answering(lambda _: []) as server:
        pass

    async with Resolver([server.endpoint], timeout_s=60) as resolver:
        (finding,) = await resolver.pointers(IP)

    assert finding.shown == Trouble("refused the connection; no name server listens there")


async def test_address_that_is_nobodys_is_told() -> None:
    """What the machine itself refuses to send to is told with its reason."""
    async with Resolver(["255.255.255.255:53"]) as resolver:
        (finding,) = await resolver.pointers(IP)

    assert finding.shown == Trouble("could not be reached: Permission denied")


def truncating(over_tcp: Script) -> Script:
    """Answer a half over UDP, and by another script over TCP."""

    def script(question: Question) -> Iterable[Reply]:
        if question.tcp:
            return over_tcp(question)
        cut = reply_to(question, answer=[f"{OWNER} PTR half.example."], flags=TRUNCATED)
        return [cut]

    return script


async def test_answer_that_does_not_fit_is_fetched_over_tcp() -> None:
    """Half of the names is no answer."""
    assert await shown(truncating(lambda question: [good(question)])) == MAIL


async def test_answer_that_is_cut_in_a_record_is_fetched_over_tcp() -> None:
    """Some servers cut where the space ends, not where a record does."""

    def script(question: Question) -> Iterable[Reply]:
        wire = reply_to(question, answer=[PTR], flags=TRUNCATED).to_wire()
        return [good(question)] if question.tcp else [wire[:-7]]

    assert await shown(script) == MAIL


@pytest.mark.parametrize(
    ("over_tcp", "reason"),
    [
        pytest.param(lambda _: [], "gave no answer within 0.2 s", id="silence"),
        pytest.param(lambda _: [b"\x00"], "gave no answer within 0.2 s", id="half-a-length"),
        pytest.param(lambda _: [b"\xff\xff" + b"\0" * 99], "gave no answer within 0.2 s", id="drip"),
        pytest.param(
            lambda _: [b"\0\x08" + b"\xff" * 8], "broke off, or sent what is no DNS answer", id="noise"
        ),
        pytest.param(
            lambda question: [renumbered(question)],
            "broke off, or sent what is no DNS answer",
            id="wrong-number",
        ),
    ],
)
async def test_broken_answer_over_tcp_is_told(over_tcp: Script, reason: str) -> None:
    """A firewall that lets only UDP through is the usual reason, so TCP is named."""
    trouble = Trouble(f"its answer needs TCP, and over TCP it {reason}")

    assert await shown(truncating(over_tcp), QUICK_S) == trouble


async def test_closed_connection_is_told() -> None:
    """A server that hangs up over TCP has not answered."""
    async with answering(truncating(lambda _: []), tcp=False) as server:
        answer = await shown_by(server)

    assert answer == Trouble(
        "its answer needs TCP, and over TCP it broke off, or sent what is no DNS answer"
    ) or answer == Trouble(
        "its answer needs TCP, and over TCP it could not be reached: Connection reset by peer"
    )


@pytest.mark.parametrize(
    ("records", "names"),
    [
        pytest.param(["Mail.EXAMPLE.net."], ("mail.example.net",), id="case"),
        pytest.param(["mail.example.net.", "MAIL.example.net."], ("mail.example.net",), id="twice"),
        pytest.param(["b.example.", "a.example."], ("a.example", "b.example"), id="sorted"),
        pytest.param(["."], (".",), id="root"),
        pytest.param(["xn--mgbh0fb.example."], ("xn--mgbh0fb.example",), id="a-label-stays"),
        pytest.param([r"a\027[31m\226\128\174.example."], (r"a\027[31m\226\128\174.example",), id="escapes"),
        pytest.param([r"a\.b.example."], (r"a\.b.example",), id="dot-in-a-label"),
        pytest.param([".".join(["a" * 61] * 4) + "."], (".".join(["a" * 61] * 4),), id="longest"),
    ],
)
async def test_names_are_shown_in_plain_text(records: list[str], names: tuple[str, ...]) -> None:
    """Names come in lower case and without final dot, and bytes that lie to a reader come escaped."""
    answer = [f"{OWNER} PTR {record}" for record in records]

    assert await shown(lambda question: [reply_to(question, answer=answer, flags=RESOLVED)]) == Found(names)


async def test_thousands_of_names_are_counted() -> None:
    """No server can fill the memory with the names of one address."""
    answer = [f"{OWNER} PTR {number:04}.example." for number in range(1500)]

    def script(question: Question) -> Iterable[Reply]:
        flags = TRUNCATED if not question.tcp else RESOLVED
        yield reply_to(question, answer=answer if question.tcp else [], flags=flags)

    found = await shown(script)

    assert isinstance(found, Found)
    assert (len(found.names), found.more) == (1000, 500)


@pytest.mark.parametrize(
    ("reply", "answer"),
    [
        pytest.param({"rcode": dns.rcode.NXDOMAIN, "flags": RESOLVED}, Absent(), id="no-such-name"),
        pytest.param({"flags": RESOLVED}, Absent(), id="no-such-record"),
        pytest.param(
            {
                "answer": [f"{OWNER} CNAME 7.sub.example.", "7.sub.example. PTR mail.example.net."],
                "flags": RESOLVED,
            },
            MAIL,
            id="alias",
        ),
        pytest.param(
            {"answer": [f"{OWNER} CNAME 7.sub.example."], "flags": RESOLVED}, Absent(), id="alias-to-nothing"
        ),
        pytest.param(
            {"answer": [f"{OWNER} CNAME 7.sub.example."]},
            Trouble("points to `7.sub.example` without following; it is no recursive resolver"),
            id="alias-not-followed",
        ),
        pytest.param(
            {"answer": [f"{OWNER} CNAME a.example.", f"a.example. CNAME {OWNER}"], "flags": RESOLVED},
            Trouble(f"the aliases of `{OWNER[:-1]}` go round in circles"),
            id="aliases-in-a-circle",
        ),
        pytest.param(
            {"answer": [PTR], "rcode": dns.rcode.NXDOMAIN, "flags": RESOLVED},
            Trouble("contradicts itself: no such name, and an answer"),
            id="contradiction",
        ),
        pytest.param(
            {"authority": ["in-addr.arpa. NS ns.example."], "flags": dns.flags.Flag(0)},
            Trouble("refers to other servers instead of answering; it is no recursive resolver"),
            id="referral",
        ),
        pytest.param(
            {"answer": ["8.113.0.203.in-addr.arpa. PTR forged.example."], "flags": RESOLVED},
            Absent(),
            id="record-of-another-name",
        ),
    ],
)
async def test_answer_of_a_given_resolver_is_read(reply: dict[str, Any], answer: Shown) -> None:
    """A recursive resolver follows aliases itself; one that does not says neither yes nor no."""
    assert await shown(lambda question: [reply_to(question, **reply)]) == answer


async def test_given_servers_are_asked_side_by_side() -> None:
    """Each server answers for itself, in the order of the job file."""
    async with (
        answering(lambda question: [good(question)]) as first,
        answering(lambda _: []) as second,
        Resolver([second.endpoint, first.endpoint], timeout_s=0.05) as resolver,
    ):
        findings = await resolver.pointers(IP)

    silence = Trouble("no answer within 0.05 s, asked 2 times")
    assert findings == (Finding(second.endpoint, silence), Finding(first.endpoint, MAIL))
    assert all(question.recursive for question in first.seen)


async def test_questions_on_their_way_are_bounded() -> None:
    """A thousand addresses do not ask a thousand questions at once."""
    full = anyio.Event()

    def script(_: Question) -> Iterable[Reply]:
        if len(server.seen) >= IN_FLIGHT:
            full.set()
        return []

    async with (
        answering(script) as server,
        Resolver([server.endpoint], timeout_s=PATIENT_S, in_flight=IN_FLIGHT) as resolver,
        anyio.create_task_group() as tasks,
    ):
        for last in range(100):
            tasks.start_soon(resolver.pointers, f"203.0.113.{last}")
        await full.wait()
        await arrived()
        tasks.cancel_scope.cancel()

    assert len(server.seen) == IN_FLIGHT


@pytest.mark.parametrize(
    ("version", "kind", "record", "address"),
    [
        pytest.param(4, "A", "mail.example.net. A 203.0.113.7", "203.0.113.7", id="v4"),
        pytest.param(6, "AAAA", "mail.example.net. AAAA 2001:DB8:0::7", "2001:db8::7", id="v6"),
    ],
)
async def test_addresses_of_a_name_are_asked(version: int, kind: str, record: str, address: str) -> None:
    """Only addresses of the kind that can lead back are asked for, and shown in canonical form."""
    async with (
        answering(lambda question: [reply_to(question, answer=[record], flags=RESOLVED)]) as server,
        Resolver([server.endpoint]) as resolver,
    ):
        (finding,) = await resolver.addresses("Mail.Example.net", version)

    assert finding.shown == Found((address,))
    assert [question.kind for question in server.seen] == [kind]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("a..b", id="empty-label"),
        pytest.param("a" * 64 + ".example", id="long-label"),
        pytest.param("müller.example", id="u-label"),
        pytest.param("\\999.example", id="escape"),
        pytest.param("", id="nothing"),
    ],
)
async def test_name_that_dns_cannot_hold_is_told(name: str) -> None:
    """A name that cannot be asked for is trouble of its own, and nobody is asked."""
    async with answering(lambda _: []) as server, Resolver([server.endpoint]) as resolver:
        (finding,) = await resolver.addresses(name, 4)

    assert finding.shown == Trouble("no name that the DNS can hold")
    assert server.seen == []

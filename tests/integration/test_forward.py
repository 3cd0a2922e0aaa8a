"""Where new names lead is found out before they are written (`safety.forward`)."""

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from anyio import current_time

from bulkip.purse import Purse
from bulkip.run.engine import Endpoint
from bulkip.run.nameservers import resolves_names
from bulkip.settings import load_job
from bulkip.simulator import DnsSettings, Seed, Simulator, SimulatorSettings
from bulkip.tracer import HURRIED
from bulkip.verifier import DNS_AT_ONCE
from tests.rehearsal import Carried, addresses, by_address, carry_out
from tests.scriptednameserver import Question, Reply, answering

pytestmark = pytest.mark.anyio

IP, OTHER, GONE = "203.0.113.1", "203.0.113.2", "203.0.113.3"
NAMES = {IP: "mail.example.net", OTHER: "elsewhere.example.net", GONE: "gone.example.net"}
WORLD, LOOPBACK = "https://api.example.net/ip.php", "http://127.0.0.1:1/ip.php"
RESOLVERS = "verify: {resolvers: [192.0.2.53]}\n"
LEADING = {"elsewhere.example.net": ("192.0.2.9",), "mail.example.net": (IP,)}
ROWS = ", ".join(f"{{ip: {ip}, id: 4711, ptr: {name}}}" for ip, name in NAMES.items())


def job(forward: str, resolver: str, rows: str = ROWS) -> str:
    """Return a migration whose names are resolved by one name server."""
    return (
        f"targets: [{rows}]\nactions: [{{action: update_ptr}}]\nsafety: {{forward: {forward}}}\n"
        f'verify: {{resolvers: ["{resolver}"]}}\n'
    )


@asynccontextmanager
async def provider() -> AsyncIterator[Simulator]:
    """Serve three addresses, and a DNS in which one of their new names leads back."""
    seeds = [Seed(ip, 4711, "NL", f"old-{ip[-1]}.example.org") for ip in NAMES]
    async with Simulator(seeds, SimulatorSettings(dns=DnsSettings(forward=LEADING))) as api:
        yield api


async def carried(folder: Path, forward: str) -> tuple[Carried, Simulator]:
    """Carry the migration out."""
    async with provider() as api:
        return await carry_out(folder, job(forward, api.dns), api), api


async def test_name_that_does_not_lead_back_is_written_and_noted(tmp_path: Path) -> None:
    """With `warn` all is written, and the rows say which names lead elsewhere or nowhere."""
    run, _ = await carried(tmp_path, "warn")

    rows = by_address(run)
    assert run.tally() == {"changed": 3}
    assert rows[IP]["note"] is None
    assert (
        rows[OTHER]["note"]
        == "when planned, `elsewhere.example.net` leads to 192.0.2.9 instead of 203.0.113.2"
    )
    assert rows[GONE]["note"] == "when planned, `gone.example.net` leads nowhere"


async def test_name_that_does_not_lead_back_is_not_written_where_that_is_required(tmp_path: Path) -> None:
    """With `require` it fails as dns, the API is not sent it, and the others go on."""
    run, api = await carried(tmp_path, "require")

    rows = by_address(run)
    assert [one.ip for one in api.log.entries("update_ptr")] == [IP]
    assert [rows[ip]["status"] for ip in NAMES] == ["changed", "failed", "failed"]
    assert {rows[ip]["error_class"] for ip in (OTHER, GONE)} == {"dns"}
    assert rows[GONE]["message"] == "`gone.example.net` leads nowhere"
    assert (rows[GONE]["note"], run.code) == ("not written (`safety.forward: require`)", 3)


async def test_every_new_name_is_asked_for_once(tmp_path: Path) -> None:
    """The DNS is asked for each name once, before the first write, and not about names that are there."""
    text = (
        f"targets: [{IP}]\nactions: [{{action: update_ptr, "
        "with: {id: 4711, ptr: [OLD-1.example.org, x.example.net]}}]\n"
    )
    async with provider() as api:
        await carry_out(tmp_path, text + f'verify: {{resolvers: ["{api.dns}"]}}\n', api)

    assert [query.name for query in api.log.queries("A")] == ["x.example.net"]
    assert api.log.queries("A")[0].at < api.log.entries("update_ptr")[0].at


async def test_shared_name_is_asked_for_once(tmp_path: Path) -> None:
    """Twenty addresses with one name are one question."""
    targets = "{cidr: 203.0.113.0/27, hosts: all}"
    text = (
        f"targets: [{targets}]\nactions: [{{action: update_ptr, allow_same: true, "
        "with: {id: 4711, ptr: same.example.net}}]\nsafety: {max_failed: none}\n"
    )
    async with provider() as api:
        run = await carry_out(tmp_path, text + f'verify: {{resolvers: ["{api.dns}"]}}\n', api)

    assert len(run.rows) == 32
    assert [query.name for query in api.log.queries("A")] == ["same.example.net"]


async def test_nothing_is_asked_when_it_is_off(tmp_path: Path) -> None:
    """With `off` no name is resolved and all are written."""
    run, api = await carried(tmp_path, "off")

    assert (api.log.queried, run.tally()) == (0, {"changed": 3})


def _silent(_question: Question) -> Iterator[Reply]:
    """Answer nothing."""
    yield from ()


MANY = (
    "targets: [{cidr: 203.0.113.0/25, hosts: all, id: 4711}]\n"
    'actions: [{action: update_ptr, with: {ptr: "{{ ip.dashed }}.example.net"}}]\n'
    "limits: {rate: 1000/s}\nsafety: {forward: FORWARD}\n"
    'verify: {resolvers: ["RESOLVER"]}\n'
)


@pytest.mark.virtual_time
async def test_warning_is_given_up_when_nobody_answers(tmp_path: Path) -> None:
    """A silent DNS costs seconds for the whole plan, hinders no write and is told in no row."""
    async with answering(_silent) as server, Simulator(addresses(128, 0), clock=current_time) as api:
        text = MANY.replace("RESOLVER", server.endpoint).replace("FORWARD", "warn")
        run = await carry_out(tmp_path, text, api)

    reads, writes = api.log.entries("get_ptr"), api.log.entries("update_ptr")
    assert writes[0].at - reads[-1].at <= 3 * HURRIED.name_s
    assert len({question.name for question in server.seen}) <= DNS_AT_ONCE + HURRIED.in_a_row
    assert run.tally() == {"changed": 128}
    assert {row["note"] for row in run.rows} == {None}


@pytest.mark.virtual_time
async def test_nothing_is_written_where_nobody_answers_and_an_answer_is_required(tmp_path: Path) -> None:
    """With `require` a name that nobody could resolve is as good as one that leads nowhere."""
    async with answering(_silent) as server, Simulator(addresses(128, 0), clock=current_time) as api:
        text = MANY.replace("RESOLVER", server.endpoint).replace("FORWARD", "require")
        run = await carry_out(tmp_path, text, api)

    assert (run.tally(), api.log.entries("update_ptr")) == ({"failed": 128}, [])
    assert {row["error_class"] for row in run.rows} == {"dns"}
    assert all("is not known" in row["message"] for row in run.rows)


@pytest.mark.parametrize(
    ("forward", "url", "more", "simulated", "asks"),
    [
        pytest.param("warn", WORLD, "", False, True, id="the world"),
        pytest.param("warn", LOOPBACK, "", False, False, id="an API on this machine"),
        pytest.param("warn", LOOPBACK, RESOLVERS, False, True, id="with resolvers stated"),
        pytest.param("warn", WORLD, "", True, False, id="a rehearsal without DNS"),
        pytest.param("require", LOOPBACK, "", False, True, id="required"),
        pytest.param("off", WORLD, RESOLVERS, False, False, id="off"),
    ],
)
def test_names_are_resolved_where_the_dns_can_know_them(
    tmp_path: Path, forward: str, url: str, more: str, *, simulated: bool, asks: bool
) -> None:
    """A warning is looked for only where somebody can know the name; what is required, always."""
    path = tmp_path / "job.yaml"
    text = f"version: 1\napi: {{url: '{url}'}}\ntargets: [203.0.113.1]\nactions: [{{action: get_ip}}]\n"
    path.write_text(f"{text}safety: {{forward: {forward}}}\n{more}")
    job = load_job(path).job
    assert job is not None

    assert resolves_names(job, Endpoint(url, Purse(time.time)), simulated=simulated) is asks

"""`bulkip simulate`: a provider to try jobs against, on this machine."""

import os
import signal
import sys
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import anyio
import click

from bulkip.addresses import Block, parse_expression
from bulkip.cli.options import DURATION, RATE, Quantity
from bulkip.errors import UsageError
from bulkip.model import Rate
from bulkip.simulator import (
    Dialect,
    DnsSettings,
    Seed,
    Simulator,
    SimulatorSettings,
    Subnet,
    invented_account,
    read_faults,
)
from bulkip.simulator.loopback import loopback_endpoint

MAX_ADDRESSES = 2**20
Forward = tuple[str, tuple[str, ...]]
"""A name, and the addresses that it leads to."""
_ID_DIGITS = 10

_EPILOG = """
Without JOB and --addresses the account holds 203.0.113.0/24, 16 addresses on each of
the servers 4711 to 4726, all in NL. Subnets 15 (NL) and 16 (US) have free addresses.
A fault file is a list of rules; jobs/faults.yaml shows the kinds.

With --dns it answers DNS too, over UDP and TCP: the PTR records as they are now, and
for each name that is a PTR, or was one, the address. --propagation, --secondary-lag and
--forward need it.

auth.php exchanges a --key for tokens, eq.php lists and shows servers, eq_callback.php
tells of unfinished writes.

\b
Dialects:
  page         answers as the vendor's page shows them
  minus        refusals are {"result": -1, "error": TEXT}
  fail         refusals are {"result": "Fail", "message": TEXT}
  bare         refusals are {"result": "error"}, without a text
  description  refusals say their text in "message" and "description"
  nested       get_client_ip has its answer in "data"
  flat         login answers without "result" around its fields
  text-ids     whole numbers, ids above all, come as text
  success      the result of a success is "success", not "OK"

\b
Examples:
  bulkip simulate jobs/ptr-migration.yaml
  bulkip simulate --addresses 198.51.100.0/24=4711 --port 0 --log requests.jsonl
  bulkip simulate jobs/ptr-migration.yaml --faults jobs/faults.yaml --latency 20ms --limit 100/s
  bulkip simulate --key my-key --token-life 30s --token-uses 100 --dialect minus --dialect text-ids
  bulkip simulate jobs/ptr-migration.yaml --dns 127.0.0.1:5353 --propagation 3s
  curl -d action=login -d key=simulated-key http://127.0.0.1:8080/auth.php
  curl -d token=simulated -d action=get_ptr -d id=4711 -d ip=203.0.113.7 http://127.0.0.1:8080/ip.php
"""


@dataclass(frozen=True, slots=True)
class AddressGroup:
    """Addresses of one server, or without an id of whichever server asks for them first."""

    block: Block
    server_id: int | None


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the command line asks for."""

    jobs: tuple[Path, ...]
    addresses: tuple[AddressGroup, ...]
    host: str
    port: int
    token: str
    key: tuple[str, ...]
    token_life: float
    token_uses: int | None
    dialect: tuple[str, ...]
    faults: Path | None
    latency: float
    limit: tuple[Rate, ...]
    log: str | None
    state: Path | None
    dns: str | None = None
    propagation: float | None = None
    secondary_lag: float | None = None
    forward: tuple[Forward, ...] = ()

    def settings(self, log: TextIO | None) -> SimulatorSettings:
        """Return the settings of the simulator; reads the fault file."""
        return SimulatorSettings(
            token=self.token,
            keys=self.key,
            token_life_s=self.token_life,
            token_uses=self.token_uses,
            dialects=frozenset(Dialect(name) for name in self.dialect),
            latency_s=self.latency,
            limits=self.limit,
            faults=read_faults(self.faults) if self.faults else (),
            host=self.host,
            port=self.port,
            log=log,
            state=self.state,
            dns=self._dns(),
        )

    def _dns(self) -> DnsSettings | None:
        if self.dns is not None:
            host, port = loopback_endpoint(self.dns, "--dns")
            return DnsSettings(
                host=host,
                port=port,
                propagation_s=self.propagation or 0.0,
                secondary_lag_s=self.secondary_lag,
                forward=dict(self.forward),
            )
        given = {"--propagation": self.propagation, "--secondary-lag": self.secondary_lag}
        idle = [name for name, value in given.items() if value is not None]
        if idle or self.forward:
            name = next(iter(idle), "--forward")
            raise UsageError(f"{name}: is about DNS, which is not asked for; add --dns 127.0.0.1:5353")
        return None

    def seeds(self) -> Iterator[Seed | Subnet]:
        """Yield what the simulated account holds."""
        for job in self.jobs:
            yield from _seeds_of_job(job)
        for group in self.addresses:
            for ip in group.block.addresses():
                yield Seed(ip, group.server_id)
        if not self.jobs and not self.addresses:
            yield from invented_account()


def parse_addresses(text: str) -> AddressGroup:
    """Return the addresses and the server of `CIDR=ID`; raises ValueError with the way out."""
    expression, equals, server_id = text.partition("=")
    parsed = parse_expression(expression, allow_ipv6=True)
    if parsed.excluded:
        raise ValueError(f"`{text}`: an exclusion has no place here; write the addresses themselves")
    if parsed.block.count > MAX_ADDRESSES:
        raise ValueError(f"`{text}` has {parsed.block.count} addresses; {MAX_ADDRESSES} are the most")
    if not equals:
        return AddressGroup(parsed.block, None)
    if not (
        server_id.isascii() and server_id.isdecimal() and len(server_id) <= _ID_DIGITS and int(server_id)
    ):
        raise ValueError(f"`{server_id}` is no server id; write it like {expression}=4711")
    return AddressGroup(parsed.block, int(server_id))


def parse_forward(text: str) -> Forward:
    """Return the name and its addresses of `NAME=IP,IP`, none of `NAME=`; raises ValueError."""
    name, equals, addresses = text.partition("=")
    if not equals:
        raise ValueError(f"`{text}`: what does it lead to? write {text}=203.0.113.7, or {text}= for nowhere")
    return name, tuple(filter(None, addresses.split(",")))


ADDRESSES = Quantity("CIDR=ID", parse_addresses)
FORWARD = Quantity("NAME=IP,...", parse_forward)


@click.command(epilog=_EPILOG)
@click.argument("jobs", metavar="[JOB]...", nargs=-1, type=click.Path(path_type=Path))
@click.option("--host", default="127.0.0.1", show_default=True, help="Loopback address to listen on.")
@click.option(
    "--port", default=8080, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one."
)
@click.option("--token", default="simulated", show_default=True, help="Token to accept; no secret.")
@click.option(
    "--key",
    default=("simulated-key",),
    show_default=True,
    multiple=True,
    help="API key that auth.php exchanges for tokens; no secret.",
)
@click.option("--token-life", type=DURATION, default="1h", show_default=True, help="How long they live.")
@click.option("--token-uses", type=click.IntRange(min=1), help="How many calls they are good for.")
@click.option(
    "--dialect",
    type=click.Choice([dialect.value for dialect in Dialect]),
    default=("page",),
    show_default=True,
    multiple=True,
    help="Word answers in another way; may be given several times.",
)
@click.option("--faults", metavar="FILE", type=click.Path(path_type=Path), help="Rules for what goes wrong.")
@click.option("--latency", type=DURATION, default="0s", help="Answer so late: 20ms.")
@click.option("--limit", type=RATE, multiple=True, help="Refuse more than this: 100/s.")
@click.option("--log", metavar="FILE", help="Append every request as JSONL; - for stdout.")
@click.option(
    "--state", metavar="FILE", type=click.Path(path_type=Path), help="Keep the state between starts."
)
@click.option("--addresses", type=ADDRESSES, multiple=True, help="Addresses of a server.")
@click.option("--dns", metavar="ADDRESS:PORT", help="Answer DNS there; port 0 takes a free one.")
@click.option("--propagation", type=DURATION, help="DNS shows a change so much later: 3s.")
@click.option("--secondary-lag", type=DURATION, help="A second server shows it so much later again.")
@click.option("--forward", type=FORWARD, multiple=True, help="Where a name leads; NAME= leads nowhere.")
def simulate(**wishes: Any) -> None:
    """Serve a simulated provider on this machine until Ctrl-C.

    It knows the addresses of the JOBs, keeps what is written to it, and answers
    like the real ip.php, auth.php, eq.php and eq_callback.php. With --faults it
    misbehaves as told.
    """
    wanted = Wishes(**wishes)
    with _open_log(wanted.log) as log:
        simulator = Simulator(wanted.seeds(), wanted.settings(log))
        anyio.run(_serve, simulator, wanted, backend_options={"use_uvloop": True})


async def _serve(simulator: Simulator, wanted: Wishes) -> None:
    """Serve until a signal comes; the line with the address stays out of a log on stdout."""
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async with simulator:
            click.echo(f"listening on {simulator.url}", err=wanted.log == "-")
            for endpoint in filter(None, (simulator.dns, simulator.secondary)):
                click.echo(f"answering DNS on {endpoint}", err=wanted.log == "-")
            hint = f"api: {{url: {simulator.url}}} and HOSTKEY_TOKEN={simulator.token}"
            click.echo(f"point a job at it with {hint}; Ctrl-C ends it", err=True)
            async for _ in signals:
                return


def _open_log(name: str | None) -> AbstractContextManager[TextIO | None]:
    """Open the request log for appending, readable by its owner only."""
    if name is None:
        return nullcontext()
    if name == "-":
        return nullcontext(sys.stdout)
    try:
        descriptor = os.open(name, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    except OSError as error:
        raise UsageError(f"{name}: cannot be written: {error.strerror}; name another --log") from error
    return os.fdopen(descriptor, "a", encoding="utf-8")


def _seeds_of_job(job: Path) -> Iterable[Seed | Subnet]:
    """Return the addresses a job names; the planner is loaded only for this."""
    from bulkip.run.rehearsal import seeds_of_job  # noqa: PLC0415 - the planner takes longer to load than the rest

    return seeds_of_job(job)

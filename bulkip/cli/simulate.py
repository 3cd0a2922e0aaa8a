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
    Seed,
    Simulator,
    SimulatorSettings,
    Subnet,
    invented_account,
    read_faults,
)

MAX_ADDRESSES = 2**20
_ID_DIGITS = 10

_EPILOG = """
Without JOB and --addresses the account holds 203.0.113.0/24, 16 addresses on each of
the servers 4711 to 4726, all in NL. Subnets 15 (NL) and 16 (US) have free addresses.
A fault file is a list of rules; jobs/faults.yaml shows the kinds.

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
        )

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


ADDRESSES = Quantity("CIDR=ID", parse_addresses)


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

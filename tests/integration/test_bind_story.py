"""A migration against real name servers: what the provider is told arrives in the DNS, or is found out."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from pathlib import Path

import dns.message
import dns.query
import dns.rcode
import pytest

from bulkip.model import JsonValue
from bulkip.simulator import DnsUpdate, Fault, SimulatorSettings
from tests.bindserver import (
    KEY_NAME,
    KEY_SECRET,
    NEEDS_NAMED,
    PATIENCE_S,
    TRANSFERRED,
    Bind,
    Primary,
    Secondary,
    Zone,
    bind,
    free_port,
)
from tests.migration import Migration, address, migration, new_name, old_name

pytestmark = [NEEDS_NAMED, pytest.mark.xdist_group("bind")]

COUNT = 4
ASTRAY = 3
"""The new name of this address leads elsewhere, with `wrong_forward`."""
REVERSE = "0.51.198.in-addr.arpa"
LIE: JsonValue = {"result": "OK"}


def forward(name: str, *, astray: bool = False) -> str:
    """Return the records that lead the names of one kind back to their addresses."""
    numbers = {number: ASTRAY - 1 if astray and number == ASTRAY else number for number in range(COUNT)}
    return "@ NS ns.isp.example.\n" + "".join(
        f"{name}-{number} A {address(leads)}\n" for number, leads in numbers.items()
    )


@dataclass(frozen=True, slots=True)
class Servers:
    """The servers of the reverse zone, one that knows the names wrongly, and one that has no reverse zone."""

    primary: Bind
    secondary: Bind
    mistaken: Bind
    stranger: Bind

    def move(self, folder: Path, delay_s: float = 0.0) -> AbstractContextManager[Migration]:
        """Serve a provider that feeds the primary, so long after each change."""
        feed = DnsUpdate(
            server=self.primary.endpoint,
            key_name=KEY_NAME,
            key_secret=KEY_SECRET,
            zones=(REVERSE,),
            delay_s=delay_s,
            seeds=True,
        )
        return migration(folder, COUNT, SimulatorSettings(dns_update=feed))


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Start the servers; the secondary has its zone only when it is told of a change."""
    folder, port = tmp_path_factory.mktemp("bind"), free_port()
    reverse = Primary("@ NS ns.isp.example.\n", updatable=True)
    with ExitStack() as stack:
        zones: dict[str, Zone] = {
            REVERSE: reverse,
            "example.net": Primary(forward("new")),
            "example.org": Primary(forward("old")),
        }
        primary = stack.enter_context(bind(folder / "primary", "127.0.0.3", port, zones))
        copy: dict[str, Zone] = {REVERSE: Secondary(primary)}
        secondary = stack.enter_context(bind(folder / "secondary", "127.0.0.4", port, copy))
        wrong: dict[str, Zone] = {
            "example.net": Primary(forward("new", astray=True)),
            REVERSE: Secondary(primary),
        }
        mistaken = stack.enter_context(bind(folder / "mistaken", "127.0.0.5", port, wrong))
        names_only: dict[str, Zone] = {"example.net": Primary(forward("new"))}
        stranger = stack.enter_context(bind(folder / "stranger", "127.0.0.6", port, names_only))
        secondary.wait_for(TRANSFERRED)
        mistaken.wait_for(TRANSFERRED)
        yield Servers(primary, secondary, mistaken, stranger)


def verify(move: Migration, mode: str, *resolvers: Bind, more: str = "", timeout: str = "10s") -> None:
    """Write a job whose writes these servers have to prove."""
    asked = ", ".join(f"'{one.endpoint}'" for one in resolvers)
    move.write_job(
        f"verify: {{mode: {mode}, resolvers: [{asked}], timeout: {timeout}, settle: 20ms, required: true}}\n"
        f"safety: {{max_failed: 100%}}\n{more}"
    )


def shown(server: Bind) -> list[str]:
    """Return the PTR name of each address as a server shows it to anybody."""
    found = []
    for number in range(COUNT):
        question = dns.message.make_query(f"{number}.{REVERSE}", "PTR")
        reply = dns.query.udp(question, server.address, port=server.port, timeout=PATIENCE_S)
        names = [str(value).rstrip(".") for rrset in reply.answer for value in rrset]
        found.append(",".join(names) or dns.rcode.to_text(reply.rcode()))
    return found


def all_new() -> list[str]:
    """Return the names after the migration."""
    return [new_name(number) for number in range(COUNT)]


@pytest.mark.parametrize("mode", ["dns", "fcrdns"])
def test_live_dns_follows_the_migration_and_its_undo(tmp_path: Path, servers: Servers, mode: str) -> None:
    """After apply everybody sees the new names, proved as they are seen; after undo the old ones."""
    with servers.move(tmp_path) as move:
        verify(move, mode, servers.primary)
        assert move.planned().code == 0

        applied = move.do("apply", "p.json", "--yes")
        after_apply, proved = shown(servers.primary), {row["verified"] for row in move.rows()}
        undone = move.do("undo", "last", "--yes")

        assert (applied.code, undone.code) == (0, 0), applied.err + undone.err
        assert (after_apply, proved) == (all_new(), {True})
        assert shown(servers.primary) == [old_name(number) for number in range(COUNT)]


def test_change_that_spreads_slowly_is_waited_for(tmp_path: Path, servers: Servers) -> None:
    """A provider that publishes two seconds later is proved all the same."""
    with servers.move(tmp_path, delay_s=2.0) as move:
        verify(move, "dns", servers.primary)

        ended = move.do("run", "job.yaml", "--yes")

        assert ended.code == 0, ended.err
        assert shown(servers.primary) == all_new()


def test_write_that_never_happened_is_unverified(tmp_path: Path, servers: Servers) -> None:
    """The API said OK and did nothing: the name servers know better, and the others are proved."""
    with servers.move(tmp_path) as move:
        verify(move, "dns", servers.primary, timeout="3s")
        move.api.fault(Fault(action="update_ptr", ip=address(1), json=LIE))

        ended = move.do("run", "job.yaml", "--yes")

        assert ended.code == 3, ended.err
        assert move.tally() == {"changed": 3, "unverified": 1}
        assert f"`{old_name(1)}`" in move.rows()[1]["note"]


def test_secondary_that_lags_holds_the_proof_back(tmp_path: Path, servers: Servers) -> None:
    """As long as one server shows the old name the world may see it; once it follows, all is proved."""
    with servers.move(tmp_path) as move:
        verify(move, "dns", servers.primary, servers.secondary, timeout="3s")

        early = move.do("run", "job.yaml", "--yes")
        lagging = {row["note"].partition(" shows ")[0] for row in move.rows()}
        servers.secondary.notify(REVERSE)
        late = move.do("verify", "last")

        assert (early.code, late.code) == (3, 0), early.err + late.err
        assert lagging == {f"not verified: {servers.secondary.endpoint}"}


def test_zone_that_is_not_served_is_no_proof(tmp_path: Path, servers: Servers) -> None:
    """A server that was never given the zone says neither yes nor no about its names, and that is told."""
    with servers.move(tmp_path) as move:
        verify(move, "dns", servers.stranger, timeout="2s")

        ended = move.do("run", "job.yaml", "--yes")

        assert ended.code == 3, ended.err
        assert move.tally() == {"unverified": COUNT}
        assert "no server answered" in move.rows()[0]["note"]
        assert shown(servers.primary) == all_new()


def test_name_that_leads_elsewhere_is_unverified(tmp_path: Path, servers: Servers) -> None:
    """The PTR is right, but its name is another address: mail servers would not trust it."""
    with servers.move(tmp_path, delay_s=0.0) as move:
        verify(move, "fcrdns", servers.mistaken, timeout="3s")
        run = move.do("run", "job.yaml", "--yes")
        servers.mistaken.notify(REVERSE)

        ended = move.do("verify", "last")

        assert (run.code, ended.code) == (3, 3), ended.err
        assert [row["verified"] for row in move.rows()] == [True, True, True, False]
        assert f"leads to {address(ASTRAY - 1)} instead of {address(ASTRAY)}" in move.rows()[ASTRAY]["note"]

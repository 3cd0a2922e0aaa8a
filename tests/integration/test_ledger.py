"""The table through which processes share a rate, in a real PostgreSQL."""

from contextlib import suppress
from itertools import pairwise

import psycopg
import pytest
from anyio import create_task_group, fail_after

from bulkip.cluster import server
from bulkip.cluster.ledger import READ, PostgresLedger, make_table
from bulkip.cluster.server import place_of, settings_of, shown_url
from bulkip.errors import Halt, UsageError
from bulkip.leases import Ask
from bulkip.sharedpacer import LedgerError
from tests.postgres import Postgres, postgres

pytestmark = pytest.mark.anyio

STEP_S = 0.001


@pytest.fixture
def url(postgres_server: Postgres) -> str:
    """Return the URL of a database with an empty table."""
    found = postgres_server.new_database()
    make_table(found)
    return found


async def test_processes_lease_different_slots(url: str) -> None:
    """Slots that many ask for at once, over connections of their own, lie as far apart as those of one."""
    slots: list[float] = []

    async def lease(own: PostgresLedger) -> None:
        for _ in range(10):
            got = await own.lease(Ask(5, STEP_S))
            slots.extend(got.first + number * got.step_s for number in range(got.count))
        await own.close()

    async with create_task_group() as group:
        for _ in range(6):
            group.start_soon(lease, PostgresLedger(url, "one"))

    assert len(slots) == 300
    assert all(after - before > STEP_S * 0.99 for before, after in pairwise(sorted(slots)))


async def test_time_is_the_servers(url: str) -> None:
    """A lease says what time the server has, and begins no sooner."""
    own = PostgresLedger(url, "one")

    lease = await own.lease(Ask(1, STEP_S, lead_s=0.5))

    await own.close()
    with psycopg.connect(url) as connection:
        (now,) = connection.execute("SELECT extract(epoch FROM clock_timestamp())::float8").fetchone() or ()
    assert now - 5 < lease.now <= now
    assert lease.first >= lease.now + 0.5


async def test_accounts_do_not_meet(url: str) -> None:
    """A cool-down of one account is none of another's."""
    own, other = PostgresLedger(url, "one"), PostgresLedger(url, "two")

    held = await own.lease(Ask(5, STEP_S, hold_s=60))
    free = await other.lease(Ask(5, STEP_S))

    await own.close()
    await other.close()
    assert (held.count, free.count) == (0, 5)


async def test_ledger_comes_back_with_its_server() -> None:
    """While the server is stopped a ledger says so; when it is there again, what was leased still is."""
    with postgres() as server:
        url = server.new_database()
        make_table(url)
        own = PostgresLedger(url, "one")
        before = await own.lease(Ask(100, 1.0))
        server.stop()
        for _ in range(2):
            with pytest.raises(LedgerError, match="postgresql://"):
                await own.lease(Ask(1, 1.0))
        server.start()

        after = await own.lease(Ask(1, 1.0))

        await own.close()
    assert after.first >= before.first + 100


async def test_stopped_process_does_not_stop_the_others(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is stopped while it leases loses the row after a while, and the others go on."""
    monkeypatch.setattr(server, "STATEMENT_MS", 400)
    other = PostgresLedger(url, "one")
    await other.lease(Ask(1, STEP_S))
    stopped = await psycopg.AsyncConnection.connect(settings_of(url))
    await stopped.execute(READ, ("one",))

    count = 0
    with fail_after(5):
        while not count:
            with suppress(LedgerError):
                count = (await other.lease(Ask(1, STEP_S))).count

    await other.close()
    await stopped.close()
    assert count == 1


def test_table_is_made_once_by_many(postgres_server: Postgres) -> None:
    """Making the table again changes nothing, and needs no right to make one."""
    url = postgres_server.new_database()
    make_table(url)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE ROLE guest LOGIN")
        connection.execute("GRANT USAGE ON SCHEMA bulkip TO guest")
        connection.execute("GRANT SELECT, INSERT, UPDATE ON bulkip.standing TO guest")
    try:
        make_table(url.replace("postgres:", "guest:", 1))
    finally:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("DROP OWNED BY guest")
            connection.execute("DROP ROLE guest")


@pytest.mark.parametrize(
    ("url", "error"),
    [
        pytest.param("postgresql://someone:geheim@127.0.0.1:9/rates", Halt, id="nobody-there"),
        pytest.param("postgresql://someone:geheim@/rates?host=/nowhere", Halt, id="no-socket"),
        pytest.param("postgresql://someone:geheim@nowhere.invalid/rates", Halt, id="no-such-host"),
        pytest.param("postgresql://someone:geheim@[::1]:9,127.0.0.1:9/rates", Halt, id="two-hosts"),
        pytest.param("postgresql://127.0.0.1/rates?sslmode=loud", UsageError, id="wrong-value"),
        pytest.param("nonsense", UsageError, id="no-url"),
        pytest.param("someone:geheim@db/rates", UsageError, id="no-scheme"),
        pytest.param("host=127.0.0.1 password=geheim", UsageError, id="keywords"),
        pytest.param("postgresql://someone:100%geheim@db/rates", UsageError, id="bare-percent"),
        pytest.param("postgresql://someone:pa/geheim@db/rates", UsageError, id="bare-slash"),
        pytest.param("postgresql://someone:s3@geheim@db/rates", UsageError, id="bare-at"),
        pytest.param("postgresql://someone:geheim@127.0.0.1:x/rates", UsageError, id="no-port"),
        pytest.param("postgresql://someone:geheim@127.0.0.1/rates?speed=1", UsageError, id="unknown-setting"),
    ],
)
def test_what_is_wrong_with_a_url_is_told_without_its_login(url: str, error: type[Exception]) -> None:
    """A server that cannot be had stops a run before its first call, and no password is shown."""
    with pytest.raises(error, match="--limiter") as raised:
        make_table(url)

    assert "geheim" not in str(raised.value)


def test_database_that_is_not_there_is_the_users_mistake(postgres_server: Postgres) -> None:
    """A wrong name is told as such, with the way out."""
    url = postgres_server.new_database().replace("/test_", "/nowhere_", 1)

    with pytest.raises(UsageError, match=r"nowhere_\d+.*check its name"):
        make_table(url)


def test_place_shows_where_and_nothing_else() -> None:
    """What is told of a URL is host, port and database."""
    assert place_of("postgresql://me:geheim@db.example.net:5433/rates?sslmode=require") == (
        "postgresql://db.example.net:5433/rates"
    )


def test_own_settings_yield_to_those_of_the_url() -> None:
    """A user who names a time limit in the URL has it."""
    assert "connect_timeout=9" in settings_of("postgresql://db/rates?connect_timeout=9")


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://me:geheim@db:5433/runs", "postgresql://me@db:5433/runs"),
        ("postgresql://me@/runs?host=/run/pg&password=geheim", "postgresql://me@/runs?host=%2Frun%2Fpg"),
        ("postgresql://db/runs", "postgresql://db/runs"),
    ],
    ids=["login", "socket", "plain"],
)
def test_url_can_be_pasted_without_what_is_secret(url: str, shown: str) -> None:
    """A printed command names the same place; whoever pastes it adds the password."""
    assert shown_url(url) == shown

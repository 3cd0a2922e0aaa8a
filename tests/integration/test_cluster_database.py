"""A connection to the tables of a run that heals: nothing is lost, and nothing is done twice."""

import tempfile
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from bulkip.cluster.database import PostgresDatabase
from bulkip.cluster.runs import schema_of, upload
from bulkip.store.home import DatabaseError, Executing
from bulkip.store.statements import REMEMBER
from tests.pgrelay import Relay, relay
from tests.storedruns import HEADER, frozen, item

pytestmark = pytest.mark.xdist_group("cluster")

INSERT = "INSERT INTO start (number, started_at) VALUES (?, 1.0)"
COUNT = "SELECT COUNT(*) FROM start"
MANY = 3_000


@pytest.fixture
def run(cluster_url: str, tmp_path: Path) -> str:
    """Return the id of a run that the cluster keeps."""
    run_id = f"{HEADER.id}-{tmp_path.name}"
    frozen(tmp_path / "run", map(item, range(1, MANY + 1)))
    upload(cluster_url, tmp_path / "run", replace(HEADER, id=run_id), "[]")
    return run_id


@pytest.fixture
def relayed(cluster_url: str) -> Iterator[tuple[Relay, str]]:
    """Return a relay to the cluster, and the URL through it."""
    with tempfile.TemporaryDirectory(prefix="relay-") as folder, relay(Path(folder), cluster_url) as found:
        yield found


def kick_out(url: str) -> None:
    """End all other connections to a database, as an administrator can."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def test_question_is_asked_again_on_a_new_connection(cluster_url: str, run: str) -> None:
    """A reader does not notice that its connection was ended between two questions."""
    with closing(PostgresDatabase(cluster_url, schema_of(run))) as database:
        before = database.execute("SELECT COUNT(*) FROM item").fetchone()[0]
        kick_out(cluster_url)
        after = database.execute("SELECT COUNT(*) FROM item").fetchone()[0]

    assert (before, after) == (MANY, MANY)


def test_work_that_was_cut_off_is_done_again(cluster_url: str, run: str) -> None:
    """What a transaction did before its connection was lost is done once more, and stands there once."""
    tries: list[int] = []

    def work(database: Executing) -> None:
        tries.append(1)
        database.execute(INSERT, (7,))
        if len(tries) == 1:
            kick_out(cluster_url)

    with closing(PostgresDatabase(cluster_url, schema_of(run))) as database:
        database.transact(work)
        count = database.execute(COUNT).fetchone()[0]

    assert (len(tries), count) == (2, 1)


@pytest.mark.parametrize("losses", [1, 2])
def test_lost_answer_to_a_commit_is_asked_for(relayed: tuple[Relay, str], run: str, losses: int) -> None:
    """Where nobody said whether a transaction was committed, the server is asked, not told twice."""
    found, url = relayed
    tries: list[int] = []

    def work(database: Executing) -> None:
        tries.append(1)
        database.execute(INSERT, (8,))

    with closing(PostgresDatabase(url, schema_of(run))) as database:
        database.execute("SELECT 1")
        found.lose_commits = losses
        database.transact(work)
        count = database.execute(COUNT).fetchone()[0]

    assert found.lost == 1
    assert (len(tries), count) == (1, 1)


def twice(database: Executing) -> None:
    """Insert the same row twice."""
    for _ in range(2):
        database.execute(INSERT, (1,))


def test_error_of_the_work_is_told_and_takes_it_back(cluster_url: str, run: str) -> None:
    """A statement that the database refuses is no lost connection: it is not tried again."""
    with closing(PostgresDatabase(cluster_url, schema_of(run))) as database:
        with pytest.raises(DatabaseError, match="duplicate key"):
            database.transact(twice)
        count = database.execute(COUNT).fetchone()[0]

    assert count == 0


def test_snapshot_does_not_see_what_comes_later(cluster_url: str, run: str) -> None:
    """All answers of a history agree, whatever is written meanwhile."""
    with (
        closing(PostgresDatabase(cluster_url, schema_of(run))) as reader,
        closing(PostgresDatabase(cluster_url, schema_of(run))) as writer,
    ):
        reader.begin_snapshot()
        before = reader.execute("SELECT COUNT(*) FROM run").fetchone()[0]
        writer.execute(REMEMBER, ("news", "1"))

        assert reader.execute("SELECT COUNT(*) FROM run").fetchone()[0] == before


def test_walk_gives_every_row_once(cluster_url: str, run: str) -> None:
    """Rows that the server keeps come in pages, by place and by name; other questions may come between."""
    with closing(PostgresDatabase(cluster_url, schema_of(run))) as database:
        rows = database.walk("SELECT number, key FROM item WHERE number > ? ORDER BY number", (0,))
        numbers = []
        while page := rows.fetchmany(700):
            numbers += [row["number"] for row in page]
            assert database.execute("SELECT 1").fetchone()[0] == 1
        assert list(database.walk("SELECT number FROM item WHERE number < 0")) == []

    assert numbers == list(range(1, MANY + 1))


def test_nobody_waits_long_who_is_in_a_hurry(cluster_url: str) -> None:
    """A run that is to stop gives a server that went away some seconds, and from then on none."""
    away = cluster_url.replace("host=", "host=/nowhere")
    database = PostgresDatabase(away, "run_x", lambda: True)
    for _ in range(3):
        with pytest.raises(DatabaseError):
            database.execute("SELECT 1")

"""The tables of a cluster that another version made: nothing is changed that somebody else may use."""

from collections.abc import Iterator

import psycopg
import pytest

from bulkip.cluster.setup import ensure, initialise
from bulkip.errors import UsageError

pytestmark = pytest.mark.xdist_group("cluster")

SET = "UPDATE bulkip.about SET value = %s WHERE name = %s"


@pytest.fixture(params=["store", "procrastinate"])
def versioned(request: pytest.FixtureRequest, cluster_url: str) -> Iterator[tuple[psycopg.Cursor, str]]:
    """Return a way to the versions that a cluster knows, and the name of one; it is put back."""
    with psycopg.connect(cluster_url, autocommit=True) as connection:
        cursor = connection.cursor()
        row = cursor.execute("SELECT value FROM bulkip.about WHERE name = %s", (request.param,)).fetchone()
        assert row is not None
        yield cursor, request.param
        cursor.execute(SET, (row[0], request.param))


def test_newer_tables_are_left_alone(cluster_url: str, versioned: tuple[psycopg.Cursor, str]) -> None:
    """A cluster of a newer bulkip is neither used nor changed; who asks is told to upgrade."""
    cursor, name = versioned
    cursor.execute(SET, ("999.1", name))

    with pytest.raises(UsageError, match=rf"a newer bulkip made the tables .*{name} 999\.1.*upgrade"):
        initialise(cluster_url, "cluster init")
    with pytest.raises(UsageError, match=rf"--cluster: the tables there are .*{name} 999\.1"):
        ensure(cluster_url, "--cluster")

    found = cursor.execute("SELECT value FROM bulkip.about WHERE name = %s", (name,)).fetchone()
    assert found == ("999.1",)


def test_older_tables_wait_for_init(cluster_url: str, versioned: tuple[psycopg.Cursor, str]) -> None:
    """A run does not migrate what others may be using; it names the command that does."""
    cursor, name = versioned
    cursor.execute(SET, ("0.0", name))

    with pytest.raises(UsageError, match="`bulkip cluster init` updates them"):
        ensure(cluster_url, "--cluster")


def test_second_init_finds_everything(cluster_url: str) -> None:
    """What is there stays."""
    assert initialise(cluster_url, "cluster init") == []

"""The queue of shards, asked as workers and coordinators ask it."""

import psycopg
import pytest

from bulkip.cluster.queue import open_queue
from bulkip.cluster.setup import initialise
from tests.postgres import Postgres

pytestmark = [pytest.mark.anyio, pytest.mark.xdist_group("cluster")]
QUEUE, RUN = "night@000000000000", "20260901T031500-abcdef"
KNOWN = "SELECT reltuples FROM pg_class WHERE oid = 'bulkip.procrastinate_jobs'::regclass"


@pytest.fixture
def url(postgres_server: Postgres) -> str:
    """Return the URL of a database whose queue is empty."""
    url = postgres_server.new_database()
    initialise(url, "--cluster")
    return url


async def test_server_knows_at_once_how_many_shards_wait(url: str) -> None:
    """A queue that was filled is counted, so that the next shard is found by an index, not by sorting all."""
    async with open_queue(url) as queue:
        await queue.defer(QUEUE, RUN, range(1, 2001))

    with psycopg.connect(url) as connection:
        assert connection.execute(KNOWN).fetchone() == (2000.0,)

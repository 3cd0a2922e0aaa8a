"""The queue of shards: nothing waits twice, and what a dead worker was doing waits again."""

from collections.abc import AsyncIterator

import psycopg
import pytest

from bulkip.cluster.queue import REAPING, ShardQueue, open_queue
from bulkip.cluster.setup import initialise
from bulkip.errors import StoreError
from tests.postgres import Postgres

pytestmark = [pytest.mark.anyio, pytest.mark.xdist_group("cluster")]

COUNTED = "SELECT reltuples FROM pg_class WHERE oid = 'bulkip.procrastinate_jobs'::regclass"
DEAD = "UPDATE bulkip.procrastinate_workers SET last_heartbeat = now() - interval '11 seconds'"


@pytest.fixture
def url(postgres_server: Postgres) -> str:
    """Return the URL of a cluster with an empty queue."""
    found = postgres_server.new_database()
    initialise(found, "--cluster")
    return found


@pytest.fixture
async def queue(url: str) -> AsyncIterator[ShardQueue]:
    """Return the queue, of which this process is a worker."""
    async with open_queue(url) as found:
        await found.register()
        yield found


async def test_shard_waits_once(queue: ShardQueue) -> None:
    """Dealing out again what waits already adds nothing."""
    await queue.defer("a", "run", [1, 2, 3])
    await queue.defer("a", "run", [2, 3, 4])

    assert await queue.waiting() == {"a": (4, 0)}
    assert await queue.missing("a", "run", [3, 4, 5]) == [5]


async def test_worker_takes_from_its_own_queues(queue: ShardQueue) -> None:
    """What waits in other queues is left to others; without any queue there is nothing to take."""
    await queue.defer("a", "run", [1])
    await queue.defer("b", "run", [2])

    ticket = await queue.take({"b"})

    assert ticket is not None
    assert (ticket.run, ticket.shard, ticket.queue) == ("run", 2, "b")
    assert await queue.take({"b"}) is None
    assert await queue.take(set()) is None


async def test_acknowledged_shard_is_gone(queue: ShardQueue) -> None:
    """What is done leaves the queue, and what is given back waits again at once."""
    await queue.defer("a", "run", [1, 2])
    first, second = await queue.take({"a"}), await queue.take({"a"})
    assert first is not None
    assert second is not None

    await queue.acknowledge(first)
    await queue.give_back(second)

    again = await queue.take({"a"})
    assert again is not None
    assert again.shard == second.shard
    assert await queue.waiting() == {"a": (0, 1)}


async def test_shard_of_a_dead_worker_waits_again(url: str, queue: ShardQueue) -> None:
    """A worker that is silent loses its ticket, and cannot acknowledge for the next one."""
    await queue.defer("a", "run", [1])
    lost = await queue.take({"a"})
    assert lost is not None
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(DEAD)

    async with open_queue(url) as other:
        await other.register()
        assert await other.reap() == 1
        found = await other.take({"a"})
        await queue.acknowledge(lost)

        assert found is not None
        assert await other.waiting() == {"a": (0, 1)}


async def test_one_looks_for_dead_workers_at_a_time(url: str, queue: ShardQueue) -> None:
    """Whoever finds somebody looking leaves it to them."""
    await queue.defer("a", "run", [1])
    await queue.take({"a"})
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(DEAD)
        connection.execute("SELECT pg_advisory_lock(%s)", (REAPING,))
        assert await queue.reap() == 0
        connection.execute("SELECT pg_advisory_unlock(%s)", (REAPING,))

        assert await queue.reap() == 1


async def test_shard_that_was_dealt_out_again_is_not_given_back_twice(url: str, queue: ShardQueue) -> None:
    """What a dead worker was doing may wait already; then it goes."""
    await queue.defer("a", "run", [1])
    await queue.take({"a"})
    await queue.defer("a", "run", [1])
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(DEAD)

    await queue.reap()

    assert await queue.waiting() == {"a": (1, 0)}


async def test_server_that_is_not_there_is_told(url: str) -> None:
    """A queue that cannot be opened is an error that names the place, without the login."""
    away = url.replace("postgres:@", "postgres:geheim@").replace("host=", "host=/nowhere")

    with pytest.raises(StoreError, match="nowhere") as raised:
        async with open_queue(away):
            pass

    assert "geheim" not in str(raised.value)


async def test_server_knows_at_once_how_many_shards_wait(url: str, queue: ShardQueue) -> None:
    """A queue that was filled is counted, so that the next shard is found by an index, not by sorting all."""
    await queue.defer("a", "run", range(1, 2001))

    with psycopg.connect(url) as connection:
        assert connection.execute(COUNTED).fetchone() == (2000.0,)

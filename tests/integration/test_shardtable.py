"""Who is at a shard: one worker at a time, as long as it is heard of, and never one that lost it."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from bulkip.cluster.database import STILL_MS, PostgresDatabase
from bulkip.cluster.runs import fence, schema_of, upload
from bulkip.cluster.shardtable import Fenced, Guard, ShardTable, TakenOver
from bulkip.model import ErrorClass
from bulkip.orders import HALTED, Tally, halted_fact, stop_told
from bulkip.stops import Stop, StopKind
from bulkip.store import Part
from bulkip.store.home import Executing
from tests.storedruns import HEADER, frozen, item

pytestmark = pytest.mark.xdist_group("cluster")

SILENT = "UPDATE shard SET seen_at = seen_at - interval '11 seconds'"
TALLY = Tally({"changed": 3, "failed": 1}, 4, 9, 5)
STOP = Stop(StopKind.HALT, "enough", ErrorClass.CANCELLED, lifting=("--max-failed", "9"), everywhere=True)


@pytest.fixture
def run(cluster_url: str, tmp_path: Path) -> str:
    """Return the id of a run that the cluster keeps."""
    header = replace(HEADER, id=f"{HEADER.id}-{tmp_path.name}")
    frozen(tmp_path / "run", map(item, range(1, 11)))
    upload(cluster_url, tmp_path / "run", header, "[]")
    return header.id


@pytest.fixture
def database(cluster_url: str, run: str) -> Iterator[PostgresDatabase]:
    """Return a connection to a run with three shards of two accounts."""
    with closing(PostgresDatabase(cluster_url, schema_of(run))) as found:
        parts = [("a", Part(1, 3, 1)), ("a", Part(4, 6, 1)), ("b", Part(7, 9, 2))]
        assert ShardTable(found).add(0, parts) == [1, 2, 3]
        yield found


def test_shard_is_taken_by_one(database: PostgresDatabase) -> None:
    """Two workers that come for one shard at the same time do not both get it."""
    table = ShardTable(database)

    taken = [table.take(1, name) for name in ("one", "two")]

    assert taken[0] is not None
    assert (taken[0].part, taken[0].token, taken[1]) == (Part(1, 3, 1), 1, None)


def test_silent_worker_loses_its_shard(database: PostgresDatabase) -> None:
    """Who was not heard of for the time of a lease can neither go on, nor end it, nor commit for it."""
    table = ShardTable(database)
    first = table.take(1, "one")
    assert first is not None
    table.seen(first, TALLY, "")
    database.execute(SILENT)

    second = table.take(1, "two")

    assert second is not None
    assert (second.token, second.tally) == (2, TALLY)
    with pytest.raises(Fenced):
        table.seen(first, TALLY, "")
    with pytest.raises(Fenced):
        table.end(first, TALLY)
    with pytest.raises(Fenced):
        database.transact(Guard(first))
    database.transact(Guard(second))
    table.give_back(first, TALLY)  # what is not its own any more it cannot give
    assert table.take(1, "three") is None


def test_worker_that_stands_still_in_a_transaction_keeps_nobody_waiting(
    cluster_url: str, run: str, database: PostgresDatabase
) -> None:
    """Whoever is stopped while it commits lets go of its shard after some seconds, and cannot commit then."""
    table = ShardTable(database)
    first = table.take(1, "one")
    assert first is not None
    database.execute(SILENT)
    refused: list[Exception] = []

    def stopped(executing: Executing) -> None:
        Guard(first)(executing)
        time.sleep(STILL_MS / 1000 + 3)

    def commit() -> None:
        with closing(PostgresDatabase(cluster_url, schema_of(run))) as other:
            try:
                other.transact(stopped)
            except Fenced as error:
                refused.append(error)

    with ThreadPoolExecutor(1) as pool:
        pool.submit(commit)
        time.sleep(0.5)
        began = time.monotonic()
        second = table.take(1, "two")
        lasted_s = time.monotonic() - began

    assert second is not None
    assert 1 < lasted_s < STILL_MS / 1000 + 2
    assert len(refused) == 1


def test_round_of_another_coordinator_is_noticed(database: PostgresDatabase) -> None:
    """Who does not know the newest round was taken over; a new round ends what is left of the old one."""
    table = ShardTable(database)
    first = table.take(1, "one")
    assert first is not None

    assert table.add(1, [("a", Part(1, 9))]) == [4]

    with pytest.raises(TakenOver):
        table.add(1, [("a", Part(1, 9))])
    with pytest.raises(Fenced):
        table.seen(first, TALLY, "")
    assert (table.left(1), table.left(2)) == ((0, 2), (1, 2))


def test_shard_that_was_given_back_is_free_at_once(database: PostgresDatabase) -> None:
    """A worker that stops in order makes nobody wait for its lease."""
    table = ShardTable(database)
    first = table.take(1, "one")
    assert first is not None
    table.give_back(first, TALLY)

    assert table.take(1, "two") is not None


def test_ended_shard_is_taken_by_nobody(database: PostgresDatabase) -> None:
    """What has ended has ended; one that was never there needs nobody either."""
    table = ShardTable(database)
    first = table.take(1, "one")
    assert first is not None
    table.end(first, TALLY)

    assert (table.take(1, "two"), table.has_ended(1), table.has_ended(2), table.has_ended(99)) == (
        None,
        True,
        False,
        True,
    )
    assert table.left(1) == (2, 1)


def test_new_coordinator_takes_all_shards_away(
    cluster_url: str, run: str, database: PostgresDatabase
) -> None:
    """Whoever takes a run over fences every worker that is still at it."""
    table = ShardTable(database)
    first = table.take(1, "one")
    assert first is not None

    fence(cluster_url, run)

    with pytest.raises(Fenced):
        table.seen(first, TALLY, "")
    assert table.left(1) == (0, 1)


def test_limits_know_what_the_others_came_to(database: PostgresDatabase) -> None:
    """Failures are counted over all accounts, the cost of retries over one's own."""
    table = ShardTable(database)
    shards = [table.take(number, "one") for number in (1, 2, 3)]
    for shard in shards:
        assert shard is not None
        table.seen(shard, TALLY, "")

    assert shards[0] is not None
    assert table.others(shards[0]) == (8, 2, 5)


@pytest.mark.parametrize(
    ("fact", "hears"),
    [(HALTED, {"eu", "us"}), (halted_fact("eu"), {"eu"})],
    ids=["whole run", "one account"],
)
def test_halt_is_heard_by_those_it_is_for(database: PostgresDatabase, fact: str, hears: set[str]) -> None:
    """A stop comes back with the next word of a worker; that of one account leaves the others alone."""
    table = ShardTable(database)
    shard = table.take(1, "one")
    assert shard is not None
    assert table.seen(shard, TALLY, "eu") is None
    table.keep(fact, stop_told(STOP))

    heard = {name for name in ("eu", "us") if table.seen(shard, TALLY, name) == STOP}

    assert heard == hears
    assert table.halted() == {fact: STOP}
    table.forget_halts()
    assert table.halted() == {}


def test_shards_of_a_stopped_account_are_left(database: PostgresDatabase) -> None:
    """What nobody is at of an account that stopped ends without being done; the other account's goes on."""
    table = ShardTable(database)
    assert table.take(1, "one") is not None

    table.leave(1, 1)

    assert [number for number, _queue in table.idle(1)] == [3]
    assert table.left(1) == (2, 1)

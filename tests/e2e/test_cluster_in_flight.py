"""How many calls a worker keeps in flight, as the provider sees it."""

from pathlib import Path

import pytest

from bulkip.cluster.setup import initialise
from tests.clustersite import finished, site
from tests.postgres import Postgres

CONCURRENCY = 8
"""Of the job of the site."""


@pytest.mark.xdist_group("cluster")
@pytest.mark.parametrize("shards", [1, 2])
def test_concurrency_holds_for_each_shard(tmp_path: Path, postgres_server: Postgres, shards: int) -> None:
    """A worker at two shards has twice as many calls in flight as one at a single shard."""
    url = postgres_server.new_database()
    initialise(url, "--cluster")
    with site(tmp_path, url, 1000, 2000, "--latency", "100ms") as place:
        with (
            place.workers(1, "--shards", str(shards)),
            place.coordinator("--no-work", "-q", "--max-duration", "5s") as run,
        ):
            assert finished(run)[0] in {0, 6}

        assert len({call["connection"] for call in place.api.seen()}) == shards * CONCURRENCY

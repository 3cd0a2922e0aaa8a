"""What tests of whole programs share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bulkip.cluster.setup import initialise
from tests.clustersite import CLUSTER_ITEMS, Site, site
from tests.postgres import Postgres


@pytest.fixture
def place(tmp_path: Path, postgres_server: Postgres) -> Iterator[Site]:
    """Return a job, its provider, and an empty database."""
    url = postgres_server.new_database()
    initialise(url, "--cluster")
    with site(tmp_path, url, CLUSTER_ITEMS) as found:
        yield found

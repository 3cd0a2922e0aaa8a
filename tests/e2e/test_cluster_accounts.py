"""A run of two accounts in a cluster: each has a queue of its own, and its own troubles."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from bulkip.cluster.setup import initialise
from tests.clustersite import Site, address, finished
from tests.postgres import Postgres
from tests.providerprocess import Provider, provider

pytestmark = pytest.mark.xdist_group("cluster")

ACCOUNTS = """
version: 1
name: two
accounts:
  eu: {{api: {{url: "{eu}", token: env:EU_TOKEN}}, limits: {{rate: 300/s, concurrency: 8}}}}
  us: {{api: {{url: "{us}", token: env:US_TOKEN}}, limits: {{rate: 300/s, concurrency: 8}}}}
targets: [{{csv: eu.csv, account: eu}}, {{csv: us.csv, account: us}}]
actions: [{{action: update_ptr, with: {{id: 4711}}}}]
retry: {{base: 10ms}}
safety: {{max_failed: none}}
"""
EACH = 700


@pytest.fixture
def two(tmp_path: Path, postgres_server: Postgres) -> Iterator[tuple[Site, Provider]]:
    """Return a job of two accounts at two providers, and the second of these."""
    url = postgres_server.new_database()
    initialise(url, "--cluster")
    for name in ("eu", "us"):
        (tmp_path / name).mkdir()
    options = ("--addresses", "10.9.0.0/16=4711", "--token")
    with (
        provider(tmp_path / "eu", *options, "eu-token") as eu,
        provider(tmp_path / "us", *options, "us-token") as us,
    ):
        place = Site(tmp_path, url, eu, EACH, {"EU_TOKEN": "eu-token", "US_TOKEN": "us-token"})
        (tmp_path / "job.yaml").write_text(ACCOUNTS.format(eu=eu.url, us=us.url))
        for name, first in (("eu", 0), ("us", EACH)):
            rows = [f"{address(n)},new-{n}.example.net" for n in range(first, first + EACH)]
            (tmp_path / f"{name}.csv").write_text("\n".join(["ip,ptr", *rows]) + "\n")
        yield place, us


def test_accounts_have_queues_of_their_own(two: tuple[Site, Provider]) -> None:
    """A worker serves the accounts whose secrets it has, and leaves the others to others."""
    place, us = two
    eu_only = replace(place, env={"EU_TOKEN": "eu-token"})
    with place.coordinator("--no-work", "-q") as run, eu_only.workers(1):
        place.until(lambda: place.sql("SELECT 1 FROM bulkip.procrastinate_jobs"))
        place.until(lambda: place.sql("SELECT COUNT(*) FROM shard WHERE ended_at IS NULL") == [(2,)])
        assert (len(place.api.seen()), us.seen()) == (EACH, [])
        with place.workers(1):
            assert finished(run) == (0, "")

    assert [row["status"] for row in place.rows()] == ["changed"] * 2 * EACH
    assert {one["ip"] for one in us.seen()} == {address(n) for n in range(EACH, 2 * EACH)}


def test_refused_account_leaves_the_other_alone(two: tuple[Site, Provider]) -> None:
    """One account's refusal ends with 7 when the other is done, and a resume does what is left."""
    place, us = two
    wrong = replace(place, env={**place.env, "US_TOKEN": "old-token"})
    done = wrong.bulkip("run", "job.yaml", "--yes", "-q")

    assert done.code == 7, done.err
    assert "account `us`" in done.err
    statuses = [row["status"] for row in place.rows()]
    assert (statuses[:EACH], set(statuses[EACH:])) == (["changed"] * EACH, {"not_run"})
    assert len(us.seen()) < 50

    again = place.bulkip("resume", "last", "--yes", "-q")

    assert (again.code, again.err) == (0, "")
    assert [row["status"] for row in place.rows()] == ["changed"] * 2 * EACH
    assert place.doubled() == 0

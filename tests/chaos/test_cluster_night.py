"""A night of a cluster: many items, three workers of which one dies, and a database that is restarted."""

import time
from pathlib import Path

import pytest

from tests.bench.arrivals import worst
from tests.chaos.length import LONG
from tests.clustersite import finished, kill, site
from tests.postgres import postgres

ITEMS, RATE = (50_000, 1000) if LONG else (2_500, 400)
IN_FLIGHT = 16


@pytest.mark.xdist_group("pace")
@pytest.mark.timeout(900)
def test_night_with_accidents_ends_with_every_row(tmp_path: Path) -> None:
    """Whatever dies on the way, the report is complete, the laws hold, and the rate was never exceeded."""
    with postgres() as server, site(tmp_path, server.new_database(), ITEMS, RATE) as place:
        with place.workers(3) as (victim, *_others), place.coordinator("--no-work", "-q") as run:
            place.until_written(ITEMS // 10, patience_s=600)
            kill(victim)
            place.until_written(ITEMS // 3, patience_s=600)
            server.stop()
            time.sleep(2)
            server.start()
            assert finished(run, patience_s=600) == (0, "")

        assert [row["status"] for row in place.rows()] == ["changed"] * ITEMS
        assert place.broken_laws() == []
        assert place.doubled() <= IN_FLIGHT
        assert worst([one["at"] for one in place.api.seen()], 1.0) <= RATE

"""A run that several machines share meets every accident that the design names, with real processes."""

import os
import signal
import time
from pathlib import Path

import pytest

from bulkip.cluster.setup import initialise
from tests.clustersite import CLUSTER_ITEMS, Site, address, finished, kill, site
from tests.postgres import Postgres, postgres

pytestmark = pytest.mark.xdist_group("accidents")

ITEMS = CLUSTER_ITEMS
IN_FLIGHT = 8
"""How many calls of a shard may be on their way at a time."""
REDELIVERED_S = 20
IMPATIENT = """
import runpy
from bulkip.cluster import database
database.PATIENCE_S = 4.0
runpy.run_module("bulkip", run_name="__main__", alter_sys=True)
"""
"""bulkip, but for how long it waits for a database that is away."""
SPENT = """
INSERT INTO attempt
SELECT 1, number, 1, 'call', 1.0, 2.0, 'failed', 'server', 500, 'broken', NULL, NULL, FALSE
FROM generate_series(1, 2) AS number
"""


def test_killed_worker_loses_nothing(place: Site) -> None:
    """What a killed worker was at goes to another one soon, and only calls in flight are doubled."""
    with place.workers(2) as (victim, _other), place.coordinator("--no-work", "-q") as run:
        place.until_written(200)
        kill(victim)
        killed_at = time.time()
        assert finished(run) == (0, "")

    assert place.broken_laws() == []
    assert place.doubled() <= 2 * IN_FLIGHT
    (taken,) = place.sql("SELECT COUNT(*) FROM shard WHERE token > 1")[0]
    assert taken >= 1
    again = place.sql("SELECT EXTRACT(epoch FROM MAX(ended_at)) FROM shard WHERE token > 1")[0][0]
    assert float(again) - killed_at < REDELIVERED_S + 500 / 500


def test_worker_that_stood_still_is_fenced(place: Site) -> None:
    """A worker that is stopped for longer than its lease writes nothing any more when it goes on."""
    with place.workers(2) as (victim, _other), place.coordinator("--no-work", "-q") as run:
        place.until_written(200)
        os.kill(victim.pid, signal.SIGSTOP)
        place.until(lambda: place.sql("SELECT 1 FROM shard WHERE token > 1"))
        os.kill(victim.pid, signal.SIGCONT)
        assert finished(run) == (0, "")
        victim.terminate()
        _, said = finished(victim)

    assert "lost to another worker" in said
    assert place.broken_laws() == []
    assert place.doubled() <= 2 * IN_FLIGHT


def test_run_goes_on_when_the_database_was_restarted(tmp_path: Path) -> None:
    """A server that is away for some seconds costs the run these seconds."""
    with postgres() as server, site(tmp_path, server.new_database(), ITEMS) as place:
        with place.workers(2), place.coordinator("-q") as run:
            place.until_written(200)
            server.stop()
            time.sleep(2)
            server.start()
            assert finished(run) == (0, "")

        assert place.broken_laws() == []
        assert place.doubled() == 0


def test_signal_is_heeded_while_the_database_is_away(tmp_path: Path) -> None:
    """Ctrl-C does not wait for a server that is gone: all end soon, and a resume goes on."""
    with postgres() as server, site(tmp_path, server.new_database(), ITEMS) as place:
        with place.workers(1) as (worker,), place.coordinator("--no-work", "-q") as run:
            place.until_written(100)
            server.stop()
            time.sleep(1)
            began = time.monotonic()
            run.send_signal(signal.SIGINT)
            worker.send_signal(signal.SIGTERM)
            ended = finished(run), finished(worker)
            lasted_s = time.monotonic() - began
            server.start()
        done = place.bulkip("resume", "last", "-q")

        assert ended[0][0] in {6, 130}, ended[0][1]
        assert ended[1][0] == 143, ended[1][1]
        assert lasted_s < 60
        assert (done.code, done.err) == (0, "")
        assert place.broken_laws() == []


def test_killed_coordinator_is_run_again(place: Site) -> None:
    """The same command once more goes on with the run, whose workers did not wait for it."""
    with place.workers(1):
        with place.coordinator("--no-work", "-q") as first:
            place.until_written(200)
            kill(first)
        done = place.bulkip("run", "job.yaml", "--yes", "--no-work")

    assert done.code == 0, done.err
    assert "has not come to its end; going on with it" in done.err
    assert len(place.run_ids()) == 1
    assert place.broken_laws() == []
    assert place.doubled() <= 2 * IN_FLIGHT


def test_worker_that_was_taken_for_dead_goes_on(place: Site) -> None:
    """Whoever finds itself forgotten by the queue makes itself known again."""
    with place.workers(1), place.coordinator("--no-work", "-q") as run:
        place.until_written(50)
        place.sql("DELETE FROM bulkip.procrastinate_workers")
        assert finished(run) == (0, "")

    assert place.broken_laws() == []


def test_outage_beyond_the_patience_of_the_limiter_is_survived(tmp_path: Path) -> None:
    """A worker whose limiter was away for longer than `breaker.give_up` begins anew when it is back."""
    with postgres() as server, site(tmp_path, server.new_database(), ITEMS) as place:
        place.write_job(500, "breaker: {give_up: 1s}")
        with place.workers(2), place.coordinator("--no-work", "-q") as run:
            place.until_written(100)
            server.stop()
            time.sleep(5)
            server.start()
            assert finished(run) == (0, "")

        assert place.broken_laws() == []
        assert place.doubled() == 0


def test_run_halts_when_the_database_stays_away(tmp_path: Path) -> None:
    """Beyond its patience the run halts, soon, with the command that goes on; a resume finds all of it."""
    with postgres() as server, site(tmp_path, server.new_database(), ITEMS) as place:
        place.program = ("-c", IMPATIENT)
        with place.coordinator() as run:
            place.until_written(100)
            server.stop()
            began = time.monotonic()
            code, said = finished(run)
            lasted_s = time.monotonic() - began
            server.start()
        done = place.bulkip("resume", "last", "-q")

        assert code == 6, said
        assert lasted_s < 40
        (run_id,) = place.run_ids()
        assert said.count("connection is bad") == 2  # when it stops, and why it has stopped
        assert f"next     bulkip resume {run_id} --cluster" in said
        assert (done.code, done.err) == (0, "")
        assert place.broken_laws() == []
        assert place.doubled() == 0


def test_second_signal_does_not_wait_for_calls(tmp_path: Path, postgres_server: Postgres) -> None:
    """Ctrl-C twice ends calls in flight that a slow server would answer much later."""
    with site(tmp_path / "a", postgres_server.new_database(), 40, 500, "--latency", "25s") as place:
        with place.coordinator("-q") as run:
            place.until(lambda: place.bulkip("show", "last").code == 0)
            time.sleep(2)
            began = time.monotonic()
            run.send_signal(signal.SIGINT)
            time.sleep(1)
            run.send_signal(signal.SIGINT)
            code, err = finished(run)

        assert code == 130, err
        assert time.monotonic() - began < 12


def test_ticket_of_a_run_that_is_gone_is_passed_over(place: Site) -> None:
    """What somebody left in the queue of a removed run costs the next one nothing."""
    with place.coordinator("--no-work", "-q") as run:
        place.until(lambda: place.sql("SELECT 1 FROM bulkip.procrastinate_jobs"))
        place.sql(
            'UPDATE bulkip.procrastinate_jobs SET args = args || \'{"run": "gone"}\' '
            "WHERE args ->> 'shard' = '1'"
        )
        with place.workers(1):
            assert finished(run) == (0, "")

    assert place.broken_laws() == []


def test_changed_job_stops_the_workers_of_the_old_one(place: Site) -> None:
    """Whoever edits a job whose coordinator died does not have two versions written at a time."""
    with place.workers(1):
        with place.coordinator("--no-work", "-q", "--rate", "100/s") as first:
            place.until(place.run_ids)
            place.until(lambda: place.sql("SELECT 1 FROM shard WHERE token > 0"))
            kill(first)
        place.write_job(500, "timezone: Europe/Amsterdam")
        done = place.bulkip("run", "job.yaml", "--yes", "--no-work")

    assert done.code == 0, done.err
    assert "of an older version of this job is left; its workers are stopped" in done.err
    assert place.broken_laws() == []
    assert place.doubled() == 0


def test_drained_queue_is_no_finished_run(place: Site) -> None:
    """The queue is a hint: shards that fell out of it are dealt out again."""
    with place.coordinator("--no-work", "-q") as run:
        place.until(lambda: place.sql("SELECT 1 FROM bulkip.procrastinate_jobs"))
        place.sql("DELETE FROM bulkip.procrastinate_jobs")
        with place.workers(1):
            assert finished(run) == (0, "")

    assert place.broken_laws() == []


def test_shard_ends_only_when_its_rows_are_durable(place: Site) -> None:
    """While the database takes no result, no shard ends and none leaves the queue."""
    with place.workers(1), place.coordinator("--no-work", "-q") as run:
        place.until_written(50)
        with place.locked("result"):
            time.sleep(3)
            stored = place.sql("SELECT COUNT(*) FROM shard WHERE ended_at IS NOT NULL AND round = 2")
            doing = place.sql("SELECT COUNT(*) FROM bulkip.procrastinate_jobs")
        assert stored == [(0,)]
        assert doing[0][0] == -(-ITEMS // 500)
        assert finished(run) == (0, "")

    assert place.broken_laws() == []


def test_last_attempt_of_a_dead_worker_was_the_last(tmp_path: Path, postgres_server: Postgres) -> None:
    """Where workers died after all attempts, before they wrote how the item ended, none more is made."""
    url = postgres_server.new_database()
    initialise(url, "--cluster")
    with site(tmp_path, url, 20) as place:
        text = (tmp_path / "job.yaml").read_text()
        text = text.replace("update_ptr", "get_ptr")
        (tmp_path / "job.yaml").write_text(text.replace("retry: {", "retry: {attempts: 2, "))
        with place.coordinator("--no-work", "-q") as run:
            place.until(lambda: place.sql("SELECT 1 FROM bulkip.procrastinate_jobs"))
            place.sql(SPENT)
            with place.workers(1):
                code, said = finished(run)
        rows = {row["ip"]: row for row in place.rows()}

        assert code == 3, said
        assert address(0) not in {one["ip"] for one in place.api.seen()}
        spent = rows.pop(address(0))
        assert (spent["status"], spent["error_class"], spent["attempts"]) == ("failed", "server", 2)
        assert "was made by a worker that is gone" in spent["note"]
        assert {row["status"] for row in rows.values()} == {"ok"}

"""A run that several machines share: the same commands, and every accident that the design names."""

import re
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest

from bulkip.cluster.setup import initialise
from tests.clustersite import CLUSTER_ITEMS, ENV, Site, alive, finished, secrets_found, site
from tests.postgres import Postgres
from tests.program import bulkip, clean_environment

pytestmark = pytest.mark.xdist_group("cluster")

ITEMS = CLUSTER_ITEMS
FAULT = """
version: 1
faults: [{{action: update_ptr, {which}, json: {{code: -1, message: "malformed IP"}}}}]
"""


def test_one_command_carries_a_run_out(place: Site) -> None:
    """Without any worker the coordinator does all by itself, and the commands about the run find it there."""
    done = place.bulkip("run", "job.yaml", "--yes", "-q", "--report", "jsonl=rows.jsonl")

    assert (done.code, done.err) == (0, "")
    assert [row["status"] for row in place.rows()] == ["changed"] * ITEMS
    assert (place.folder / "rows.jsonl").read_text().count("\n") == ITEMS
    assert place.broken_laws() == []
    assert "700 changed" in place.bulkip("show", "last").out
    assert "call" in place.bulkip("explain", "last", "10.9.0.7").out
    assert not (place.folder / ".bulkip" / "runs").exists()
    status = bulkip("cluster", "status", place.url, cwd=place.folder)
    assert "at rest: 700 items: 700 changed" in status.out, status.err


def test_workers_share_the_work(place: Site) -> None:
    """Workers take shards as they come, also those that begin when the run is under way."""
    with place.workers(1), place.coordinator("--no-work", "-q") as run:
        place.until_written(100)
        with place.workers(1):
            assert finished(run) == (0, "")

    holders = place.sql("SELECT COUNT(DISTINCT token), COUNT(*) FROM shard")
    assert holders[0][1] == 2 * -(-ITEMS // 500)
    assert place.broken_laws() == []
    assert place.doubled() == 0


def test_second_coordinator_waits_or_is_refused(place: Site) -> None:
    """Two coordinators of a job are never at it together."""
    with place.coordinator("-q", "--rate", "150/s") as first:
        place.until(place.run_ids)
        refused = place.bulkip("run", "job.yaml", "--yes", "-q")
        resumed = place.bulkip("resume", "last", "--yes", "-q")
        assert finished(first) == (0, "")

    assert (refused.code, resumed.code) == (8, 8), refused.err + resumed.err
    assert "another coordinator is at the job migration" in refused.err
    assert len(place.run_ids()) == 1
    assert place.doubled() == 0


def test_failed_canary_stops_the_rollout(tmp_path: Path, postgres_server: Postgres) -> None:
    """What a small first step came to is counted before the second begins, however quick it was."""
    faults = tmp_path / "faults.yaml"
    faults.write_text(FAULT.format(which="ip: 10.9.0.0/16"))
    with site(tmp_path / "a", postgres_server.new_database(), 300, 500, "--faults", str(faults)) as place:
        place.write_job(500, "rollout: {steps: [20, 100%]}")
        ended = place.bulkip("run", "job.yaml", "--yes", "-q", "--max-failed", "10%")

    assert ended.code == 6, ended.err
    assert len(place.writes()) == 20


def test_cancel_between_two_steps_is_heeded(tmp_path: Path, postgres_server: Postgres) -> None:
    """A run that is cancelled while nobody is at it does not go on all the same."""
    with site(tmp_path / "a", postgres_server.new_database(), 300) as place:
        place.write_job(500, "rollout: {steps: [20, 100%], pause: 6s}")
        with place.coordinator("-q") as run:
            place.until_written(20)
            time.sleep(1.5)
            told = bulkip("cluster", "cancel", place.url, "last", cwd=place.folder)
            code, err = finished(run)

        assert (told.code, code) == (0, 6), told.err + err
        assert len(place.writes()) == 20
        assert place.bulkip("resume", "last", "-q").code == 0
        assert len(place.writes()) == 300


def test_signal_stops_all_workers(place: Site) -> None:
    """Ctrl-C at the coordinator stops the run everywhere, and a resume finishes it."""
    with place.workers(1) as (worker,):
        with place.coordinator("--no-work", "-q") as run:
            place.until_written(200)
            run.send_signal(signal.SIGINT)
            code, err = finished(run)
        assert code == 130, err
        time.sleep(1)
        before = len(place.writes())
        time.sleep(1)
        assert len(place.writes()) == before
        assert alive(worker)

        done = place.bulkip("resume", "last", "-q")

    assert (done.code, done.err) == (0, "")
    assert place.broken_laws() == []
    assert place.doubled() == 0


def test_cancelled_run_can_be_resumed(place: Site) -> None:
    """An operator who cannot reach the coordinator stops its run from anywhere."""
    with place.workers(1):
        with place.coordinator("--no-work", "-q") as run:
            place.until_written(100)
            told = bulkip("cluster", "cancel", place.url, "last", cwd=place.folder)
            code, err = finished(run)
        assert told.code == 0, told.err
        assert (code, "cancelled with `bulkip cluster cancel`" in err) == (6, True), err
        done = place.bulkip("resume", "last", "-q")

    assert (done.code, done.err) == (0, "")
    assert place.broken_laws() == []


def test_worker_without_the_secret_takes_nothing(place: Site) -> None:
    """Whoever lacks the account's secret, or has another one, leaves its shards to others."""
    poor, wrong = replace(place, env={}), replace(place, env={"HOSTKEY_TOKEN": "another"})
    with place.coordinator("--no-work", "-q") as run, poor.workers(1) as (one,), wrong.workers(1) as (two,):
        place.until(lambda: place.sql("SELECT 1 FROM bulkip.procrastinate_jobs"))
        time.sleep(4)
        assert place.api.seen() == []
        assert place.sql("SELECT 1 FROM shard WHERE token > 0") == []
        with place.workers(1):
            assert finished(run) == (0, "")
        one.terminate()
        two.terminate()
        said = finished(one)[1] + finished(two)[1]

    assert "the variable is not set" in said
    assert "is another account's here" in said


def test_secret_is_nowhere_in_the_database(tmp_path: Path, postgres_server: Postgres) -> None:
    """The database names where a secret may be found, and holds none, nor the login of its own URL."""
    url = postgres_server.new_database().replace("postgres:@", "postgres:geheim@")
    with site(tmp_path, url, 600, 400, "--token", "t0ken-of-mine") as place:
        place.env = {"HOSTKEY_TOKEN": "t0ken-of-mine"}
        with place.workers(1):
            done = place.bulkip("run", "job.yaml", "--yes", "-q", "--no-work")

    assert done.code == 0, done.err
    assert secrets_found(url, "t0ken-of-mine") == []
    assert secrets_found(url, "geheim") == []
    assert secrets_found(url, "new-7.example.net") != []


def test_refused_account_stops_the_run_for_all(tmp_path: Path, postgres_server: Postgres) -> None:
    """A token that the provider does not take ends the run with 7, whoever found that out."""
    url = postgres_server.new_database()
    with site(tmp_path, url, ITEMS, 400, "--token", "another") as place, place.workers(1):
        done = place.bulkip("run", "job.yaml", "--yes", "-q", "--no-work")

    assert done.code == 7, done.err
    assert len(place.api.seen()) < 100


def test_too_many_failures_halt_all_workers(tmp_path: Path, postgres_server: Postgres) -> None:
    """The failure ceiling counts what all workers have come to."""
    faults = tmp_path / "faults.yaml"
    faults.write_text(FAULT.format(which="ip: 10.9.0.0/16"))
    with (
        site(tmp_path / "a", postgres_server.new_database(), ITEMS, 400, "--faults", str(faults)) as place,
        place.workers(2),
    ):
        done = place.bulkip("run", "job.yaml", "--yes", "-q", "--no-work", "--max-failed", "60")

    assert done.code == 6, done.err
    assert "max_failed" in done.err
    assert 60 < len(place.writes()) < 60 + 3 * 400


def test_plan_and_apply_work_in_a_cluster(place: Site) -> None:
    """A plan that was made by many is the same file, and leaves nothing in the database."""
    with place.workers(1):
        planned = place.bulkip("plan", "job.yaml", "-q", "-o", "ptr.plan.json", "--no-work")
        assert planned.code == 0, planned.err
        assert place.run_ids() == []
        applied = place.bulkip("apply", "ptr.plan.json", "--yes", "-q", "--no-work")

    assert (applied.code, applied.err) == (0, "")
    assert [row["status"] for row in place.rows()] == ["changed"] * ITEMS


def test_tokens_that_workers_made_are_given_back(tmp_path: Path, postgres_server: Postgres) -> None:
    """A worker that logs in with a key logs out when it ends, and not before its calls are done."""
    url = postgres_server.new_database()
    initialise(url, "--cluster")
    with site(tmp_path / "a", url, 700, 500, "--key", "a-key") as place:
        place.env = {"HOSTKEY_API_KEY": "a-key"}
        with place.workers(1) as (worker,), place.coordinator("--no-work", "-q") as run:
            assert finished(run) == (0, "")
            worker.terminate()
            assert finished(worker)[0] == 143

        asked = [one["form"].get("action") for one in place.api.seen() if one["script"] == "auth.php"]
    assert asked.count("login") == asked.count("logout") >= 1
    assert secrets_found(url, "a-key") == []


def test_retry_takes_up_what_failed(tmp_path: Path, postgres_server: Postgres) -> None:
    """A retry in a cluster opens the failed items again, and no others."""
    faults = tmp_path / "faults.yaml"
    faults.write_text(FAULT.format(which="ip: 10.9.0.7, attempt: 1"))
    with site(tmp_path / "a", postgres_server.new_database(), 700, 400, "--faults", str(faults)) as place:
        first = place.bulkip("run", "job.yaml", "--yes", "-q")
        again = place.bulkip("retry", "last", "--yes", "-q")
        more = place.bulkip("retry", "last", "--yes", "-q")

    assert (first.code, again.code) == (3, 0), first.err + again.err
    assert more.code == 2
    assert re.search(r"nothing failed; `bulkip show \S+ --cluster ", more.err), more.err
    assert len(place.writes()) == 701


def test_draining_worker_ends_by_itself(place: Site) -> None:
    """A worker of a CI job works until nothing is left, and ends with 0."""
    with place.coordinator("--no-work", "-q") as run:
        place.until(lambda: place.sql("SELECT 1 FROM bulkip.procrastinate_jobs"))
        with place.workers(1, "--drain") as (worker,):
            code, said = finished(worker)
        assert code == 0, said
        assert re.search(r"worker ended after [2-4] shards\n", said), said  # two a stage
        with place.workers(1):
            assert finished(run) == (0, "")


def test_missing_extra_is_told_with_the_way_out(tmp_path: Path) -> None:
    """Where procrastinate is not installed, `--cluster` says what to install, and everything else works."""
    (tmp_path / "procrastinate.py").write_text("raise ImportError('No module named procrastinate')")
    core = ENV | {"PYTHONPATH": f"{tmp_path}:{clean_environment()['PYTHONPATH']}"}
    with site(tmp_path / "a", "postgresql://x/y", 3) as place:
        refused = [
            place.bulkip("run", "job.yaml", env=core),
            bulkip("worker", "postgresql://x/y", cwd=tmp_path, env=core),
            bulkip("cluster", "init", "postgresql://x/y", cwd=tmp_path, env=core),
        ]
        plain = bulkip("run", "job.yaml", "--yes", "-q", cwd=place.folder, env=core)

    assert [one.code for one in refused] == [2, 2, 2]
    assert all("pip install 'bulkip[cluster]'" in one.err for one in refused)
    assert plain.code == 0, plain.err


def test_same_plan_is_the_same_run_and_no_other(place: Site) -> None:
    """The command once more goes on with what has the same items; other items are another run."""
    run = ("run", "job.yaml", "--yes", "--limit")
    stopped = place.bulkip(*run, "10.9.0.0/25", "-q", "--max-duration", "100ms")
    other = place.bulkip(*run, "10.9.1.0/28", "-q")
    again = place.bulkip(*run, "10.9.0.0/25")
    done = place.bulkip(*run, "10.9.0.0/25", "-q")

    assert [one.code for one in (stopped, other, again, done)] == [6, 0, 0, 0]
    first, second, third = place.run_ids()
    assert f"run {first} of this job has not come to its end" in again.err
    assert len({first, second, third}) == 3


def test_run_is_removed_with_all_that_is_known_of_it(place: Site) -> None:
    """Removing a run leaves its other runs alone, and nothing of itself."""
    for block in ("10.9.0.0/28", "10.9.0.16/28"):
        assert place.bulkip("run", "job.yaml", "--yes", "-q", "--limit", block).code == 0
    first, second = place.run_ids()
    gone = bulkip("cluster", "remove", place.url, first, cwd=place.folder)

    assert (gone.code, gone.out) == (0, f"{first} is removed\n")
    assert place.run_ids() == [second]
    assert place.sql("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'run%'") == [(f"run_{second}",)]
    assert bulkip("cluster", "remove", place.url, "last", cwd=place.folder).code == 2


@pytest.mark.parametrize(
    "options", [("--simulate",), ("--limiter", "x"), ("--shard", "1/2"), ("--keep", "3")]
)
def test_what_is_of_one_process_is_refused(tmp_path: Path, options: tuple[str, ...]) -> None:
    """An option that a cluster cannot heed is refused before anything is done."""
    (tmp_path / "job.yaml").write_text("version: 1\nname: x\nactions: [{action: get_client_ip}]\n")
    ended = bulkip("run", "job.yaml", *options, "--cluster", "postgresql://x/y", cwd=tmp_path, env=ENV)

    assert (ended.code, f"--cluster and {options[0]} do not go together" in ended.err) == (2, True), ended.err


@pytest.mark.parametrize(
    ("url", "code"), [("postgresql://127.0.0.1:9/runs", 6), ("nonsense", 2)], ids=["away", "wrong"]
)
def test_nothing_is_sent_without_the_cluster(tmp_path: Path, url: str, code: int) -> None:
    """A run whose cluster cannot be had ends before its first call, in one line."""
    with site(tmp_path, url, 3) as place:
        ended = place.bulkip("run", "job.yaml", "--yes")

        assert (ended.code, len(ended.err.splitlines())) == (code, 1), ended.err
        assert place.api.seen() == []

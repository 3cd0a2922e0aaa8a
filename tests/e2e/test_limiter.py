"""One rate for several processes: as the provider counts, with the database gone, and without the extra."""

import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.bench.accounts import Terms
from tests.bench.arrivals import worst
from tests.bench.jobs import READ, write_rows
from tests.bench.jobs import write_job as write_reads
from tests.bench.servers import accounts
from tests.postgres import Postgres, postgres
from tests.program import bulkip, clean_environment
from tests.providerprocess import TOKEN, Provider, provider

RATE = 1000
ITEMS = 1200
PROCESSES = 3
TRIES = 3
"""A machine that others keep busy may hold the server up, which then counts what came evenly as a burst."""
PATIENCE_S = 60
ENV = {"HOSTKEY_TOKEN": TOKEN}
JOB = """
version: 1
name: shared
api: {{url: "{url}"}}
targets: [{{text: ips.txt}}]
actions: [{{action: get_ip}}]
limits: {{rate: {rate}/s, concurrency: 32}}
"""


@contextmanager
def running(folder: Path, *options: str) -> Iterator[subprocess.Popen[str]]:
    """Run the job of a folder until the block ends."""
    with subprocess.Popen(
        [sys.executable, "-m", "bulkip", "run", "job.yaml", "-q", *options],
        cwd=folder,
        env=clean_environment() | ENV,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def write_job(folder: Path, api: Provider, addresses: Sequence[str], rate: int = RATE) -> None:
    """Write a job that reads these addresses."""
    folder.mkdir()
    (folder / "ips.txt").write_text("\n".join(addresses))
    (folder / "job.yaml").write_text(JOB.format(url=api.url, rate=rate))


def address(number: int) -> str:
    """Return one of the provider's addresses."""
    return f"10.9.{number >> 8}.{number & 255}"


@pytest.mark.xdist_group("pace")
def test_processes_together_keep_to_the_rate(tmp_path: Path, postgres_server: Postgres) -> None:
    """Three processes at 1,000 calls a second never exceed it, in any second of the server's log."""
    fullest = 0
    for number in range(TRIES):
        fullest = worst(times_of_all(tmp_path / str(number), postgres_server.new_database()), 1.0)
        if fullest <= RATE:
            break

    assert fullest <= RATE


def times_of_all(folder: Path, url: str) -> list[float]:
    """Run a job in each of the processes, and return when their calls came to a server that is quick."""
    with accounts([Terms()]) as (account,):
        folders = [folder / str(number) for number in range(PROCESSES)]
        for one in folders:
            one.mkdir(parents=True)
            write_rows(one / "rows.csv", ITEMS)
            write_reads(one / "job.yaml", account.url, READ, {"rate": f"{RATE}/s", "concurrency": 32})

        started = [running(one, "--limiter", url) for one in folders]
        with started[0] as first, started[1] as second, started[2] as third:
            ended = [
                (one.communicate(timeout=PATIENCE_S)[1], one.returncode) for one in (first, second, third)
            ]
        times = list(account.log().times)
    assert ended == [("", 0)] * PROCESSES
    assert len(times) == PROCESSES * ITEMS
    return times


def test_run_goes_on_when_the_database_was_restarted(tmp_path: Path) -> None:
    """While the database is stopped nothing is called; when it is back, the run goes on to its end."""
    with postgres() as server, provider(tmp_path, "--addresses", "10.9.0.0/24") as api:
        folder = tmp_path / "job"
        write_job(folder, api, [address(one) for one in range(120)], rate=50)

        with running(folder, "--limiter", server.new_database()) as process:
            wait_for_calls(api, 30)
            server.stop()
            time.sleep(1)
            before = len(api.seen())
            time.sleep(1.5)
            meanwhile = len(api.seen()) - before
            server.start()
            _, err = process.communicate(timeout=PATIENCE_S)

        assert (process.returncode, err) == (0, "")
        assert meanwhile == 0
        assert len(api.seen()) == 120


def test_resume_warns_of_the_limiter_that_is_missing(tmp_path: Path, postgres_server: Postgres) -> None:
    """A run that shared its rate says so when it is resumed alone; its login is kept nowhere."""
    url = postgres_server.new_database().replace("postgres:@", "postgres:geheim@")
    with provider(tmp_path, "--addresses", "10.9.0.0/24") as api:
        folder = tmp_path / "job"
        write_job(folder, api, [address(one) for one in range(30)])
        halted = bulkip(
            "run", "job.yaml", "--rate", "10/s", "--limiter", url, "--max-duration", "1s", cwd=folder, env=ENV
        )

        resumed = bulkip("resume", "last", "-q", "--max-duration", "1h", cwd=folder, env=ENV)

    assert (halted.code, resumed.code) == (6, 0), halted.err + resumed.err
    assert "--limiter" in resumed.err
    assert [path for path in folder.rglob("*") if path.is_file() and b"geheim" in path.read_bytes()] == []
    assert "geheim" not in halted.err + resumed.err


@pytest.mark.parametrize(
    ("url", "code"), [("postgresql://127.0.0.1:9/rates", 6), ("nonsense", 2)], ids=["away", "wrong"]
)
def test_nothing_is_sent_without_the_limiter(tmp_path: Path, url: str, code: int) -> None:
    """A run whose limiter cannot be had ends before its first call, in one line."""
    with provider(tmp_path, "--addresses", "10.9.0.0/24") as api:
        write_job(tmp_path / "job", api, [address(1)])

        ended = bulkip("run", "job.yaml", "--limiter", url, cwd=tmp_path / "job", env=ENV)

        assert (ended.code, len(ended.err.splitlines())) == (code, 1), ended.err
        assert api.seen() == []


def test_missing_extra_is_told_with_the_way_out(tmp_path: Path) -> None:
    """Where psycopg is not installed, everything but the limiter works, and that says what to install."""
    (tmp_path / "psycopg.py").write_text("raise ImportError('No module named psycopg')")
    with provider(tmp_path, "--addresses", "10.9.0.0/24") as api:
        write_job(tmp_path / "job", api, [address(1)])
        core = ENV | {"PYTHONPATH": f"{tmp_path}:{clean_environment()['PYTHONPATH']}"}

        refused = bulkip("run", "job.yaml", "--limiter", "postgresql://x/y", cwd=tmp_path / "job", env=core)
        plain = bulkip("run", "job.yaml", "-q", cwd=tmp_path / "job", env=core)

    assert refused.code == 2
    assert "pip install 'bulkip[cluster]'" in refused.err
    assert plain.code == 0, plain.err


def wait_for_calls(api: Provider, count: int) -> None:
    """Wait until the provider has seen so many calls."""
    deadline = time.monotonic() + PATIENCE_S
    while len(api.seen()) < count:
        assert time.monotonic() < deadline
        time.sleep(0.05)

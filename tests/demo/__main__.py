"""`make demo-cluster`: three workers share a run, one is killed with -9 on the way, and nothing is lost."""

import signal
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench.jobs import WRITE, address, write_job, write_rows
from tests.demo.audience import Audience
from tests.demo.player import Player, Stage
from tests.demo.witness import Witness
from tests.postgres import postgres
from tests.program import clean_environment
from tests.providerprocess import TOKEN, provider

WORKERS, VICTIM = 3, 2
ITEMS, RATE = 3_000, 300
WRITTEN_BEFORE = 600
"""After so many writes a worker is killed."""
LOOK_S, TELL_EVERY_S = 0.2, 3.0
PATIENCE_S = 100.0
OPENING = f"""\
{WORKERS} workers share a run of {ITEMS:,} writes; on the way worker {VICTIM} is killed.
The provider is a simulator; the rate is {RATE} calls a second, for all
together. This takes some 40 seconds. PostgreSQL starts, from a wheel:"""
KILLED = """\
kill -9 {pid}: worker {victim} is dead, in the middle of a shard.
The others go on. After 10 s of silence one of them takes its shard,
and reads back the writes whose answers nobody has heard."""
ENDING = """\
As promised: exit code 0, nothing lost, nothing written twice, rate kept.
All that was started has ended and is removed."""


class Failed(Exception):
    """Raised when the demo does not come to the end that it promised."""


def main() -> int:
    """Play, and leave nothing behind; return the exit code."""
    audience = Audience()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda received, _: sys.exit(128 + received))
    try:
        with TemporaryDirectory(prefix="bulkip-demo-") as folder:
            play(Path(folder), audience)
    except KeyboardInterrupt:
        audience.tell("demo", "stopped; all that was started has ended and is removed")
        return 128 + signal.SIGINT
    except Failed as failed:
        audience.tell("demo", f"this is NOT what was promised: {failed}")
        return 1
    audience.tell("demo", ENDING)
    return 0


def play(folder: Path, audience: Audience) -> None:
    """Set everything up, and run the job; raises Failed."""
    audience.tell("demo", OPENING)
    with ExitStack() as stack:
        url = stack.enter_context(postgres()).new_database()
        api = stack.enter_context(provider(folder, "--addresses", f"{address(0)}/20"))
        write_migration(folder, api.url)
        stage = Stage(folder, environment(folder, url), audience)
        audience.tell("demo", f"BULKIP_CLUSTER={url}")
        call(stage, "cluster", "init")
        workers = [
            stack.enter_context(Player(f"worker {number}", stage, "worker", "--shards", "1"))
            for number in range(1, WORKERS + 1)
        ]
        stack.callback(signal.signal, signal.SIGINT, signal.SIG_IGN)  # the ending is not to be cut short
        perform(stage, Witness(api.log), workers)


def write_migration(folder: Path, url: str) -> None:
    """Write the job and its addresses; what is in doubt is read back after a second."""
    write_rows(folder / "rows.csv", ITEMS)
    limits = {"rate": f"{RATE}/s", "concurrency": 4}
    write_job(folder / "migration.yaml", url, WRITE, limits, verify={"settle": "1s"})


def environment(folder: Path, url: str) -> dict[str, str]:
    """Return what every process gets: the way to the cluster, the account's secret, and a home that goes."""
    own = {"BULKIP_CLUSTER": url, "HOSTKEY_TOKEN": TOKEN, "HOME": str(folder), "XDG_STATE_HOME": str(folder)}
    return clean_environment() | own


def call(stage: Stage, *arguments: str) -> None:
    """Run `bulkip` to its end; raises Failed."""
    with Player("demo", stage, *arguments) as player:
        if code := player.finish():
            raise Failed(f"`bulkip {' '.join(arguments)}` ended with {code}")


def perform(stage: Stage, witness: Witness, workers: Sequence[Player]) -> None:
    """Run the job, kill a worker on the way, and show what came of it; raises Failed."""
    victim = workers[VICTIM - 1]
    with Player("run", stage, "run", "migration.yaml", "--yes", "--no-work") as coordinator:
        watch(stage.audience, witness, coordinator, until=WRITTEN_BEFORE)
        if coordinator.is_over():
            raise Failed("the run ended before a worker could be killed")
        victim.kill()
        stage.audience.tell("demo", KILLED.format(pid=victim.pid, victim=VICTIM))
        watch(stage.audience, witness, coordinator)
        code = coordinator.finish()
    call(stage, "cluster", "status")
    judge(stage.audience, witness, code)


def watch(audience: Audience, witness: Witness, coordinator: Player, until: int = ITEMS + 1) -> None:
    """Tell now and then what the provider sees, until the run is over or so many addresses are written."""
    began = told = time.monotonic()
    while not coordinator.is_over() and witness.written < until:
        time.sleep(LOOK_S)
        witness.look()
        now = time.monotonic()
        if now - began > PATIENCE_S:
            raise Failed(f"the run is not over after {PATIENCE_S:.0f} s")
        if now - told >= TELL_EVERY_S and witness.calls:
            told = now
            audience.tell("provider", f"{witness.calls:,} calls, {witness.written:,} addresses written")


def judge(audience: Audience, witness: Witness, code: int) -> None:
    """Tell how it ended, by the provider's log; raises Failed when that is not what was promised."""
    witness.look()
    fullest, written, again = witness.fullest_second, witness.written, witness.written_again
    audience.tell("provider", f"{written:,} addresses were written, {again} of them more than once")
    audience.tell("provider", f"the fullest second of the log held {fullest} calls; {RATE} are allowed")
    if code or (written, again) != (ITEMS, 0) or fullest > RATE:
        raise Failed(f"exit code {code}, and what the provider says")


if __name__ == "__main__":
    sys.exit(main())

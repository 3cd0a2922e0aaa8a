"""Which command a user wants next, after a run that did not end as wished."""

from collections.abc import Iterator
from dataclasses import dataclass

from bulkip.model import Counts, Status
from bulkip.reports.commands import command
from bulkip.stops import StopKind
from bulkip.store import Home, RemoteRun


@dataclass(frozen=True, slots=True)
class Left:
    """What a run left: its counts, what ended it early, and one address in doubt if there is any.

    `lifting` are the options without which a resume would meet the same limit.
    `unproved` writes were never looked at, though their job wants a proof. A
    `merged` run goes on in its shards alone.
    """

    counts: Counts
    stopped_by: StopKind | None = None
    lifting: tuple[str, ...] = ()
    refused: bool = False
    doubtful_ip: str | None = None
    unproved: int = 0
    merged: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """A command to paste, and what it is for."""

    command: str
    purpose: str


def next_steps(left: Left, home: Home) -> Iterator[Step]:
    """Yield what to do next, the most urgent first; nothing after a run that needs nothing."""
    counts = left.counts
    waiting, doubtful = counts.of(Status.NOT_RUN), counts.of(Status.UNKNOWN)
    if doubtful and left.doubtful_ip is not None:
        yield Step(command("explain", home, left.doubtful_ip), "what is known of a write in doubt")
    if (waiting or doubtful or left.unproved) and not left.merged:
        yield Step(command("resume", home, *left.lifting), _resuming(left, waiting, doubtful))
    elif counts.of(Status.UNVERIFIED) and not isinstance(home, RemoteRun):  # `verify` is for folders
        lacking = f"looks again for the proofs that {counts.of(Status.UNVERIFIED):,} lack"
        yield Step(command("verify", home), lacking)
    if counts.of(Status.FAILED) and not left.merged:
        yield Step(command("retry", home), f"tries the {counts.of(Status.FAILED):,} failed again")
    if counts.of(Status.MISMATCH):
        rows = command("report", home, "-f", "failed-csv=failed.csv")
        yield Step(rows, "your rows that do not match, as input of a job")


def _resuming(left: Left, waiting: int, doubtful: int) -> str:
    """Return what resume would do, and what must be done before it."""
    does = [f"reads {doubtful:,} back"] if doubtful else []
    does += [f"carries out the {waiting:,} that were not run"] if waiting else []
    does += [f"looks for the proofs of {left.unproved:,}"] if left.unproved else []
    first = left.refused or left.stopped_by is StopKind.ACCESS
    return f"{'when what is told above is settled: ' if first else ''}{', '.join(does)}"

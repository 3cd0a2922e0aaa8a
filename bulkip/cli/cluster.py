"""`bulkip cluster`: make a PostgreSQL ready for runs, look at it, and stop a run for everybody."""

import json
import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from bulkip.cli.options import Word, option
from bulkip.errors import UsageError
from bulkip.model import JsonValue
from bulkip.quantities import counted
from bulkip.reports.output import STDOUT, write_report
from bulkip.reports.rows import iso
from bulkip.reports.text import outcome
from bulkip.run.clusterextra import check_cluster, missing

if TYPE_CHECKING:
    from bulkip.run.clusterdesk import ClusterDesk, ClusterStanding, RunStanding

VARIABLE = "BULKIP_CLUSTER"
EPILOG = f"""\b
Examples:
  bulkip cluster init postgresql://bulkip@db.example.net/bulkip
  bulkip cluster status
  bulkip cluster cancel 20260901T0315
\b
URL may be left out where the variable {VARIABLE} holds it; a password in it is seen by nobody then.
"""
EXAMPLES = "\b\nExamples:\n  "


@click.group(epilog=EPILOG)
def cluster() -> None:
    """Prepare, show and stop what several machines share."""


@cluster.command(epilog=f"{EXAMPLES}bulkip cluster init postgresql://bulkip@db.example.net/bulkip")
@click.argument("url", envvar=VARIABLE, metavar="[URL]")
def init(url: str) -> int:
    """Make the tables of runs and of the queue, or bring them up to date; what is there stays.

    A run does this by itself in an empty database; here somebody with more rights can.
    """
    try:
        from bulkip.cluster.setup import initialise  # noqa: PLC0415 -- the packages may be missing
    except ImportError as error:
        raise missing("cluster init", error) from error
    for done in initialise(url, "cluster init") or ["everything is there"]:
        click.echo(done)
    return 0


@cluster.command(epilog=f"{EXAMPLES}bulkip cluster status\n  bulkip cluster status --format json")
@click.argument("url", envvar=VARIABLE, metavar="[URL]")
@option("--format", "form", type=Word(("text", "json")), default="text", show_default=True, twin=False,
        help="How to print it.")  # fmt: skip
def status(url: str, form: str) -> int:
    """Show the newest runs with their items by status, the workers, and what waits in the queues."""
    found = _desk(url, "cluster status").standing()
    if form == "json":
        write_report(STDOUT, [json.dumps(_fields(found), ensure_ascii=False, indent=2) + "\n"])
    else:
        write_report(STDOUT, (f"{line}\n" for line in _lines(found)))
    return 0


@cluster.command(epilog=f"{EXAMPLES}bulkip cluster cancel postgresql://bulkip@db/bulkip 20260901T0315")
@click.argument("words", nargs=-1, required=True, metavar="[URL] RUN")
def cancel(words: tuple[str, ...]) -> int:
    """Stop a run for all its workers; calls in flight may end, and what was not done can be resumed.

    RUN is an id, a unique prefix, `last` or `last~1`.
    """
    url, name = _url_and_run(words, "cluster cancel")
    run, workers = _desk(url, "cluster cancel").cancel(name)
    click.echo(f"{run} is cancelled; {counted(workers, 'worker')} at it will stop within seconds")
    return 0


@cluster.command(epilog=f"{EXAMPLES}bulkip cluster remove postgresql://bulkip@db/bulkip 20260901T0315")
@click.argument("words", nargs=-1, required=True, metavar="[URL] RUN")
def remove(words: tuple[str, ...]) -> int:
    """Remove a run from the cluster with its rows and calls; nothing brings it back.

    RUN is an id or a unique prefix.
    """
    url, name = _url_and_run(words, "cluster remove")
    if name.startswith("last"):
        raise UsageError("cluster remove: name the run by its id; `bulkip cluster status` lists them")
    click.echo(f"{_desk(url, 'cluster remove').remove(name)} is removed")
    return 0


def _url_and_run(words: tuple[str, ...], command: str) -> tuple[str, str]:
    """Return the URL of a cluster, of the variable when it is not named, and the run."""
    *before, name = words
    url = before[0] if before else os.environ.get(VARIABLE, "")
    if not url or len(before) > 1:
        raise UsageError(f"{command}: name the URL of the cluster, or set {VARIABLE}, and one run")
    return url, name


def _desk(url: str, command: str) -> "ClusterDesk":
    """Return who answers for a cluster that can be used."""
    check_cluster(url, command)
    from bulkip.run.clusterdesk import ClusterDesk  # noqa: PLC0415 -- the packages may be missing

    return ClusterDesk(url)


def _lines(found: "ClusterStanding") -> Iterator[str]:
    yield counted(found.workers, "worker")
    for name, (waiting, doing) in sorted(found.queues.items()):
        yield f"queue {name}: {waiting:,} waiting, {counted(doing, 'shard')} being done"
    if not found.runs:
        yield "no runs; `bulkip run JOB --cluster URL` makes one"
    for one in found.runs:
        at_it = f", {counted(len(one.holders), 'worker')} at it" if one.holders else ""
        state = "under way" if one.run.under_way else "at rest"
        yield f"{one.run.id}  {one.run.job}  {state}{at_it}: {outcome(_told(one))}"
    if found.kept > len(found.runs):
        yield f"and {counted(found.kept - len(found.runs), 'older run')}"


def _told(one: "RunStanding") -> dict[str, JsonValue]:
    counts: dict[str, JsonValue] = {
        status.value: count for status, count in one.counts.by_status.items() if count
    }
    return {"by_status": counts, "simulated": one.run.simulated, "total": one.run.items}


def _fields(found: "ClusterStanding") -> dict[str, JsonValue]:
    queues: list[JsonValue] = [
        {"queue": name, "waiting": waiting, "doing": doing} for name, (waiting, doing) in found.queues.items()
    ]
    return {"workers": found.workers, "queues": queues, "runs": [_run_fields(one) for one in found.runs]}


def _run_fields(one: "RunStanding") -> JsonValue:
    return {
        "run": one.run.id,
        "job": one.run.job,
        "planned_at": iso(one.run.created_at),
        "under_way": one.run.under_way,
        **_told(one),
        "workers": [*one.holders],
    }

"""`bulkip worker`: add a pair of hands to a cluster."""

from functools import partial

import click

from bulkip.cli.options import option
from bulkip.quantities import counted
from bulkip.run.clusterextra import check_cluster
from bulkip.run.options import HandsOptions

EPILOG = """\b
Examples:
  bulkip worker postgresql://bulkip@db.example.net/bulkip
  BULKIP_CLUSTER=postgresql://... bulkip worker --shards 4
  bulkip worker --queues ptr-migration --drain
\b
It takes shards of runs whose secret it has: the run names a variable or a file, each worker
looks there itself. SIGTERM gives back what is not done, and lets calls in flight end.
"""
"""A URL on the command line can be seen by everyone on the machine: hence the variable."""


@click.command(epilog=EPILOG)
@click.argument("url", envvar="BULKIP_CLUSTER", metavar="[URL]")
@option("--queues", metavar="NAME,...", help="Only these queues: names of jobs or of accounts.")
@option("--drain", is_flag=True, help="End when nothing waits that this worker could do.")
@option("--shards", type=click.IntRange(1, 64), default=2, show_default=True,
        help="How many shards to work on at a time.")  # fmt: skip
@option("-q", "--quiet", is_flag=True, help="Say nothing but what goes wrong.")
def worker(url: str, queues: str | None, *, drain: bool, shards: int, quiet: bool) -> int:
    """Work on the runs of a cluster, with the secrets of this machine.

    URL is the PostgreSQL of the cluster; the variable BULKIP_CLUSTER may hold it. A worker
    can come and go at any time: what it leaves goes to others.
    """
    check_cluster(url, "worker")
    from bulkip.run.workers import run_worker  # noqa: PLC0415 -- the packages may be missing

    names = tuple(name for name in (queues or "").split(",") if name)
    say = _silent if quiet else partial(click.echo, err=True)
    ended = run_worker(url, HandsOptions(names, shards, drain), say)
    say(f"worker ended after {counted(ended.shards, 'shard')}")
    return ended.exit_code


def _silent(_text: str) -> None:
    """Say nothing."""

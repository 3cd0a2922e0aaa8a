"""Is a new run one of a cluster? Only then is loaded what few installations have."""

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING

from bulkip.run.locking import Locks
from bulkip.run.options import RunOptions
from bulkip.settings import Job

if TYPE_CHECKING:
    from bulkip.run.clustered import Cluster, Say


def cluster_of(
    options: RunOptions, job: Job, locks: Locks, say: "Say"
) -> "AbstractContextManager[Cluster | None]":
    """Return the cluster that the caller named, for a new run; None without one."""
    if options.cluster is None:
        return nullcontext()
    from bulkip.run.clustered import new_in_cluster  # noqa: PLC0415 -- an extra that few installations have

    return new_in_cluster(options, job, locks, say)

"""Where the run is that a command names: in its folder, or in a cluster."""

from pathlib import Path

from bulkip.run.clusterextra import check_cluster
from bulkip.run.runs import find_run
from bulkip.store import Home


def home_of(run_dir: Path, run: str, cluster: str | None) -> Home:
    """Return where a run is, by id, unique prefix, `last` or `last~N`; raises UsageError."""
    if not cluster:
        return find_run(run_dir, run)
    check_cluster(cluster)
    from bulkip.cluster.runs import found_run  # noqa: PLC0415 -- what only a cluster needs

    return found_run(cluster, run)

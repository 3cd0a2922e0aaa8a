"""`bulkip resume`: finish a run."""

from typing import Any

import click

from bulkip.cli import suggestions
from bulkip.cli.options import EXISTING, option
from bulkip.cli.running import allow_unread_option, cluster_options, execution_options, run_options, told
from bulkip.errors import UsageError
from bulkip.run.again import case_of, find_resumable, has_work, job_file_of, rebase
from bulkip.run.again import resume as finish
from bulkip.run.alarms import Case
from bulkip.run.clusterextra import check_cluster
from bulkip.settings import load_job

EPILOG = """\b
Examples:
  bulkip resume
  bulkip resume last --rate 2/s
  bulkip resume 20260901T0315 --report csv=ptr.csv
"""


@click.command(epilog=EPILOG)
@click.argument("run", default="last", shell_complete=suggestions.runs)
@option("--rebase", is_flag=True, help="Finish with the changed job file; results are matched by key.")
@option("--faults", type=EXISTING, help="Faults for the simulator of a simulated run.")
@allow_unread_option
@execution_options
@cluster_options
def resume(run: str, **given: Any) -> int:
    """Finish a run: everything that is not terminal; RUN is an id, a prefix, or `last`, the newest resumable.

    Writes whose outcome is in doubt are read back first. What was recorded as
    done is not sent again. The job file is not needed; when it was changed since,
    the run is not resumed, except with --rebase.
    """
    if given["cluster"]:
        return _resume_in_cluster(run, given)
    folder = find_resumable(given["run_dir"], run)
    if given["rebase"]:
        job = load_job(job_file_of(folder))
        case = Case(job.job, case_of(folder).simulated)
        return told(given, case, lambda desk: rebase(folder, job, run_options(given), desk))
    return told(given, case_of(folder), lambda desk: finish(folder, run_options(given), desk))


def _resume_in_cluster(run: str, given: dict[str, Any]) -> int:
    """Finish a run that is kept in a cluster."""
    if given["rebase"]:
        raise UsageError(
            "--rebase is for runs in a folder; `bulkip run --cluster` plans the changed job anew"
        )
    check_cluster(given["cluster"])
    from bulkip.run.clustered import remote_resumable  # noqa: PLC0415 -- what only a cluster needs

    home = remote_resumable(given["cluster"], run, has_work)
    return told(given, case_of(home), lambda desk: finish(home, run_options(given), desk))

"""`bulkip resume`: finish a run."""

from typing import Any

import click

from bulkip.cli import suggestions
from bulkip.cli.options import EXISTING, option
from bulkip.cli.running import allow_unread_option, execution_options, run_options, told
from bulkip.run.again import case_of, find_resumable, job_file_of, rebase
from bulkip.run.again import resume as finish
from bulkip.run.alarms import Case
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
def resume(run: str, **given: Any) -> int:
    """Finish a run: everything that is not terminal; RUN is an id, a prefix, or `last`, the newest resumable.

    Writes whose outcome is in doubt are read back first. What was recorded as
    done is not sent again. The job file is not needed; when it was changed since,
    the run is not resumed, except with --rebase.
    """
    folder = find_resumable(given["run_dir"], run)
    if given["rebase"]:
        job = load_job(job_file_of(folder))
        case = Case(job.job, case_of(folder).simulated)
        return told(given, case, lambda desk: rebase(folder, job, run_options(given), desk))
    return told(given, case_of(folder), lambda desk: finish(folder, run_options(given), desk))

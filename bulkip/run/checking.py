"""Is everything as a job says? Its plan is frozen and compared with what is there; nothing is written."""

from dataclasses import dataclass, replace

from bulkip.errors import StoreError
from bulkip.policy import Check, VerifyMode
from bulkip.run.carry import Desk, Way, carry_out
from bulkip.run.ending import Conclusion, asserts_nothing
from bulkip.run.endpoints import reach_of
from bulkip.run.locking import Claim, Locks
from bulkip.run.options import RunOptions
from bulkip.run.planning import now_utc, prepare
from bulkip.run.reportplaces import check_reports, placed
from bulkip.run.signals import Signals
from bulkip.settings import Job, LoadedJob


@dataclass(frozen=True, slots=True)
class Asking:
    """How a job is checked: who is asked, and how long to wait until all is as expected.

    Without a `source` it is whoever the job's `verify.mode` names, else
    `otherwise`. None of `wait_s` waits as long as the job's `verify.timeout`.
    """

    source: VerifyMode | None = None
    wait_s: float | None = 0.0
    allow_empty: bool = False
    otherwise: VerifyMode = VerifyMode.API


def check(loaded: LoadedJob, options: RunOptions, desk: Desk, asking: Asking) -> Conclusion:
    """Assert every PTR record that a job would set, and write the reports of it.

    The check is a run of its own, and whoever resumes or retries it checks.
    Raises JobError with every problem of the job, UsageError, Locked.
    """
    if loaded.job is None:
        prepare(loaded, options, now_utc())  # raises with every problem of the job and its files
        raise AssertionError("a job without problems is a job")
    now = now_utc()
    job = as_check(loaded.job, asking)
    signals = Signals()
    signals.interrupt()
    reports = options.reports_of(job)
    check_reports(reports, job, options)
    reach = reach_of(job, options, desk.warn)
    with Locks(Claim("check", job.name, options, desk.say, desk.warn)) as locks:
        locks.take_accounts(reach.accounts)
        prepared = prepare(replace(loaded, job=job), options, now, reach.ask_free_ips)
        reports = placed(reports, prepared, job, options)
        locks.take_run(prepared.run_dir)
        way = Way(options, desk, reports, signals)
        conclusion = carry_out(replace(prepared, writes=0), reach.open, way)
    if _asserted_nothing(conclusion):
        desk.warn("nothing was checked: no item that is left sets a PTR record; --allow-empty accepts that")
    return conclusion


def _asserted_nothing(conclusion: Conclusion) -> bool:
    """Say whether a check had nothing to look at; one whose store failed told so already."""
    try:
        return asserts_nothing(conclusion.prepared.job.check, conclusion.counts, conclusion.prepared.run_dir)
    except StoreError:
        return False


def as_check(job: Job, asking: Asking) -> Job:
    """Return the job that asserts what a job would do.

    The job's own reports are those of its runs. However many addresses cannot
    be read, the others are looked at.
    """
    verify = job.verify
    default = asking.otherwise if verify.mode is VerifyMode.NONE else verify.mode
    wait_s = verify.timeout_s if asking.wait_s is None else asking.wait_s
    return replace(
        job,
        check=Check(asking.allow_empty),
        verify=replace(verify, mode=asking.source or default, timeout_s=wait_s, required=False),
        safety=replace(job.safety, max_failed=None),
        reports=(),
    )


def still_a_check(job: Job, earlier: Job) -> Job:
    """Return a changed job as the check that its run was, if it was one."""
    if earlier.check is None:
        return job
    return as_check(job, Asking(earlier.verify.mode, earlier.verify.timeout_s, earlier.check.allow_empty))

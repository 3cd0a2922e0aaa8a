"""A saved plan is applied: item by item, and only where the value is still the one that was planned from."""

from dataclasses import dataclass, replace
from pathlib import Path

from bulkip.errors import SafetyStop, StoreError, UsageError
from bulkip.model import JsonValue
from bulkip.planfile import PlanFile, PlanHead
from bulkip.policy import Forward
from bulkip.run.alarms import Case
from bulkip.run.carry import Desk, Way, carry_out
from bulkip.run.clusterdoor import cluster_of
from bulkip.run.drift import Trial, refuse_drift
from bulkip.run.ending import Conclusion
from bulkip.run.endpoints import reach_of
from bulkip.run.locking import Claim, Locks
from bulkip.run.options import RunOptions
from bulkip.run.planitems import planned_items
from bulkip.run.planning import now_utc, overridden, prepare_items
from bulkip.run.reportplaces import check_reports, placed
from bulkip.run.signals import Signals
from bulkip.settings import Job, thawed_job
from bulkip.settings.origins import parse_url

LARGEST = 1e12
"""No count, share or time of a job is larger."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the caller demands of a plan: its digest, and that nothing has moved since it was made."""

    digest: str | None = None
    strict: bool = False


def apply_plan(path: Path, options: RunOptions, desk: Desk, wishes: Wishes) -> Conclusion:
    """Apply a saved plan and write its reports.

    Raises UsageError when the file is no whole plan, SafetyStop when it is not
    the one that was expected or does not hold any more, Locked when another
    run works for the account.
    """
    with PlanFile(path) as plan:
        head = plan.head
        if wishes.digest not in {None, head.digest}:
            raise SafetyStop(f"--expect-plan {wishes.digest}: {path} is plan {head.digest}; look at it again")
        job = _job_of(path, head, options)
        options = replace(options, simulate=head.simulated or options.simulate)
        signals = Signals()
        signals.interrupt()
        reports = options.reports_of(job)
        check_reports(reports, replace(job, path=path), options)
        reach = reach_of(job, options, desk.warn)
        with (
            Locks(Claim("apply", job.name, options, desk.say, desk.warn)) as locks,
            cluster_of(options, job, locks, desk.say) as cluster,
        ):
            locks.take_accounts(reach.accounts)
            way = Way(options, desk, (), signals)
            if wishes.strict:
                refuse_drift(path, Trial(job, head.digest, locks, reach.open, replace(way, apply=False)))
                signals.interrupt()
            place = cluster.place if cluster else None
            prepared = prepare_items(job, options, planned_items(path, plan), now_utc(), place=place)
            way = replace(way, reports=placed(reports, prepared, replace(job, path=path), options))
            if cluster is not None:
                prepared, way = cluster.bring(prepared), replace(way, dispatch=cluster.dispatch)
            else:
                locks.take_run(prepared.run_dir)
            return carry_out(prepared, reach.open, way)


def case_of(path: Path, options: RunOptions) -> Case:
    """Return who is to hear of a plan's application; raises UsageError when the file is no whole plan."""
    with PlanFile(path) as plan:
        job = _job_of(path, plan.head, options)
        file = Path(str(plan.head.settings.get("job_file") or job.path))
        return Case(replace(job, path=file), plan.head.simulated or options.simulate)


def _job_of(path: Path, head: PlanHead, options: RunOptions) -> Job:
    """Return the job of a plan, as far as applying it needs it.

    Its values are always compared again. Where its names lead was told when it
    was made, and is looked at again only where that decides.
    """
    try:
        _check_numbers(dict(head.settings))
        job = thawed_job(head.job_name, head.job_path, head.job_digest, dict(head.settings))
        for one in job.each():
            parse_url(one.api.url)
            _check_pace(one)
    except (ValueError, StoreError) as error:
        raise UsageError(f"{path}: the settings of the plan are damaged; make it again") from error
    if job.url != head.url:
        raise UsageError(f"{path}: the plan names two URLs, {head.url} and {job.url}; make it again")
    forward = Forward.REQUIRE if job.safety.forward is Forward.REQUIRE else Forward.OFF
    safety = replace(job.safety, read_again_after_s=0, forward=forward)
    return overridden(replace(job, safety=safety), options.overrides)


def _check_numbers(value: JsonValue) -> None:
    """Raise ValueError when a setting is a number that no job can have."""
    match value:
        case dict():
            for one in value.values():
                _check_numbers(one)
        case list():
            for one in value:
                _check_numbers(one)
        case int() | float() if not 0 <= value <= LARGEST:
            raise ValueError(f"{value} is out of range")
        case _:
            pass


def _check_pace(job: Job) -> None:
    """Raise ValueError when a job could not make a single call."""
    limits, times = job.limits, job.timeouts
    least = [*(rate.calls for rate in limits.rate), limits.concurrency, job.retry.attempts, job.breaker.after]
    spans = [*(rate.period_s for rate in limits.rate), times.connect_s, times.attempt_s]
    if not limits.rate or min(least) < 1 or min(spans) <= 0 or limits.headroom >= 1:
        raise ValueError("nothing could be sent with these settings")

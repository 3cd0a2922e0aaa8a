"""Does what a run wrote still hold? Its addresses are looked at again; nothing is written to the API."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import anyio

from bulkip.errors import StoreError, UsageError
from bulkip.exitcode import ExitCode
from bulkip.model import Counts, ErrorClass
from bulkip.policy import VerifyMode
from bulkip.run.carry import Desk, Way
from bulkip.run.ending import Conclusion, code_of, count, write_reports
from bulkip.run.endpoints import Reach, asks_only_dns, reach_of, reach_without_calls
from bulkip.run.engine import allowance_of
from bulkip.run.halting import storage_stop
from bulkip.run.locking import Claim, Locks
from bulkip.run.options import RunOptions
from bulkip.run.planning import Prepared, overridden
from bulkip.run.reportplaces import check_reports, place_reports
from bulkip.run.rolling import Road
from bulkip.run.signals import Signals
from bulkip.run.stages import Stage, StageEnd, StageRules, log_out, with_accounts
from bulkip.settings import Job, thawed_job
from bulkip.stops import Stop, StopKind
from bulkip.store import RunHeader, WorkLeft


@dataclass(frozen=True, slots=True)
class Doubt:
    """Who is to be asked again, and for how long; None leaves it to the run."""

    mode: VerifyMode | None = None
    wait_s: float | None = None


def verify(folder: Path, options: RunOptions, desk: Desk, doubt: Doubt) -> Conclusion:
    """Prove again what a run set, or found as wanted; the proofs go into its store, in place of older ones.

    Counts and starts of the run stay as they are. The exit code is that of
    this look alone: 3 when some address is not proved. Raises UsageError when
    there is nothing to prove, Locked when somebody is at this run.
    """
    with WorkLeft(folder) as reader:
        header = reader.header()
    job = _job_of(header, options, doubt)
    _refuse_nothing_to_prove(folder, job, options, header)
    options = replace(options, simulate=header.simulated)
    signals = Signals()
    signals.interrupt()
    reports = options.reports_of(job)
    check_reports(reports, job, options, folder)
    reach = _reach_of(job, options, desk.warn)
    with Locks(Claim("verify", job.name, options, desk.say, desk.warn)) as locks:
        locks.take_accounts(reach.accounts)
        locks.take_run(folder)
        way = Way(options, desk, place_reports(reports, folder), signals)
        with WorkLeft(folder) as reader:
            prepared = Prepared(folder, reader.header(), job, reader.items(), writes=0, repeated=0)
        return _concluded(prepared, *_proved_again(prepared, reach, way), way)


def _job_of(header: RunHeader, options: RunOptions, doubt: Doubt) -> Job:
    """Return the job of a run with what is asked now; a missing proof is no reason to stop half-way."""
    job = thawed_job(header.job_name, header.job_path, header.job_digest, header.settings)
    own = VerifyMode.DNS if job.verify.mode is VerifyMode.NONE else job.verify.mode
    wait_s = job.verify.timeout_s if doubt.wait_s is None else doubt.wait_s
    rules = replace(job.verify, mode=doubt.mode or own, timeout_s=wait_s, required=False)
    safety = replace(job.safety, max_failed=None)
    return overridden(replace(job, verify=rules, safety=safety, reports=()), options.overrides)


def _refuse_nothing_to_prove(folder: Path, job: Job, options: RunOptions, header: RunHeader) -> None:
    """Raise UsageError for a run of which a look could say nothing."""
    if job.check is not None:
        raise UsageError(f"{folder.name}: this run is a check and wrote nothing; check its job again instead")
    if options.simulate and not header.simulated:
        raise UsageError(f"{folder.name}: this run was real; a simulator does not know what it wrote")
    with WorkLeft(folder) as reader:
        if not reader.proofs_left(time.time()):
            raise UsageError(
                f"{folder.name}: this run has no PTR record as wanted; nothing is to be verified"
            )


def _reach_of(job: Job, options: RunOptions, warn: Callable[[str], None]) -> Reach:
    if asks_only_dns(job) and not options.simulate:
        return reach_without_calls(job)
    return reach_of(job, options, warn)


def _proved_again(prepared: Prepared, reach: Reach, way: Way) -> tuple[Stop | None, float]:
    """Look at every address; return what stopped that, and when it began, in Unix seconds.

    The calls belong to the newest start of the run, whose end stays as it was told.
    """
    began = time.time()
    way.signals.hold()
    try:
        with WorkLeft(prepared.home) as reader:
            number = reader.last_start().get("number")
        start = number if isinstance(number, int) else None
        allowance = allowance_of(prepared)
        rules = StageRules(way.options.grace_s, way.tell, allowance, way.signals, proved_since=began)
        with reach.open(prepared) as endpoint:
            road = Road(prepared, endpoint, rules, way.signals, way.desk)
            end = with_accounts(road.run(Stage.VERIFYING, StageEnd(start, None)), allowance)
            if endpoint.has_logged_in:
                anyio.run(log_out, prepared, endpoint, end.start, way.tell)
    except StoreError as error:
        return storage_stop(error), began
    return end.stop, began


def _concluded(prepared: Prepared, stop: Stop | None, began: float, way: Way) -> Conclusion:
    """Write the reports, and say whether all is proved."""
    counts, left, problems = Counts(), 0, dict[str, str]()
    try:
        counts = count(prepared.home)
        with WorkLeft(prepared.home) as reader:
            left = reader.proofs_left(began)
    except StoreError as error:
        problems[str(prepared.run_dir)] = str(error)
    problems |= write_reports(prepared, way.reports)
    if problems and stop is None:
        stop = Stop(StopKind.HALT, next(iter(problems.values())), ErrorClass.INTERNAL)
    code = code_of(Counts(), stop) or (ExitCode.ITEMS_FAILED if left else ExitCode.OK)
    return Conclusion(prepared, counts, int(code), stop, None, way.reports, problems)

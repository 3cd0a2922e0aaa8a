"""A run from the job file on: check everything, freeze the plan, carry it out."""

from dataclasses import replace

from bulkip.run.again import AnotherStart, go_on, is_unfinished
from bulkip.run.carry import Desk, Guard, Way, carry_out
from bulkip.run.clusterdoor import cluster_of
from bulkip.run.collecting import recall, sparing
from bulkip.run.ending import Conclusion
from bulkip.run.endpoints import reach_of
from bulkip.run.locking import Claim, Locks
from bulkip.run.options import RunOptions
from bulkip.run.planning import now_utc, prepare
from bulkip.run.reportplaces import check_reports, placed
from bulkip.run.signals import Signals
from bulkip.settings import LoadedJob


def execute(
    loaded: LoadedJob,
    options: RunOptions,
    desk: Desk,
    guard: Guard = lambda _reader: None,
    signals: Signals | None = None,
) -> Conclusion:
    """Run a job to its end and write its reports; a `guard` looks at the plan before the question.

    Raises UsageError, before anything is sent, when an input is wrong, and
    Locked when another run works for the account; a bug is raised after the
    books are closed and the reports written.
    """
    if loaded.job is None:
        prepare(loaded, options, now_utc())  # raises with every problem of the job and its files
        raise AssertionError("a job without problems is a job")
    now = now_utc()  # once: a wait for the lock must not change what `yesterday` means
    signals = signals or Signals()
    signals.interrupt()
    reports = options.reports_of(loaded.job)
    check_reports(reports, loaded.job, options)
    reach = reach_of(loaded.job, options, desk.warn)
    with (
        Locks(Claim("run", loaded.job.name, options, desk.say, desk.warn)) as locks,
        cluster_of(options, loaded.job, locks, desk.say) as cluster,
    ):
        locks.take_accounts(reach.accounts)
        place = cluster.place if cluster else None
        prepared = prepare(loaded, options, now, reach.ask_free_ips, place=place)
        reports = placed(reports, prepared, loaded.job, options)
        prepared = recall(prepared, refresh=options.reckoning.refresh)
        way = Way(options, desk, sparing(prepared, reports), signals, guard=guard)
        if cluster is None:
            locks.take_run(prepared.run_dir)
            return carry_out(prepared, reach.open, way)
        way = replace(way, dispatch=cluster.dispatch)
        if (left := cluster.unfinished(prepared, is_unfinished)) is not None:
            desk.say(f"run {left.name} of this job has not come to its end; going on with it")
            cluster.take_up(left)
            return go_on(AnotherStart(left, reach, way), prepared.job)
        prepared = cluster.bring(prepared)
        return carry_out(prepared, reach.open, way)

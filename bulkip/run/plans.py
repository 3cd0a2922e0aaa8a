"""A plan by itself: what is there now, what a job would change, and the file that applies it later."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace

from bulkip.errors import SafetyStop
from bulkip.model import JsonValue
from bulkip.planfile import PlanHead, plan_lines
from bulkip.policy import Limits, ReportSpec
from bulkip.reports.changes import WRITTEN, Change, change_counts, change_rows, plan_digest
from bulkip.reports.output import write_report
from bulkip.run.carry import Desk, Way, carry_out
from bulkip.run.clusterdoor import cluster_of
from bulkip.run.ending import Conclusion
from bulkip.run.endpoints import reach_of
from bulkip.run.locking import Claim, Locks
from bulkip.run.options import RunOptions
from bulkip.run.planning import now_utc, prepare
from bulkip.run.reportplaces import check_reports
from bulkip.run.shortlived import short_lived
from bulkip.run.signals import Signals
from bulkip.safety import forward_lines, objections
from bulkip.settings import Job, LoadedJob, frozen_settings
from bulkip.store import RunReader

CALLS_PER_WRITE = 2  # the value is read again just before it is written


@dataclass(frozen=True, slots=True)
class MadePlan:
    """A plan that was made: how the reading ended, what it comes to, and its store while the block lasts."""

    conclusion: Conclusion
    head: PlanHead
    against: tuple[str, ...]
    doubts: tuple[str, ...] = ()

    @property
    def changes(self) -> int:
        """How many items would be written."""
        count = self.head.facts["writes"]
        return count if isinstance(count, int) else 0

    @property
    def is_whole(self) -> bool:
        """Whether every value was looked at, so that the plan can be shown and kept."""
        return self.conclusion.stop is None and not self.conclusion.unwritten


@contextmanager
def made_plan(loaded: LoadedJob, options: RunOptions, desk: Desk, out: str | None) -> Iterator[MadePlan]:
    """Make a plan: freeze the items, read every present value, write nothing to the API.

    The plan lasts as long as the block, except for the file `out`. Raises
    JobError with every problem of the job, UsageError, Locked.
    """
    if loaded.job is None:
        prepare(loaded, options, now_utc())  # raises with every problem of the job and its files
        raise AssertionError("a job without problems is a job")
    now = now_utc()
    signals = Signals()
    signals.interrupt()
    check_reports([ReportSpec("plan", out)] if out else [], loaded.job, options)
    reach = reach_of(loaded.job, options, desk.warn)
    with ExitStack() as open_:
        locks = open_.enter_context(Locks(Claim("plan", loaded.job.name, options, desk.say, desk.warn)))
        locks.take_accounts(reach.accounts)
        cluster = open_.enter_context(cluster_of(options, loaded.job, locks, desk.say))
        way = Way(options, desk, (), signals, apply=False)
        if cluster is None:
            place = open_.enter_context(short_lived(options.run_dir, locks))
            prepared = prepare(loaded, options, now, reach.ask_free_ips, place=place)
        else:
            prepared = cluster.bring(prepare(loaded, options, now, reach.ask_free_ips, place=cluster.place))
            open_.callback(cluster.drop, prepared)
            way = replace(way, dispatch=cluster.dispatch)
        conclusion = carry_out(prepared, reach.open, way)
        with RunReader(prepared.home) as reader:
            changes = reader.planned_changes()
            plan = MadePlan(
                conclusion,
                head_of(reader, conclusion),
                tuple(objections(changes, prepared.job.safety)),
                tuple(forward_lines(changes)),
            )
            if out and plan.is_whole:
                write_report(out, plan_lines(plan.head, plan_items(reader)))
        yield plan


def head_of(reader: RunReader, conclusion: Conclusion) -> PlanHead:
    """Return what stands above the items of a plan."""
    header, job = reader.header(), conclusion.prepared.job
    return PlanHead(
        job_name=header.job_name,
        job_path=header.job_path,
        job_digest=header.job_digest,
        url=header.url,
        simulated=header.simulated,
        created_at=header.created_at,
        version=header.version,
        digest=plan_digest(reader),
        facts=_facts(reader, conclusion),
        settings={**frozen_settings(job), "job_file": str(job.path.absolute())},
    )


def _facts(reader: RunReader, conclusion: Conclusion) -> dict[str, JsonValue]:
    """Return what a plan comes to: counts, calls and time, at the rate that the job allows."""
    counts, job = change_counts(reader), conclusion.prepared.job
    changes = reader.planned_changes()
    writes = sum(count for change, count in counts.items() if change in WRITTEN)
    calls = writes * CALLS_PER_WRITE + counts.get(Change.READ, 0)
    calls += counts.get(Change.CLEAR, 0)  # what was cleared is read back
    per_s = sum(min(rate.per_s for rate in one.rate) * (1 - one.headroom) for one in _limits(job))
    return {
        "items": sum(counts.values()),
        "by_change": {change.value: count for change, count in counts.items()},
        "writes": writes,
        "calls": calls,
        "calls_per_write": CALLS_PER_WRITE,
        "estimated_s": round(calls / per_s, 1),
        "astray": changes.astray,
        "untraced": changes.untraced,
    }


def _limits(job: Job) -> tuple[Limits, ...]:
    """Return the limits that hold side by side: those of each account."""
    return tuple(one.limits for one in job.each())


def plan_items(reader: RunReader) -> Iterator[dict[str, JsonValue]]:
    """Yield the items of a plan as its file holds them: what was planned, and what was seen."""
    seen = reader.items_planned()
    for planned, row in zip(seen, change_rows(reader), strict=True):
        item, before = planned.item, planned.before
        yield {
            "number": item.number,
            "chain": item.chain,
            "key": item.key,
            "step": item.step,
            "action": item.action,
            "ip": item.ip,
            "params": dict(item.form),
            "source": item.source,
            **({"account": item.account} if item.account else {}),
            "skip": item.skip,
            "change": row["change"],
            "before": None if before is None else [*before.names],
            "read_at": None if before is None else before.read_at,
            "message": row["message"],
            "unread": planned.unread,
            "server_found": planned.server_found,
        }


def expecting(digest: str | None) -> Callable[[RunReader], None]:
    """Return the guard of `--expect-plan`: it stops a run whose plan is not the one that was reviewed."""

    def guard(reader: RunReader) -> None:
        found = plan_digest(reader) if digest is not None else None
        if found != digest:
            raise SafetyStop(
                f"--expect-plan {digest}: the plan is {found} now; look at it again with `bulkip plan`"
            )

    return guard

"""A saved plan is applied: item by item, and only where the value is still the one that was planned from."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from bulkip.actions import ACTIONS
from bulkip.actions.action import Allow, ParameterError
from bulkip.addresses import canonical_ip
from bulkip.errors import SafetyStop, UsageError
from bulkip.hostnames import same_names
from bulkip.model import Before, ErrorClass, Item, Known, Result, Status
from bulkip.planfile import PlanFile, PlanHead
from bulkip.reports.changes import Change
from bulkip.retry import text_of
from bulkip.run.carry import Desk, Guard, Way, carry_out
from bulkip.run.ending import Conclusion
from bulkip.run.endpoints import reach_of
from bulkip.run.execute import check_reports
from bulkip.run.locking import Claim, Locks
from bulkip.run.options import RunOptions
from bulkip.run.planning import now_utc, overridden, prepare_items
from bulkip.run.signals import Signals
from bulkip.settings import Job, thawed_job
from bulkip.store import RunReader

SHOWN = 5
ALLOWED = Allow(empty=True, ipmi=True, ipv6=True)
"""What a job has to allow was allowed when the plan was made."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the caller demands of a plan: its digest, and that nothing has moved since it was made."""

    digest: str | None = None
    strict: bool = False


def apply_plan(path: Path, options: RunOptions, desk: Desk, wishes: Wishes) -> Conclusion:
    """Apply a saved plan and write its reports.

    Raises UsageError when the file is no whole plan, SafetyStop when it is not
    the one that was expected, Locked when another run works for the account.
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
        check_reports(reports, job, options)
        reach = reach_of(job, options, desk.warn)
        with Locks(Claim("apply", job.name, options, desk.say, desk.warn)) as locks:
            locks.take_account(reach.account)
            items = planned_items(path, plan, anew=wishes.strict)
            prepared = prepare_items(job, options, items, now_utc())
            locks.take_run(prepared.run_dir)
            way = Way(options, desk, reports, signals)
            guarded = replace(way, guard=still_as_planned(path)) if wishes.strict else way
            return carry_out(prepared, reach.open, guarded)


def _job_of(path: Path, head: PlanHead, options: RunOptions) -> Job:
    """Return the job of a plan, as far as applying it needs it; a saved plan is always compared again."""
    try:
        job = thawed_job(head.job_name, head.job_path, head.job_digest, dict(head.settings))
    except (KeyError, ValueError) as error:
        raise UsageError(f"{path}: the settings of the plan are damaged; make it again") from error
    return overridden(replace(job, safety=replace(job.safety, read_again_after_s=0)), options.overrides)


def planned_items(path: Path, plan: PlanFile, *, anew: bool) -> Iterator[Item]:
    """Yield the items of a plan with what was seen; `anew` leaves the values out, so that all are read again.

    Raises UsageError when an item is none that a plan could have made.
    """
    for found in plan.items():
        try:
            yield _item(found, anew=anew)
        except (KeyError, TypeError, ValueError, ParameterError) as error:
            raise UsageError(f"{path}: item {found.get('number')!r} is damaged ({error}); make the plan again"
                             ) from error  # fmt: skip


def _item(found: Mapping[str, Any], *, anew: bool) -> Item:
    form = {str(name): str(value) for name, value in found["params"].items()}
    item = Item(
        number=int(found["number"]),
        chain=int(found["chain"]),
        key=str(found["key"]),
        step=str(found["step"]),
        action=str(found["action"]),
        ip=None if found["ip"] is None else canonical_ip(found["ip"], allow_ipv6=True),
        form=form,
        source=str(found["source"]),
        skip=None if found["skip"] is None else str(found["skip"]),
    )
    action = ACTIONS[item.action]
    if item.skip is None and (action.build(form, ALLOWED) != form or form.get("ip") != item.ip):
        raise ValueError("its parameters are not those of its action")
    return replace(item, known=_known(found, anew=anew))


def _known(found: Mapping[str, Any], *, anew: bool) -> Known | None:
    """Return what a plan knows of an item: the value before, or that nothing is to be done."""
    names = found["before"]
    before = None if names is None else Before(tuple(map(str, names)), float(found["read_at"]))
    match Change(found["change"]):
        case Change.LEFT_OUT if found["skip"] is None:
            text = f"left out of the plan: {found['message']}"
            return Known(before, Result(Status.FAILED, ErrorClass.INVALID, message=text))
        case Change.NONE:
            return Known(before, Result(Status.UNCHANGED, names=before.names if before else None))
        case _:
            return None if anew or before is None else Known(before)


def still_as_planned(path: Path) -> Guard:
    """Return the guard of `--strict`: a value that moved since the plan stops all before the first write."""

    def guard(reader: RunReader) -> None:
        with PlanFile(path) as plan:
            moved = _moved(plan, reader)
            shown = list(islice(moved, SHOWN))
            more = sum(1 for _ in moved)
        if shown:
            lines = ["--strict: values moved since the plan was made; plan again", *shown]
            raise SafetyStop("\n  ".join([*lines, *([f"... and {more:,} more"] if more else [])]))

    return guard


def _moved(plan: PlanFile, reader: RunReader) -> Iterator[str]:
    for found, planned in zip(plan.items(), reader.items_planned(), strict=True):
        names, now = found["before"], planned.before
        if names is None or found["change"] == Change.NONE or now is None:
            continue
        if not same_names(names, now.names):
            yield f"{found['ip']}: planned from {text_of(tuple(names))}, now {text_of(now.names)}"

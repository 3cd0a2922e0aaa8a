"""The way back: what a run changed is set to what was there before, where it is still ours."""

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path

from bulkip.alerts import Hooks
from bulkip.errors import UsageError
from bulkip.hostnames import ptr_names, same_names
from bulkip.keys import key_of
from bulkip.model import Before, Item, Known, Status
from bulkip.policy import Forward, Percent
from bulkip.quantities import counted
from bulkip.reports.changes import Change, change_rows
from bulkip.run.carry import Desk, Way, carry_out
from bulkip.run.ending import Conclusion
from bulkip.run.endpoints import reach_of
from bulkip.run.locking import Claim, Locks
from bulkip.run.options import RunOptions
from bulkip.run.planning import now_utc, overridden, prepare_items
from bulkip.run.reportplaces import check_reports, placed
from bulkip.run.signals import Signals
from bulkip.settings import Job, thawed_job
from bulkip.store import PlannedItem, RunReader

STEP = "undo"
SHOWN = 20
"""So many of the records that would be cleared are shown by name."""
UNDONE = frozenset({Status.CHANGED, Status.UNVERIFIED, Status.UNKNOWN})
"""What these did, or may have done, is taken back."""


def undo(folder: Path, options: RunOptions, desk: Desk) -> Conclusion:
    """Set back what a run changed, and write the reports of doing so.

    The run that is undone is left as it is. Each value is read just before it
    is set back: one that is not ours any more is a conflict, one that is as
    before already is unchanged. Raises UsageError when the run changed nothing,
    Locked when another run works for the account.
    """
    with RunReader(folder) as reader:
        header = reader.header()
        job = _job_of(
            thawed_job(header.job_name, header.job_path, header.job_digest, header.settings), options
        )
        blind = sum(1 for planned in reader.items_planned() if _is_done(planned) and planned.before is None)
        if not any(_inverses(reader)):
            lost = f" that could be taken back; {_lost(blind)}" if blind else ""
            raise UsageError(f"{folder.name}: this run changed no PTR record{lost}; nothing is to be undone")
    if blind:
        desk.warn(_lost(blind))
    options = replace(options, simulate=header.simulated)
    signals = Signals()
    signals.interrupt()
    reports = options.reports_of(job)
    check_reports(reports, job, options)
    reach = reach_of(job, options, desk.warn)
    with Locks(Claim("undo", job.name, options, desk.say, desk.warn)) as locks, RunReader(folder) as reader:
        locks.take_accounts(reach.accounts)
        prepared = prepare_items(job, options, _inverses(reader), now_utc())
        reports = placed(reports, prepared, job, options)
        locks.take_run(prepared.run_dir)
        way = Way(options, desk, reports, signals, guard=partial(_show_clears, desk))
        return carry_out(prepared, reach.open, way)


def _job_of(job: Job, options: RunOptions) -> Job:
    """Return the job of an undo: the settings of its run, but a share of the addresses is no limit for it."""
    most = None if isinstance(job.safety.max_changes, Percent) else job.safety.max_changes
    safety = replace(
        job.safety, max_changes=most, max_clears=0, read_again_after_s=0, forward=Forward.OFF
    )  # where a name leads that was there before is no reason to keep another one
    return overridden(
        replace(job, name=f"undo of {job.name}", safety=safety, reports=(), hooks=Hooks(), notify=()),
        options.overrides,
    )


def _show_clears(desk: Desk, reader: RunReader) -> None:
    """Show which addresses lose the PTR record that they did not have before, the first of them."""
    clears = (row for row in change_rows(reader) if row["change"] == Change.CLEAR)
    for row in islice(clears, SHOWN):
        names = row["before"] if isinstance(row["before"], list) else [row["before"]]
        desk.say(f"  - {row['ip']:<15} {', '.join(map(str, names))}")
    if more := sum(1 for _ in clears):
        desk.say(f"  - ... and {more:,} more to clear")


def _inverses(reader: RunReader) -> Iterator[Item]:
    """Yield the inverse of each write that a run made or may have made, in plan order."""
    number = 0
    for planned in reader.items_planned():
        if _is_undone(planned):
            number += 1
            yield _inverse(planned, number)


def _is_undone(planned: PlannedItem) -> bool:
    before, form = planned.before, planned.item.form
    if before is None or not _is_done(planned):
        return False
    return not same_names(before.names, ptr_names(form["ptr"]))


def _is_done(planned: PlannedItem) -> bool:
    done = planned.status in UNDONE or (planned.status is None and planned.in_doubt)
    return done and planned.item.action == "update_ptr"


def _lost(blind: int) -> str:
    were = "was" if blind == 1 else "were"
    return f"{counted(blind, 'write')} {were} made without a look before, and cannot be taken back"


def _inverse(planned: PlannedItem, number: int) -> Item:
    item, before = planned.item, planned.before
    names = before.names if before else ()
    form = {**item.form, "ptr": "\n".join(names)}
    ours = Before(ptr_names(item.form["ptr"]), 0.0)  # as old as can be: it is read again before the write
    return Item(
        number=number,
        chain=number,
        key=key_of(STEP, item.action, item.ip, form, item.account),
        step=STEP,
        action=item.action,
        ip=item.ip,
        form=form,
        source=item.source,
        known=Known(ours),
        account=item.account,
    )

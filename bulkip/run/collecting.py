"""Nights are not pulled twice: what earlier runs collected stands in a plan before anything is sent."""

import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path
from zoneinfo import ZoneInfo

from bulkip.errors import StoreError
from bulkip.periods import told
from bulkip.policy import OnExists, ReportSpec
from bulkip.quantities import counted
from bulkip.reports.output import STDOUT
from bulkip.run.planning import Prepared
from bulkip.run.runs import run_folders
from bulkip.store import Home, RunHeader
from bulkip.store.collected import Ledger
from bulkip.store.harvest import Harvest, Reading, state_of, store_state

PAGE = 2_000
SHOWN_PERIODS = 3


def opening_lines(prepared: Prepared) -> Iterator[str]:
    """Yield which periods a plan asks for, and what of it was collected before."""
    zone, periods, before = ZoneInfo(prepared.job.timezone), prepared.periods, prepared.collected
    for period in periods[:SHOWN_PERIODS]:
        yield f"period{f' {period.label}' if period.label else ''}: {told(period, zone)}"
    if len(periods) > SHOWN_PERIODS:
        yield f"... and {len(periods) - SHOWN_PERIODS:,} more periods"
    if before.everything:
        yield f"nothing to do: {counted(before.items, 'item')} {before}; --refresh asks again"
    elif before.items:
        yield f"{counted(before.items, 'item')} {before}, not asked again; {before.left:,} to ask"


def recall(prepared: Prepared, *, refresh: bool = False) -> Prepared:
    """Settle the items of a fresh plan that were collected before, unless all are to be asked anew.

    Nothing of the plan is left when it raises StoreError, because what was
    collected cannot be read. A rehearsal and a check recall nothing.
    """
    job, run_dir = prepared.job, prepared.run_dir.parent.parent
    if refresh or prepared.header.simulated or job.check is not None or not prepared.periods:
        return prepared
    try:
        with Ledger(run_dir) as ledger:
            for folder in run_folders(run_dir):
                if folder != prepared.run_dir:
                    _take_over(ledger, folder)
            return replace(prepared, collected=ledger.settle(prepared.run_dir, prepared.header))
    except BaseException:
        shutil.rmtree(prepared.run_dir, ignore_errors=True)
        raise


def remember(prepared: Prepared) -> None:
    """Keep what a run collected beyond the life of its store; raises StoreError when that fails."""
    if prepared.header.simulated:
        return
    with Harvest(prepared.home) as harvest:
        if not harvest.asks_traffic():
            return
    with Ledger(prepared.run_dir.parent.parent) as ledger:
        if prepared.remote is None:
            _take_over(ledger, prepared.run_dir)
        else:
            _keep_harvest(ledger, prepared.remote)


def _take_over(ledger: Ledger, folder: Path) -> None:
    """Remember what a run has that is not remembered yet, however it ended; a damaged one has nothing."""
    state = store_state(folder)
    if ledger.has_taken(folder.name, state):
        return
    _keep_harvest(ledger, folder)
    ledger.note_taken(folder.name, state)


def _keep_harvest(ledger: Ledger, home: Home) -> None:
    for header, readings in _harvested(home):
        ledger.keep(header, readings)


def _harvested(home: Home) -> Iterator[tuple[RunHeader, list[Reading]]]:
    """Yield what a run collected, a page at a time, as far as its store can be read."""
    with suppress(StoreError), Harvest(home) as harvest:
        header = harvest.header()
        readings = harvest.readings(header)
        while page := list(islice(readings, PAGE)):
            yield header, page


def sparing(prepared: Prepared, reports: tuple[ReportSpec, ...]) -> tuple[ReportSpec, ...]:
    """Return the reports of a plan; those that hold all of it already are to be left as they are."""
    if not prepared.collected.everything:
        return reports
    with Ledger(prepared.run_dir.parent.parent) as ledger, Harvest(prepared.home) as harvest:
        plan = harvest.plan_digest()
        return tuple(
            replace(one, on_exists=OnExists.SKIP) if one.path != STDOUT and _holds(ledger, one, plan) else one
            for one in reports
        )


def note_reports(prepared: Prepared, reports: Iterable[ReportSpec]) -> None:
    """Note which files hold all of a plan that was collected; raises StoreError when that fails."""
    files = [one for one in reports if one.path != STDOUT and one.on_exists is not OnExists.SKIP]
    if prepared.header.simulated or not files:
        return
    with Harvest(prepared.home) as harvest:
        if not harvest.asks_traffic():
            return
        plan = harvest.plan_digest()
    with Ledger(prepared.run_dir.parent.parent) as ledger:
        for one in files:
            if state := state_of(Path(one.path)):
                ledger.note_written(*_known_as(one, plan), state)


def _holds(ledger: Ledger, report: ReportSpec, plan: str) -> bool:
    state = state_of(Path(report.path))
    return state is not None and ledger.has_written(*_known_as(report, plan), state)


def _known_as(report: ReportSpec, plan: str) -> tuple[str, str]:
    return str(Path(report.path).absolute()), f"{report.format} {plan}"

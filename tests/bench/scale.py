"""Whether a job of a million items costs as much for each of them as a small one, and no more memory."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from tests.bench.machine import pins
from tests.bench.processes import Spent
from tests.bench.scaling import FORMATS, LEFT, Leg, Size, measure
from tests.bench.section import Section
from tests.bench.tables import number, table

SIZES = (1_000, 10_000, 100_000, 1_000_000)
QUICKLY = 10
MICRO, MEBI = 1e6, 2**20


def scale(folder: Path, *, quick: bool) -> Section:
    """Measure every size, the smallest first, each in a folder of its own."""
    found: list[Size] = []
    for size in SIZES:
        items = size // QUICKLY if quick else size
        place = folder / str(items)
        place.mkdir()
        found.append(measure(place, items))
        shutil.rmtree(place)
    tables = (planning_table(found), run_table(found), resume_table(found), *report_tables(found))
    return Section("scale", tables, {str(one.items): _figures(one) for one in found}, budget_figures(found))


def planning_table(found: Sequence[Size]) -> str:
    """Return how fast CSV rows become a plan."""
    head = ("items", "rows/s", "s", "us/item", "peak MiB", "csv + ipaddress alone: rows/s")
    rows = [
        (
            f"{one.items:,}",
            number(one.items / one.planning.first_s),
            number(one.planning.first_s),
            _each(one.planning.first_s, one),
            number(one.planning.spent.peak_mib),
            number(one.items / one.reading.wall_s),
        )
        for one in found
    ]
    title = (
        "Planning: CSV rows with a template into the run store, from the process's start to its first call"
    )
    return table(title, head, rows)


def run_table(found: Sequence[Size]) -> str:
    """Return what a run costs by its size."""
    head = (
        "items",
        "us/item",
        "to 1st call s",
        "calling s",
        "calls/s",
        "closing s",
        "CPU us/item",
        "peak MiB",
    )
    rows = [
        (
            f"{one.items:,}",
            _each(one.run.spent.wall_s, one),
            number(one.run.first_s),
            number(one.run.calling_s),
            number(one.items / one.run.calling_s),
            number(one.run.closing_s),
            _each(one.run.spent.cpu_s, one),
            number(one.run.spent.peak_mib),
            number(one.store_bytes / MEBI),
            number(one.store_bytes / one.items),
        )
        for one in found
    ]
    return table("Run: get_ptr, no limit, report as JSONL", (*head, "store MiB", "store B/item"), rows)


def resume_table(found: Sequence[Size]) -> str:
    """Return how long a run that is nearly done takes to go on."""
    head = ("items", "left", "1st call after s", "whole s", "us/item", "peak MiB")
    rows = [
        (
            f"{one.items:,}",
            f"{min(LEFT, one.items // 2):,}",
            number(one.resume.first_s),
            number(one.resume.spent.wall_s),
            _each(one.resume.spent.wall_s, one),
            number(one.resume.spent.peak_mib),
        )
        for one in found
    ]
    return table("Resume, with the report of all items as JSONL", head, rows)


def report_tables(found: Sequence[Size]) -> tuple[str, str]:
    """Return how long each report takes to render, and what memory."""
    head = ("format", *(f"{one.items:,}" for one in found))
    times = [(name, *(_rendering(one.reports[name], one) for one in found)) for name in FORMATS]
    peaks = [(name, *(number(one.reports[name].peak_mib) for one in found)) for name in FORMATS]
    return (
        table(f"Reports by number of items: seconds (us/item), whole process{_lanes()}", head, times),
        table("Reports by number of items: peak MiB", head, peaks),
    )


def _lanes() -> str:
    return "; two at a time, each on a core" if pins() else ""


def _rendering(spent: Spent, one: Size) -> str:
    return f"{number(spent.wall_s)} ({_each(spent.wall_s, one)})"


def _each(seconds: float, one: Size) -> str:
    return number(seconds / one.items * MICRO)


def budget_figures(found: Sequence[Size]) -> dict[str, float]:
    """Return the figures that budgets are judged by: the largest job, and one of a hundredth of it."""
    small, large = found[1], found[-1]
    return {
        "memory_ratio": _peak(large) / _peak(small),
        "memory": _peak(large),
        "planning": large.items / large.planning.first_s,
        "resume": large.resume.first_s,
    }


def _peak(one: Size) -> float:
    """Return the peak memory of planning and run; reports that are rendered apart are shown apart."""
    return max(one.planning.spent.peak_mib, one.run.spent.peak_mib)


def _figures(one: Size) -> dict[str, object]:
    return {
        "reading_s": one.reading.wall_s,
        "planning": _leg(one.planning),
        "run": _leg(one.run),
        "resume": _leg(one.resume),
        "reports": {name: _spent(spent) for name, spent in one.reports.items()},
        "store_bytes": one.store_bytes,
    }


def _leg(leg: Leg) -> dict[str, float]:
    return _spent(leg.spent) | {
        "first_s": leg.first_s,
        "calling_s": leg.calling_s,
        "closing_s": leg.closing_s,
    }


def _spent(spent: Spent) -> dict[str, float]:
    return {"wall_s": spent.wall_s, "cpu_s": spent.cpu_s, "peak_mib": spent.peak_mib}

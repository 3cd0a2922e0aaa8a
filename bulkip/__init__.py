"""Bulk operations on a hosting provider's IP API, from a job file to one report row per item.

from bulkip import load_job, plan_job, run_job

async with plan_job(load_job("job.yaml")) as plan, run_job(plan) as results:
async for item, result in results:
print(item.ip, result.status)
"""

from importlib import import_module
from typing import TYPE_CHECKING

from bulkip.version import __version__

if TYPE_CHECKING:
    from bulkip.errors import (
        AccessError,
        BulkipError,
        Halt,
        JobError,
        Locked,
        SafetyStop,
        StoreError,
        UsageError,
    )
    from bulkip.model import Counts, Item, Result, Status
    from bulkip.run.library import Plan, Results, load_job, plan_job, run_job
    from bulkip.run.options import Overrides, Reckoning, RunOptions

_HOMES = {
    "bulkip.errors": (
        "AccessError", "BulkipError", "Halt", "JobError", "Locked", "SafetyStop", "StoreError",
        "UsageError",
    ),
    "bulkip.model": ("Counts", "Item", "Result", "Status"),
    "bulkip.run.library": ("Plan", "Results", "load_job", "plan_job", "run_job"),
    "bulkip.run.options": ("Overrides", "Reckoning", "RunOptions"),
}  # fmt: skip

__all__ = [
    "AccessError",
    "BulkipError",
    "Counts",
    "Halt",
    "Item",
    "JobError",
    "Locked",
    "Overrides",
    "Plan",
    "Reckoning",
    "Result",
    "Results",
    "RunOptions",
    "SafetyStop",
    "Status",
    "StoreError",
    "UsageError",
    "__version__",
    "load_job",
    "plan_job",
    "run_job",
]


def __getattr__(name: str) -> object:
    """Import a public name when it is asked for, so that the command line starts at once."""
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(home), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

"""What the caller of a run decides, beside what the job file says."""

from dataclasses import dataclass, field, replace
from pathlib import Path

from bulkip.errors import UsageError
from bulkip.model import Rate
from bulkip.policy import DEFAULT_RUN_DIR, OnExists, ReportSpec, Share
from bulkip.reports.output import STDOUT
from bulkip.settings import Job
from bulkip.tolerance import Tolerance


@dataclass(frozen=True, slots=True)
class Overrides:
    """Settings of the job file that the caller sets otherwise; times are in seconds."""

    rate: tuple[Rate, ...] | None = None
    concurrency: int | None = None
    retries: int | None = None
    max_retry_after_s: float | None = None
    connect_s: float | None = None
    attempt_s: float | None = None
    item_s: float | None = None
    job_s: float | None = None
    max_changes: Share | None = None
    max_clears: int | None = None
    max_failed: Share | None = None
    canary: int | None = None


@dataclass(frozen=True, slots=True)
class Reckoning:
    """As of when periods are reckoned: `as_of` in the caller's words, None for now.

    `partial` takes periods that are not over; `refresh` asks again for what was
    collected before.
    """

    as_of: str | None = None
    partial: bool = False
    refresh: bool = False


@dataclass(frozen=True, slots=True)
class RunOptions:
    """How a job is to be run; None leaves a setting to the job file.

    `simulate` sends every call to a simulator that is seeded from the plan,
    `faults` makes that simulator misbehave. `grace_s` is what calls in flight
    get after the first signal. `reports` stand in place of the job's own;
    `shown` is the format of one more, on stdout. `lock_timeout_s` is how long
    to wait for another run of the same account to end. With `allow_unread` a
    value that cannot be read keeps nobody from writing another one. `on_exists`
    holds for all reports. `fail_on` says which failures the exit code tells of;
    None tolerates none. `limiter` is the URL of a database through which all
    processes that name it share the rate of an account.
    """

    run_dir: Path = Path(DEFAULT_RUN_DIR)
    simulate: bool = False
    faults: Path | None = None
    grace_s: float = 20.0
    lock_timeout_s: float = 0.0
    overrides: Overrides = field(default_factory=Overrides)
    reports: tuple[ReportSpec, ...] | None = None
    shown: str | None = None
    allow_unread: bool = False
    on_exists: OnExists | None = None
    reckoning: Reckoning = field(default_factory=Reckoning)
    fail_on: Tolerance | None = None
    limiter: str | None = field(default=None, repr=False)
    cluster: str | None = field(default=None, repr=False)
    works: bool = True

    def reports_of(self, job: Job) -> tuple[ReportSpec, ...]:
        """Return the reports to write: the caller's or the job's, and the one for stdout."""
        chosen = job.reports if self.reports is None else self.reports
        if self.on_exists is not None:
            chosen = tuple(replace(report, on_exists=self.on_exists) for report in chosen)
        reports = (*chosen, ReportSpec(self.shown, STDOUT)) if self.shown else chosen
        paths = [report.path for report in reports]
        for path in paths:
            if paths.count(path) > 1:
                name = "stdout" if path == STDOUT else path
                raise UsageError(f"two reports go to {name}; give each its own: --report FORMAT=PATH")
        return reports


@dataclass(frozen=True, slots=True)
class HandsOptions:
    """How a worker works: on which queues (none: all), on how many shards at a time, and until when.

    One that is to `drain` ends when nothing waits that it could do.
    """

    queues: tuple[str, ...] = ()
    shards: int = 2
    drain: bool = False

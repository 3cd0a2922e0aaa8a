"""How a job file becomes a frozen plan, with every problem of its inputs told at once."""

import secrets
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

from bulkip.actions import ACTIONS
from bulkip.askedperiods import AskedPeriods
from bulkip.conflicts import MainAddresses, Told
from bulkip.errors import JobError
from bulkip.model import Item, Problem, Target
from bulkip.periods import Period
from bulkip.pipedinput import PipedInput
from bulkip.plan import Rules, items_of, items_without_ip
from bulkip.policy import DEFAULT_RUN_DIR, Limits, Percent, RetryPolicy, Safety, Timeouts
from bulkip.run.earlier import left_behind
from bulkip.run.freeips import nobody_to_ask
from bulkip.run.options import Overrides, Reckoning, RunOptions
from bulkip.run.reckoning import clock_of, over_s
from bulkip.settings import Job, LoadedJob, frozen_settings
from bulkip.shards import share_of_places, share_of_rates
from bulkip.sources import FreeIpsSource
from bulkip.store import Frozen, Home, RemoteRun, RunHeader, Writing, check, freeze
from bulkip.store.collected import NOTHING, Collected
from bulkip.store.questions import OVER
from bulkip.tally import Tally
from bulkip.targets import Doors, TargetReader
from bulkip.version import __version__

T = TypeVar("T", Limits, RetryPolicy, Timeouts, Safety)
AskFreeIps = Callable[[FreeIpsSource], Sequence[str]]
"""Asks the API for free addresses while a plan is made; raises SourceError when it gives none."""

TODAY = Reckoning()

WRITING = Writing(
    actions=frozenset(name for name, action in ACTIONS.items() if action.writes),
    shown=frozenset(name for name, action in ACTIONS.items() if action.reads_before),
)


def writing_of(loaded: LoadedJob) -> Writing:
    """Return how the items of a job are frozen: which of its steps may give many addresses one value."""
    sparing = (step for step in loaded.steps if step.action == "update_ptr" and not step.allow_same)
    shard = loaded.job.shard if loaded.job else None
    names = frozenset(step.name for step in sparing)
    return replace(WRITING, sparing=names, shard=shard, accounts=loaded.accounts)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A frozen plan that is ready to start; `writes` are those of the plan, before anything was read.

    Its store lies in the folder of the run, unless it was brought to a `remote` database.
    `periods` are those that it asks for, `collected` is what of it earlier runs
    brought home already.
    """

    run_dir: Path
    header: RunHeader
    job: Job
    items: int
    writes: int
    repeated: int
    tallies: tuple[Tally, ...] = ()
    lookups: int = 0
    periods: tuple[Period, ...] = ()
    collected: Collected = NOTHING
    remote: RemoteRun | None = None

    @property
    def home(self) -> Home:
        """Where the store of the run is."""
        return self.remote or self.run_dir


@dataclass(frozen=True, slots=True)
class RunPlace:
    """The id of a run, and the folder of its store."""

    run_id: str
    folder: Path


class Planning:
    """Reads the targets of a job once and renders its items as they come."""

    def __init__(
        self, loaded: LoadedJob, now: datetime, doors: Doors | None = None, reckoning: Reckoning = TODAY
    ) -> None:
        """Plan at `now`, by that reckoning of periods; `doors` lead to what is in no file."""
        self._problems = loaded.problems
        clock = clock_of(loaded.job.timezone if loaded.job else "UTC", now, reckoning)
        ipv6 = loaded.safety.allow_ipv6
        self._rules = Rules.of(loaded.steps, clock, loaded.vars, allow_ipv6=ipv6)
        self._asked = AskedPeriods(
            one.period for one, _ in self._rules.with_ip if isinstance(one.period, Period)
        )
        self._accounts = loaded.accounts
        self._reader = target_reader(loaded, doors or Doors())

    @property
    def tallies(self) -> tuple[Tally, ...]:
        """What each source of targets came to, once the stream is exhausted."""
        return self._reader.tallies

    @property
    def periods(self) -> tuple[Period, ...]:
        """The periods that are asked for, once the stream is exhausted."""
        return self._asked.periods()

    def stream(self) -> Iterator[Item | Problem]:
        """Yield every item in plan order, and every problem of the job and its files, once."""
        told, mains = Told(), MainAddresses()
        with_period, sets_main = self._rules.any_takes("period_stop"), self._rules.any_takes("main")
        for one in chain(self._problems, self._rules.problems, self._items()):
            if isinstance(one, Problem):
                if told.is_new(one):
                    yield one
                continue
            if with_period:
                self._asked.take(one)
            yield one
            if sets_main:
                yield from mains.feed(one)

    def _items(self) -> Iterator[Item | Problem]:
        first = items_without_ip(self._rules, self._accounts or ("",))
        yield from first
        number = len(first) + 1
        for target in self._reader:
            if isinstance(target, Target):
                found = items_of(self._rules, target, number, number)
                number += len(found)
                yield from found
            else:
                yield target


def target_reader(loaded: LoadedJob, doors: Doors) -> TargetReader:
    """Return what reads the targets of a job, as far as they are selected."""
    chosen, accounts = loaded.selection, loaded.accounts
    return TargetReader(
        loaded.sources, safety=loaded.safety, selection=chosen, doors=doors, accounts=accounts
    )


def doors_of(piped: PipedInput, run_dir: Path, ask_free_ips: AskFreeIps | None = None) -> Doors:
    """Return the ways to stdin, to the runs below a folder, and to the API if it may be asked."""
    return Doors(piped.rewound, partial(left_behind, run_dir), ask_free_ips)


def piped_input() -> PipedInput:
    """Return what is piped into this process, not read yet."""
    return PipedInput(sys.stdin.buffer if sys.stdin is not None else None)


def check_job(
    loaded: LoadedJob, now: datetime, doors: Doors | None = None, reckoning: Reckoning = TODAY
) -> tuple[Frozen, Planning]:
    """Go through a whole job without keeping or sending anything; raises JobError with every problem."""
    with piped_input() as piped:
        planning = Planning(loaded, now, doors or doors_of(piped, Path(DEFAULT_RUN_DIR)), reckoning)
        return check(planning.stream(), writing_of(loaded)), planning


def prepare(
    loaded: LoadedJob,
    options: RunOptions,
    now: datetime,
    ask_free_ips: AskFreeIps = nobody_to_ask,
    *,
    place: RunPlace | None = None,
) -> Prepared:
    """Freeze the plan of a job into a new run store; raises JobError with every problem.

    Nothing of a run is left when it raises. A rehearsal invents free addresses;
    the API is asked for some only after everything else was found right.
    """
    with piped_input() as piped:
        doors = doors_of(piped, options.run_dir, ask_free_ips)
        if loaded.job is None or any(isinstance(source, FreeIpsSource) for source in loaded.sources):
            trial = Planning(loaded, now, replace(doors, ask_free_ips=None), options.reckoning)
            check(trial.stream(), writing_of(loaded))
        if loaded.job is None:
            raise JobError(loaded.problems)
        planning = Planning(loaded, now, doors, options.reckoning)
        job = overridden(loaded.job, options.overrides)
        place = place or _new_place(options, now)
        header = _header(job, options, now, place.run_id)
        run_dir = place.folder
        frozen = freeze(run_dir, header, planning.stream(), writing_of(loaded))
    counts = (frozen.items, frozen.writes, frozen.repeated)
    return Prepared(run_dir, header, job, *counts, planning.tallies, frozen.lookups, planning.periods)


def prepare_items(
    job: Job, options: RunOptions, items: Iterable[Item], now: datetime, *, place: RunPlace | None = None
) -> Prepared:
    """Freeze items that were planned before into a new run store; `job` has only its settings left.

    The run knows of no job file: none that changes meanwhile has to do with it.
    """
    place = place or _new_place(options, now)
    header = _header(job, options, now, place.run_id)
    header = replace(header, settings={**header.settings, "job_file": ""})
    writing = replace(WRITING, accounts=tuple(one.name for one in job.accounts))
    frozen = freeze(place.folder, header, items, writing)
    return Prepared(place.folder, header, job, frozen.items, frozen.writes, frozen.repeated)


def overridden(job: Job, overrides: Overrides) -> Job:
    """Return a job with the settings that the caller set otherwise; a shard takes its share of the limits."""
    o = overrides
    rate = None if o.rate is None else share_of_rates(o.rate, job.shard)
    places = None if o.concurrency is None else share_of_places(o.concurrency, job.shard)
    paced = partial(_set, rate=rate, concurrency=places, max_retry_after_s=o.max_retry_after_s)
    return replace(
        job,
        limits=paced(job.limits),
        accounts=tuple(replace(one, limits=paced(one.limits)) for one in job.accounts),
        retry=_set(job.retry, attempts=None if o.retries is None else o.retries + 1),
        timeouts=_set(
            job.timeouts, connect_s=o.connect_s, attempt_s=o.attempt_s, item_s=o.item_s, job_s=o.job_s
        ),
        rollout=job.rollout if o.canary is None else replace(job.rollout, steps=(o.canary, Percent(100))),
        safety=_set(job.safety, max_changes=o.max_changes, max_clears=o.max_clears, max_failed=o.max_failed),
    )


def _set(policy: T, **values: Any) -> T:
    """Return a policy with those values that are given."""
    return replace(policy, **{name: value for name, value in values.items() if value is not None})


def new_run_id(now: datetime) -> str:
    """Return an id that sorts by time, and that no other run has."""
    return f"{now.astimezone(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"


def _new_place(options: RunOptions, now: datetime) -> RunPlace:
    run_id = new_run_id(now)
    return RunPlace(run_id, options.run_dir / "runs" / run_id)


def _header(job: Job, options: RunOptions, now: datetime, run_id: str) -> RunHeader:
    stamp = now.astimezone(UTC)
    return RunHeader(
        id=run_id,
        job_name=job.name,
        job_path=str(job.path),
        job_digest=job.digest,
        url=job.url,
        simulated=options.simulate,
        created_at=stamp.timestamp(),
        version=__version__,
        settings={**frozen_settings(job), OVER: over_s(job.timezone, now, options.reckoning)},
    )


def now_utc() -> datetime:
    """Return the present moment."""
    return datetime.now(UTC)

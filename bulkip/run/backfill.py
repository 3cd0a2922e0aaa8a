"""A range of nights, pulled one run after the other: the same job, each time for another period."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from bulkip.characters import quoted
from bulkip.errors import UsageError
from bulkip.model import Step
from bulkip.nights import By, nights
from bulkip.policy import ReportSpec
from bulkip.reportpaths import PathFacts, is_template, path_of
from bulkip.reports.output import STDOUT
from bulkip.run.options import RunOptions
from bulkip.run.reckoning import clock_of
from bulkip.settings import Job, LoadedJob
from bulkip.steps import Clock
from bulkip.templates import PeriodFields, TemplateError


@dataclass(frozen=True, slots=True)
class Backfill:
    """Which range is to be pulled, in the caller's words, and how much of it in each run."""

    text: str
    by: By = By.DAY


@dataclass(frozen=True, slots=True)
class Night:
    """One run of a backfill: its period as it is written, and the job that pulls just that."""

    period: str
    loaded: LoadedJob


def nights_of(loaded: LoadedJob, options: RunOptions, wanted: Backfill, now: datetime) -> tuple[Night, ...]:
    """Return the runs that a backfill consists of, the oldest period first.

    Raises UsageError when the job pulls no period, the range is none or is not
    over, or the runs would write over each other's reports.
    """
    job = loaded.job
    if job is None:  # whoever runs it tells its problems
        return (Night(wanted.text, loaded),)
    _refuse_others(job)
    _refuse_twice(job)
    clock = clock_of(job.timezone, now, options.reckoning)
    try:
        period = clock.resolve(wanted.text)
        texts = nights(period, wanted.by, clock.zone)
    except ValueError as wrong:
        raise UsageError(f"--backfill: {wrong}") from None
    if fault := clock.unfinished(period.stop):
        raise UsageError(f"--backfill {quoted(wanted.text)}: {fault}")
    for report in options.reports_of(job):
        _refuse_overwriting(report, job, texts, clock)
    return tuple(Night(text, _for_period(loaded, text)) for text in texts)


def _refuse_others(job: Job) -> None:
    """Raise UsageError when an action of the job would do the same in every run, or pulls a fixed period."""
    for step in job.steps:
        if not (step.action == "get_traffic" and _states_period(step)):
            raise UsageError(
                f"{step.place}: --backfill is for jobs of get_traffic with `period`, and {step.action} "
                f"(step {step.name}) is none; leave it out with --tags, or give it a `period`"
            )


def _refuse_twice(job: Job) -> None:
    """Raise UsageError when two actions differ in their period alone, and would ask the same in each run."""
    asked: dict[tuple[object, ...], Step] = {}
    for step in job.steps:
        params = {name: value for name, value in step.params.items() if name != "period"}
        first = asked.setdefault((step.when, *sorted(params.items())), step)
        if first is not step:
            raise UsageError(
                f"{step.place}: --backfill gives step {step.name} the period of step {first.name}, and all "
                "would be asked and counted twice; leave one of them out with --tags"
            )


def _states_period(step: Step) -> bool:
    return step.period is not None or "period" in step.params


def _refuse_overwriting(report: ReportSpec, job: Job, texts: tuple[str, ...], clock: Clock) -> None:
    """Raise UsageError when a report has one place in two runs, such as that of their month."""
    taken: set[str] = set()
    for number, text in enumerate(texts):
        path = _path_in(report.path, job, f"{number}", PeriodFields.of(clock.resolve(text), clock.zone))
        if path in taken and path != STDOUT:
            raise UsageError(
                f"{report.path}: the run for {text} of --backfill would write this report over that of a "
                "run before; name the whole period in its path, such as "
                f"{report.format}={{{{ period.start | date('%Y-%m-%d') }}}}.{report.format}"
            )
        taken.add(path)


def _path_in(path: str, job: Job, run: str, period: PeriodFields) -> str:
    """Return where a report goes in one of the runs; one that makes no place is told when it is placed."""
    if not is_template(path):
        return path
    try:
        return path_of(path, PathFacts(job.name, run, job.vars, period))
    except TemplateError:
        return f"{path} of {run}"


def _for_period(loaded: LoadedJob, text: str) -> LoadedJob:
    """Return a job with this period in place of its own."""
    steps = tuple(_with_period(loaded.steps, text))
    return replace(loaded, steps=steps, job=loaded.job and replace(loaded.job, steps=steps))


def _with_period(steps: tuple[Step, ...], text: str) -> Iterator[Step]:
    for step in steps:
        if "period" in step.params:
            yield replace(step, params={**step.params, "period": text})
        else:
            yield replace(step, period=text)

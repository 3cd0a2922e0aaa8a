"""How the caller's filters change a loaded job: fewer steps, other variables, a part of its targets."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from bulkip.characters import quoted
from bulkip.errors import UsageError
from bulkip.model import Step
from bulkip.selection import Filters
from bulkip.settings.fields import did_you_mean
from bulkip.settings.job import Job, LoadedJob
from bulkip.shards import Shard, share_of_limits

_USED = re.compile(r"""\bvars\s*(?:\.\s*|\[\s*['"])([A-Za-z_][A-Za-z0-9_]*)""")


def narrowed(loaded: LoadedJob, filters: Filters) -> LoadedJob:
    """Return a job with these filters applied.

    Raises UsageError for a tag or a variable that a job without problems does
    not have; in a job with problems it may belong to the part that is wrong.
    """
    if not loaded.problems:
        _refuse_unknown(loaded, filters)
    steps = tuple(step for step in loaded.steps if not filters.tags or step.tags & set(filters.tags))
    variables = {**loaded.vars, **filters.variables}
    job = loaded.job and replace(of_shard(loaded.job, filters.shard), steps=steps, vars=variables)
    return replace(loaded, job=job, steps=steps, vars=variables, selection=filters.selection)


def of_shard(job: Job, shard: Shard | None) -> Job:
    """Return one shard of a whole job, with its share of the limits; a job that is one already stays so."""
    if shard is None or job.shard is not None:
        return job
    accounts = tuple(replace(one, limits=share_of_limits(one.limits, shard)) for one in job.accounts)
    return replace(job, shard=shard, limits=share_of_limits(job.limits, shard), accounts=accounts)


def _refuse_unknown(loaded: LoadedJob, filters: Filters) -> None:
    _refuse("--tags", filters.tags, {tag for step in loaded.steps for tag in step.tags})
    _refuse("--var", filters.variables, {*loaded.vars, *_used(loaded.steps), *_used_in_paths(loaded)})


def _refuse(option: str, given: Iterable[str], known: set[str]) -> None:
    for word in given:
        if word not in known:
            hint = did_you_mean(word, sorted(known)) if known else "it has none"
            noun = "tag" if option == "--tags" else "variable"
            raise UsageError(f"{option}: the job has no {noun} {quoted(word)}; {hint}")


def _used(steps: Iterable[Step]) -> Iterator[str]:
    """Yield the variables that the templates of the steps name."""
    for step in steps:
        for text in _texts(step.params, step.when, step.period):
            yield from _USED.findall(text)


def _used_in_paths(loaded: LoadedJob) -> Iterator[str]:
    for report in loaded.job.reports if loaded.job else ():
        yield from _USED.findall(report.path)


def _texts(params: Mapping[str, str | tuple[str, ...]], *others: str | None) -> Iterator[str]:
    for value in params.values():
        yield from (value,) if isinstance(value, str) else value
    yield from (text for text in others if text is not None)

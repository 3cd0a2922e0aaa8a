"""What a job file asks for, checked as a whole: the job, or everything that is wrong with it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from bulkip.actions import ACTIONS
from bulkip.alerts import Hooks, Notice
from bulkip.characters import quoted
from bulkip.jobfile import Tree, scan_file
from bulkip.model import Place, Problem, Step
from bulkip.policy import (
    REPORT_FORMATS,
    Account,
    Api,
    Breaker,
    Check,
    Limits,
    ReportSpec,
    RetryPolicy,
    Rollout,
    Safety,
    Timeouts,
    Verify,
)
from bulkip.selection import Selection
from bulkip.settings.alerts import located, located_secret
from bulkip.settings.block import Block
from bulkip.settings.entries import steps_of
from bulkip.settings.fields import did_you_mean
from bulkip.settings.jobaccounts import account_names, account_problems, accounts_of, api_of
from bulkip.settings.partial import Partial, validate
from bulkip.settings.reportfields import path_problem
from bulkip.settings.schema import JobFile
from bulkip.settings.targetentries import sources_of
from bulkip.shards import Shard
from bulkip.sources import Source


@dataclass(frozen=True, slots=True)
class Job:
    """A valid job; `digest` is the SHA-256 of its file's bytes. With `check` it asserts, and never writes.

    A `shard` has its own items only, and `limits` that are its share. Where
    there are `accounts`, each has its own API and limits, which count.
    """

    name: str
    path: Path
    digest: str
    api: Api
    vars: Mapping[str, str]
    timezone: str
    steps: tuple[Step, ...]
    sources: tuple[Source, ...]
    limits: Limits
    retry: RetryPolicy
    breaker: Breaker
    timeouts: Timeouts
    safety: Safety
    rollout: Rollout
    verify: Verify
    reports: tuple[ReportSpec, ...]
    check: Check | None = None
    hooks: Hooks = field(default_factory=Hooks)
    notify: tuple[Notice, ...] = ()
    shard: Shard | None = None
    accounts: tuple[Account, ...] = ()

    @property
    def url(self) -> str:
        """Where the calls go; several accounts may have several places, which is for people to read."""
        return ", ".join(dict.fromkeys(one.api.url for one in self.accounts)) or self.api.url

    def of_account(self, account: Account) -> "Job":
        """Return the job as it is for one of its accounts."""
        return replace(self, api=account.api, limits=account.limits, accounts=())

    def each(self) -> tuple["Job", ...]:
        """Return the job as it is for each of its accounts; itself where there are no several."""
        return tuple(self.of_account(one) for one in self.accounts) or (self,)


@dataclass(frozen=True, slots=True)
class LoadedJob:
    """What a job file gave: a job, or problems and the entries that are valid on their own.

    `safety` is there in both cases, because reading the sources needs it.
    `selection` is what of its targets the caller wants, all of them unless narrowed.
    `accounts` are the names of its accounts, if it has several.
    """

    job: Job | None
    steps: tuple[Step, ...]
    sources: tuple[Source, ...]
    vars: Mapping[str, str]
    safety: Safety
    problems: tuple[Problem, ...]
    selection: Selection = field(default_factory=Selection)
    accounts: tuple[str, ...] = ()


def load_job(path: str | Path) -> LoadedJob:
    """Read a job file; mistakes in it are problems in the answer, in the order of the file."""
    reading = scan_file(path)
    if reading.tree is None:
        return LoadedJob(None, (), (), {}, Safety(), reading.problems)
    partial = validate(reading.tree)
    steps, accounts = [*steps_of(partial.actions, reading.tree)], account_names(reading.tree)
    sources = [*sources_of(partial.targets, reading.tree, partial.file.name or Path(path).stem, accounts)]
    later = [
        *partial.problems,
        *(found for found in (*steps, *sources) if isinstance(found, Problem)),
        *_whole_problems(partial, reading.tree),
    ]
    known = {problem.place for problem in reading.problems}  # what follows from them is no news
    meant = _meant_keys(reading.tree)
    later = [one for one in later if one.place not in known and not _follows(one, meant)]
    problems = [*reading.problems, *later]
    loaded = LoadedJob(
        None,
        tuple(step for step in steps if isinstance(step, Step)),
        tuple(source for source in sources if not isinstance(source, Problem)),
        partial.file.vars,
        Safety(**_values(partial.file.safety)),
        tuple(sorted(problems, key=_position)),
        accounts=accounts,
    )
    return loaded if problems else _with_job(loaded, partial.file, reading.tree.digest, Path(path))


def _meant_keys(tree: Tree) -> list[str]:
    """Return the keys of a job that were written with a typing error."""
    known = JobFile.known_keys()
    written = tree.root if isinstance(tree.root, dict) else {}
    near = [get_close_matches(key.lower(), known, n=1, cutoff=0.6) for key in written if key not in known]
    return [found[0] for found in near if found]


def _follows(problem: Problem, meant: list[str]) -> bool:
    """Say whether a problem only repeats that a key is missing which was written with a typing error."""
    text = problem.message
    return any(
        f"the key `{key}` is missing" in text or text.startswith(f"the job has no `{key}`") for key in meant
    )


def _position(problem: Problem) -> tuple[int, int]:
    return problem.place.line, problem.place.column


def _safety(file: JobFile, loaded: LoadedJob) -> Safety:
    """Return the limits of a job; one that only reads has a failure ceiling only when it states one."""
    writes = any(ACTIONS[step.action].writes for step in loaded.steps)
    stated = "max_failed" in file.safety.model_fields_set
    return loaded.safety if writes or stated else replace(loaded.safety, max_failed=None)


def _with_job(loaded: LoadedJob, file: JobFile, digest: str, path: Path) -> LoadedJob:
    accounts = accounts_of(file, path.parent)
    job = Job(
        name=file.name or path.stem,
        path=path,
        digest=digest,
        api=accounts[0].api if accounts else api_of(file.api, path.parent),
        vars=loaded.vars,
        timezone=file.timezone,
        steps=loaded.steps,
        sources=loaded.sources,
        limits=Limits(**_values(file.limits)),
        retry=RetryPolicy(**_values(file.retry)),
        breaker=Breaker(**_values(file.breaker)),
        timeouts=Timeouts(**_values(file.timeouts)),
        safety=_safety(file, loaded),
        rollout=Rollout(**_values(file.rollout)),
        verify=Verify(**_values(file.verify)),
        reports=file.reports,
        hooks=located(Hooks(**_values(file.hooks)), path.parent),
        notify=tuple(replace(one, url=located_secret(one.url, path.parent)) for one in file.notify),
        accounts=accounts,
    )
    return replace(loaded, job=job)


def _values(block: Block) -> dict[str, Any]:
    """Return a block's values by the names that `policy` gives them too."""
    return dict(block)


def _whole_problems(partial: Partial, tree: Tree) -> Iterator[Problem]:
    """Yield the problems that no single entry has."""
    yield from account_problems(tree)
    yield from _report_problems(partial.file.reports, tree)
    has_period = any("period_start" in _parameters_of(entry.action) for entry in partial.actions.values())
    for position, report in enumerate(partial.file.reports):
        if wrong := path_problem(report.path, has_period=has_period or not partial.actions):
            yield Problem(tree.place(("reports", position, "path")), wrong)
    if not isinstance(tree.root, dict):
        return
    if not tree.root.get("actions"):
        yield Problem(tree.key_place(("actions",)), "the job has no `actions`; say what is to be done")
    elif not tree.root.get("targets") and any(_needs_ip(entry.action) for entry in partial.actions.values()):
        yield Problem(tree.key_place(("targets",)), "the job has no `targets`; say for which addresses")


def _needs_ip(name: str) -> bool:
    return name in ACTIONS and ACTIONS[name].needs_ip


def _parameters_of(name: str) -> set[str]:
    return {parameter.name for parameter in ACTIONS[name].parameters} if name in ACTIONS else set()


def _report_problems(reports: tuple[ReportSpec, ...], tree: Tree) -> Iterator[Problem]:
    first: dict[str, int] = {}
    for position, report in enumerate(reports):
        place: Place = tree.place(("reports", position))
        if report.format not in REPORT_FORMATS:
            hint = did_you_mean(report.format, [*REPORT_FORMATS])
            yield Problem(place, f"unknown report format {quoted(report.format)}; {hint}")
        if first.setdefault(report.path, position) != position:
            target = "stdout" if report.path == "-" else f"`{report.path}`"
            yield Problem(place, f"two reports go to {target}; give each its own path")

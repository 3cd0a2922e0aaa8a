"""How the settings of a job are kept with its run, so that a later start needs no job file."""

from dataclasses import replace
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import TypeAdapter

from bulkip.alerts import Hooks, Notice
from bulkip.errors import StoreError
from bulkip.model import JsonValue
from bulkip.policy import (
    ACCOUNTS,
    CHECK,
    Account,
    Api,
    Breaker,
    Check,
    Limits,
    ReportSpec,
    RetryPolicy,
    Rollout,
    Safety,
    SecretRef,
    SecretSource,
    Timeouts,
    Verify,
)
from bulkip.settings.alerts import kept
from bulkip.settings.job import Job
from bulkip.shards import SHARD, parse_shard

KEPT: dict[str, Any] = {
    "api": Api,
    "limits": Limits,
    "retry": RetryPolicy,
    "breaker": Breaker,
    "timeouts": Timeouts,
    "safety": Safety,
    "rollout": Rollout,
    "verify": Verify,
    "reports": tuple[ReportSpec, ...],
}
OWN: dict[str, Any] = {ACCOUNTS: tuple[Account, ...]}
"""What only some jobs have; a run of the others keeps nothing of it."""
ALERTS: dict[str, Any] = {"hooks": Hooks, "notify": tuple[Notice, ...]}
"""Who hears of the run; a plan that was kept before there were any has none."""


def frozen_settings(job: Job) -> dict[str, JsonValue]:
    """Return what a later start of a run needs, as JSON; it names where secrets are, and holds none."""
    accounts = tuple(replace(one, api=_api_anywhere(one.api)) for one in job.accounts)
    notify = tuple(replace(one, url=_anywhere(one.url) or one.url) for one in job.notify)
    stored = replace(job, api=_api_anywhere(job.api), accounts=accounts, hooks=kept(job.hooks), notify=notify)
    settings: dict[str, JsonValue] = {
        name: TypeAdapter(kind).dump_python(getattr(stored, name), mode="json")
        for name, kind in (KEPT | ALERTS | (OWN if accounts else {})).items()
    }
    settings |= {"timezone": job.timezone, "vars": dict(job.vars)}  # what the paths of reports may name
    if job.check is not None:
        settings[CHECK] = {"allow_empty": job.check.allow_empty}
    if job.shard is not None:
        settings[SHARD] = str(job.shard)
    return settings | {"job_file": str(job.path.absolute())}


def thawed_job(name: str, path: str, digest: str, settings: dict[str, JsonValue]) -> Job:
    """Return the job of a run as far as a later start needs it: its settings, without steps and targets.

    Raises StoreError when they are not those that were kept.
    """
    try:
        values = {key: TypeAdapter(kind).validate_python(settings[key]) for key, kind in KEPT.items()}
        variables = TypeAdapter(dict[str, str]).validate_python(settings.get("vars", {}))
        values |= {
            key: TypeAdapter(kind).validate_python(settings[key])
            for key, kind in (ALERTS | OWN).items()
            if key in settings
        }
        timezone = ZoneInfo(TypeAdapter(str).validate_python(settings.get("timezone", "UTC"))).key
        check = TypeAdapter(Check | None).validate_python(settings.get(CHECK))
        shard = parse_shard(TypeAdapter(str).validate_python(settings[SHARD])) if SHARD in settings else None
    except (KeyError, TypeError, ValueError) as error:
        raise StoreError(
            f"run of job `{name}`: the settings that it keeps are damaged; "
            "restore its run store from a backup, or run the job again"
        ) from error
    return Job(
        name=name,
        path=Path(path),
        digest=digest,
        vars=variables,
        timezone=timezone,
        steps=(),
        sources=(),
        check=check,
        shard=shard,
        **values,
    )


def _api_anywhere(api: Api) -> Api:
    return replace(api, token=_anywhere(api.token), key=_anywhere(api.key))


def _anywhere(ref: SecretRef | None) -> SecretRef | None:
    """Return a reference that leads to the same file from any working directory."""
    if ref is None or ref.source is SecretSource.ENV:
        return ref
    return SecretRef(ref.source, str(Path(ref.name).absolute()))

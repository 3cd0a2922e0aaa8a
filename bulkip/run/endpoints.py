"""Where the calls of a run go: the real API, or a simulator that knows the plan."""

import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace

from bulkip.errors import UsageError
from bulkip.lockname import lock_name
from bulkip.policy import Api
from bulkip.purse import Purse
from bulkip.run.asking import free_ips
from bulkip.run.clusterextra import check_cluster
from bulkip.run.engine import Endpoint
from bulkip.run.freeips import nobody_to_ask, rehearsed_free_ips
from bulkip.run.locking import Account
from bulkip.run.options import RunOptions
from bulkip.run.pacing import shared_rate
from bulkip.run.planning import AskFreeIps, Prepared, overridden
from bulkip.run.seams import sent_before
from bulkip.run.secret import purse_secrets
from bulkip.settings import Job
from bulkip.shards import Shard
from bulkip.sources import FreeIpsSource

OpenEndpoint = Callable[[Prepared], AbstractContextManager[Endpoint]]


@dataclass(frozen=True, slots=True)
class Reach:
    """How a run gets to its API: for its calls, and for what only the API knows while a plan is made.

    `accounts` are those whose locks are needed first; none where a simulator
    answers, or the rate is shared with other processes.
    """

    open: OpenEndpoint
    ask_free_ips: AskFreeIps
    accounts: tuple[Account, ...] = ()


def reach_of(job: Job, options: RunOptions, warn: Callable[[str], None]) -> Reach:
    """Return how to reach the API; raises UsageError when a secret or a fault file is missing or wrong.

    A check that asks nobody but name servers needs neither secret nor lock.
    """
    if options.simulate:
        from bulkip.run.simulated import simulator_for  # noqa: PLC0415 -- a web server that few runs need

        return Reach(simulator_for(options.faults), rehearsed_free_ips)
    if options.faults:
        raise UsageError(f"--faults {options.faults}: the real API takes no faults; add --simulate")
    if job.check is not None and asks_only_dns(job):
        return reach_without_calls(job)
    asked = overridden(job, options.overrides)
    if options.cluster is not None:
        check_cluster(options.cluster)
    limiter = options.limiter or options.cluster
    if limiter is None:
        return _reach(asked, *endpoint_of_job(job, os.environ, warn, job.shard))
    endpoint, accounts = endpoint_of_job(job, os.environ, warn, None)
    return _reach(asked, _sharing(endpoint, accounts, limiter), ())  # who shares a rate need not wait


def _reach(job: Job, endpoint: Endpoint, accounts: tuple[Account, ...]) -> Reach:
    return Reach(
        lambda prepared: _real(endpoint, prepared),
        lambda source: free_ips(*_asked(job, endpoint, source), source),
        accounts,
    )


def _asked(job: Job, endpoint: Endpoint, source: FreeIpsSource) -> tuple[Job, Endpoint]:
    """Return the job and the endpoint of the account that knows free addresses."""
    pairs = zip(job.accounts, endpoint.accounts, strict=True)
    found = ((job.of_account(one), own) for one, own in pairs if one.name == source.account)
    return next(found, (job, endpoint))


def _sharing(endpoint: Endpoint, accounts: tuple[Account, ...], limiter: str) -> Endpoint:
    """Return an endpoint that shares the rate of each account with all who name the same limiter."""
    shared = [shared_rate(limiter, account.lock_name) for account in accounts]
    if not endpoint.accounts:
        return replace(endpoint, shared=shared[0])
    own = zip(endpoint.accounts, shared, strict=True)
    return replace(endpoint, accounts=tuple(replace(one, shared=rate) for one, rate in own))


def asks_only_dns(job: Job) -> bool:
    """Say whether proving what a job says needs no call of the API."""
    return job.verify.asks_dns and not any(isinstance(one, FreeIpsSource) for one in job.sources)


def reach_without_calls(job: Job) -> Reach:
    """Return the reach of a run that makes no call: it has no token that one could go out with."""
    endpoint = Endpoint(job.url, Purse(time.time))
    return Reach(lambda _prepared: nullcontext(endpoint), nobody_to_ask)


def endpoint_of_job(
    job: Job, environment: Mapping[str, str], warn: Callable[[str], None], shard: Shard | None
) -> tuple[Endpoint, tuple[Account, ...]]:
    """Return where a job is called with which secrets, and whose locks guard it; raises UsageError."""
    if not job.accounts:
        endpoint, account = endpoint_of(job.api, environment, warn, shard)
        return endpoint, (account,)
    found = [endpoint_of(one.api, environment, warn, shard, one.name) for one in job.accounts]
    refuse_same([account for _, account in found])
    endpoints, accounts = zip(*found, strict=True)
    return Endpoint(job.url, Purse(time.time), accounts=endpoints), accounts


def refuse_same(accounts: Sequence[Account]) -> None:
    """Raise UsageError when two names stand for one account: each would take its whole rate."""
    known: dict[str, str] = {}
    for account in accounts:
        first = known.setdefault(account.lock_name, account.name)
        if first != account.name:
            raise UsageError(
                f"accounts `{first}` and `{account.name}` have the same URL and secret, so they are one; "
                "give each its own, or keep one of them"
            )


def endpoint_of(
    api: Api,
    environment: Mapping[str, str],
    warn: Callable[[str], None],
    shard: Shard | None = None,
    name: str = "",
) -> tuple[Endpoint, Account]:
    """Return where a real API is called with which secret, and whose lock guards it; raises UsageError.

    A shard waits for nobody but itself: what it may send is its share alone.
    One of several accounts has its `name`.
    """
    try:
        token, key = purse_secrets(api, environment, warn)
    except UsageError as error:
        raise UsageError(f"account `{name}`: {error}" if name else str(error)) from error
    endpoint = Endpoint(api.url, Purse(time.time, token=token, key=key), account=name)
    part = "" if shard is None or shard.is_all else str(shard)
    return endpoint, Account(api.url, lock_name(api.url, token or key, part), name)


@contextmanager
def _real(endpoint: Endpoint, prepared: Prepared) -> Iterator[Endpoint]:
    """Give an endpoint that knows what runs before this one sent within the longest window."""
    for one, job in zip(endpoint.each, prepared.job.each(), strict=True):
        known = set(one.sent)  # a trial of the plan may have opened it before
        sent = sent_before(replace(prepared, job=job), time.time())
        one.sent.extend(at for at in sent if at not in known)
    yield endpoint

"""Where the calls of a run go: the real API, or a simulator that knows the plan."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
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

    `account` is whose lock is needed first; None where a simulator answers, or
    the rate is shared with other processes.
    """

    open: OpenEndpoint
    ask_free_ips: AskFreeIps
    account: Account | None


def reach_of(job: Job, options: RunOptions, warn: Callable[[str], None]) -> Reach:
    """Return how to reach the API; raises UsageError when a secret or a fault file is missing or wrong.

    A check that asks nobody but name servers needs neither secret nor lock.
    """
    if options.simulate:
        from bulkip.run.simulated import simulator_for  # noqa: PLC0415 -- a web server that few runs need

        return Reach(simulator_for(options.faults), rehearsed_free_ips, None)
    if options.faults:
        raise UsageError(f"--faults {options.faults}: the real API takes no faults; add --simulate")
    if job.check is not None and asks_only_dns(job):
        return reach_without_calls(job)
    asked = overridden(job, options.overrides)
    if options.cluster is not None:
        check_cluster(options.cluster)
    limiter = options.limiter or options.cluster
    if limiter is None:
        return _reach(asked, *endpoint_of(job.api, os.environ, warn, job.shard))
    endpoint, account = endpoint_of(job.api, os.environ, warn)
    shared = shared_rate(limiter, account.lock_name)
    return _reach(asked, replace(endpoint, shared=shared), None)  # who shares the rate need not wait


def _reach(job: Job, endpoint: Endpoint, account: Account | None) -> Reach:
    return Reach(
        lambda prepared: _real(endpoint, prepared), lambda source: free_ips(job, endpoint, source), account
    )


def asks_only_dns(job: Job) -> bool:
    """Say whether proving what a job says needs no call of the API."""
    return job.verify.asks_dns and not any(isinstance(one, FreeIpsSource) for one in job.sources)


def reach_without_calls(job: Job) -> Reach:
    """Return the reach of a run that makes no call: it has no token that one could go out with."""
    endpoint = Endpoint(job.api.url, Purse(time.time))
    return Reach(lambda _prepared: nullcontext(endpoint), nobody_to_ask, None)


def endpoint_of(
    api: Api, environment: Mapping[str, str], warn: Callable[[str], None], shard: Shard | None = None
) -> tuple[Endpoint, Account]:
    """Return where a real API is called with which secret, and whose lock guards it; raises UsageError.

    A shard waits for nobody but itself: what it may send is its share alone.
    """
    token, key = purse_secrets(api, environment, warn)
    endpoint = Endpoint(api.url, Purse(time.time, token=token, key=key))
    part = "" if shard is None or shard.is_all else str(shard)
    return endpoint, Account(api.url, lock_name(api.url, token or key, part))


@contextmanager
def _real(endpoint: Endpoint, prepared: Prepared) -> Iterator[Endpoint]:
    """Give an endpoint that knows what runs before this one sent within the longest window."""
    known = set(endpoint.sent)  # a trial of the plan may have opened it before
    endpoint.sent.extend(at for at in sent_before(prepared, time.time()) if at not in known)
    yield endpoint

"""Who paces the calls of a run: this process alone, or all that share a limiter with it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from bulkip.brake import Brake
from bulkip.events import Event, Waiting
from bulkip.gate import Limiter
from bulkip.limiter import Pacer
from bulkip.model import ErrorClass
from bulkip.policy import SHARED_HEADROOM, Limits
from bulkip.run.clusterextra import missing
from bulkip.settings import Job
from bulkip.shards import whole_rates
from bulkip.sharedpacer import Ledger, SharedPacer
from bulkip.stops import Stop, StopKind

AWAY = "no limiter"


@dataclass(frozen=True, slots=True)
class SharedRate:
    """What shares the rate of an account among processes: where it is, without its login, and its ledger."""

    place: str
    open_ledger: Callable[[], Ledger]


class Running(Limiter, Protocol):
    """A limiter that works as long as `run` does."""

    async def run(self) -> None:
        """Hand out permissions until cancelled."""
        ...


def shared_rate(url: str, account: str) -> SharedRate:
    """Return what shares the rate of an account at a URL; raises UsageError, or Halt when nobody is there."""
    try:
        from bulkip.cluster.ledger import make_table  # noqa: PLC0415 -- an extra that few installations have
    except ImportError as error:
        raise missing("--limiter", error) from error
    make_table(url)
    return rate_at(url, account)


def rate_at(url: str, account: str) -> SharedRate:
    """Return what shares the rate of an account at the URL of a database that has the table."""
    from bulkip.cluster.ledger import PostgresLedger  # noqa: PLC0415 -- an extra that few installations have
    from bulkip.cluster.server import place_of  # noqa: PLC0415 -- the same

    return SharedRate(place_of(url), lambda: PostgresLedger(url, account))


def pacer_of(
    job: Job,
    shared: SharedRate | None,
    ages_s: Sequence[float],
    tell: Callable[[Event], None],
    brake: Brake,
) -> Running:
    """Return who paces a job; `ages_s` tells how long ago calls were sent, which a ledger knows itself."""
    if shared is None:
        return Pacer(job.limits.rate, job.limits.headroom, ages_s)
    give_up_s = job.breaker.give_up_s

    def troubled(reason: str, away_s: float, wait_s: float) -> None:
        tell(Waiting(AWAY, wait_s))
        if away_s >= give_up_s:
            text = (
                f"the shared limiter has not answered for {give_up_s:g} s (`breaker.give_up`); last: {reason}"
            )
            brake.pull(Stop(StopKind.HALT, text, ErrorClass.BREAKER))

    rates = whole_rates(job.limits.rate, job.shard)
    return SharedPacer(rates, shared_headroom(job.limits), shared.open_ledger(), troubled)


def shared_headroom(limits: Limits) -> float:
    """Return the headroom where processes share a rate: that of the job, unless it is the usual one."""
    return SHARED_HEADROOM if limits.headroom == Limits().headroom else limits.headroom

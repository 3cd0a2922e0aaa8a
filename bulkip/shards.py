"""Which part of a job is ours when several processes share it, and how fast may each of them go?"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from hashlib import blake2b

from bulkip.characters import quoted
from bulkip.model import Rate
from bulkip.policy import Limits

SHARD = "shard"
"""What the settings that a run keeps hold when it is one shard of a job: `2/3`."""
MERGED = "merged"
"""What the settings of a run hold when it was joined from shards: which ones, and which are missing."""
MOST_SHARDS = 1_000
SMOOTH_BELOW = 20
"""From so many calls a window on, what the division leaves over is at most a twentieth of them."""
_FORM = re.compile(r"([1-9][0-9]{0,3})/([1-9][0-9]{0,3})")


@dataclass(frozen=True, slots=True)
class Shard:
    """One of `count` equal parts of a job, by the digests of its addresses; numbers begin with 1."""

    number: int
    count: int

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    @property
    def is_all(self) -> bool:
        """Whether there is no other shard."""
        return self.count == 1

    def owns(self, ip: str | None) -> bool:
        """Say whether the items of an address are of this shard; those without one are of the first.

        The digest is of the canonical address alone, so that everywhere and
        every time the same shard has all that happens to an address.
        """
        if ip is None:
            return self.number == 1
        digest = blake2b(ip.encode(), digest_size=8, person=b"bulkip shard").digest()
        return int.from_bytes(digest, "big") % self.count == self.number - 1


def parse_shard(text: str) -> Shard:
    """Return the shard that `2/3` names; raises ValueError with the way out."""
    match = _FORM.fullmatch(text)
    if not match:
        raise ValueError(f"{quoted(text)} is no shard; write the number of this one and how many, like 2/3")
    number, count = int(match[1]), int(match[2])
    if count > MOST_SHARDS:
        raise ValueError(f"{quoted(text)}: there are at most {MOST_SHARDS} shards")
    if number > count:
        raise ValueError(f"{quoted(text)}: the shards of {count} are 1/{count} to {count}/{count}")
    return Shard(number, count)


def share_of_limits(limits: Limits, shard: Shard | None) -> Limits:
    """Return what one shard may take of the limits of a job, its rate and its places in flight."""
    if shard is None:
        return limits
    return replace(
        limits,
        rate=share_of_rates(limits.rate, shard),
        concurrency=share_of_places(limits.concurrency, shard),
    )


def share_of_rates(rates: Iterable[Rate], shard: Shard | None) -> tuple[Rate, ...]:
    """Return what one shard may take of each window.

    Where the calls of a window can be divided among the shards, all of them
    together stay within it whatever happens. Few calls that cannot are spread
    evenly over a longer time: on the average the rate is that of the job, and a
    window may see at most one call too many of each shard but one.
    """
    return tuple(rate if shard is None else _share(rate, shard.count) for rate in rates)


def whole_rates(rates: Iterable[Rate], shard: Shard | None) -> tuple[Rate, ...]:
    """Return the rates of the job from those of one shard, for shards whose limiter divides them itself."""
    return tuple(rates) if shard is None else tuple(_whole(rate, shard.count) for rate in rates)


def share_of_places(places: int, shard: Shard | None) -> int:
    """Return how many calls of one shard may be in flight; at least one, or nothing would be sent."""
    return places if shard is None else max(1, places // shard.count)


def _whole(rate: Rate, count: int) -> Rate:
    """Undo `_share`, as far as it can be: one call of a long window becomes one of a shorter window."""
    if rate.calls == 1:
        return Rate(1, rate.period_s / count)
    return Rate(rate.calls * count, rate.period_s)


def _share(rate: Rate, count: int) -> Rate:
    whole, left = divmod(rate.calls, count)
    if left == 0 or whole >= SMOOTH_BELOW:
        return Rate(whole, rate.period_s)
    return Rate(1, round(rate.period_s * count / rate.calls, 6))

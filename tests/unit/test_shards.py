"""Which shard an address belongs to, and what a shard may take of the limits."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkip.model import Rate
from bulkip.policy import Limits
from bulkip.shards import MOST_SHARDS, Shard, parse_shard, share_of_limits, share_of_rates

ADDRESSES = [f"203.0.{high}.{low}" for high, low in product(range(40), range(250))]

counts = st.integers(1, 40)
addresses = st.ip_addresses().map(str)
rates = st.builds(Rate, st.integers(1, 5000), st.sampled_from([0.1, 1.0, 15.0, 60.0, 3600.0]))


def shards(count: int) -> list[Shard]:
    """Return all shards of so many."""
    return [Shard(number, count) for number in range(1, count + 1)]


@given(addresses, counts)
def test_each_address_is_of_one_shard(ip: str, count: int) -> None:
    """Whatever the address and however many shards there are, exactly one has it."""
    assert sum(shard.owns(ip) for shard in shards(count)) == 1


@given(counts)
def test_what_has_no_address_is_of_the_first_shard(count: int) -> None:
    """A call without an address is made once, by the first shard."""
    assert [shard.number for shard in shards(count) if shard.owns(None)] == [1]


@pytest.mark.parametrize("count", [2, 3, 7, 16])
def test_shards_are_balanced(count: int) -> None:
    """Of ten thousand addresses of a few networks no shard has much more than its part."""
    sizes = [sum(map(shard.owns, ADDRESSES)) for shard in shards(count)]

    assert sum(sizes) == len(ADDRESSES)
    assert max(sizes) < 1.2 * len(ADDRESSES) / count


def test_shard_of_an_address_never_changes() -> None:
    """Runs of other days, machines and versions must agree, so these are frozen."""
    owners = [
        next(shard.number for shard in shards(3) if shard.owns(ip))
        for ip in ("203.0.113.1", "203.0.113.2", "203.0.113.3", "203.0.113.4", "2001:db8::1", "192.0.2.255")
    ]

    assert owners == [1, 2, 2, 2, 1, 2]


@given(rates, counts)
def test_shards_together_reach_the_rate_and_no_more(rate: Rate, count: int) -> None:
    """All shards together make 95 % of the calls of the job at least, and never more in the long run."""
    (share,) = share_of_rates([rate], Shard(1, count))

    assert 0.95 * rate.per_s <= share.per_s * count <= rate.per_s * (1 + 1e-3)


@given(rates, counts)
def test_shards_together_hardly_exceed_a_window(rate: Rate, count: int) -> None:
    """In the worst of windows each shard but one has one call too many, where they cannot be divided."""
    (share,) = share_of_rates([rate], Shard(1, count))

    windows = -(-rate.period_s // share.period_s)
    assert share.calls * windows * count <= rate.calls + count - 1 + (count if rate.calls % count else 0)


@pytest.mark.parametrize(
    ("rate", "count", "share"),
    [
        pytest.param(Rate(6, 1.0), 3, Rate(2, 1.0), id="divided"),
        pytest.param(Rate(5, 1.0), 3, Rate(1, 0.6), id="spread"),
        pytest.param(Rate(200, 60.0), 3, Rate(66, 60.0), id="many"),
        pytest.param(Rate(1, 2.0), 4, Rate(1, 8.0), id="fewer-than-shards"),
        pytest.param(Rate(5, 1.0), 1, Rate(5, 1.0), id="alone"),
    ],
)
def test_shard_takes_its_part_of_a_rate(rate: Rate, count: int, share: Rate) -> None:
    """A window is divided where it can be, and stretched where it cannot."""
    assert share_of_rates([rate], Shard(1, count)) == (share,)


@pytest.mark.parametrize(("places", "share"), [(8, 2), (4, 1), (3, 1), (1, 1)])
def test_shard_has_a_place_in_flight(places: int, share: int) -> None:
    """The calls in flight are divided, too, but one must be left."""
    assert share_of_limits(Limits(concurrency=places), Shard(2, 4)).concurrency == share


def test_whole_job_has_its_limits() -> None:
    """Without shards nothing is divided."""
    assert share_of_limits(Limits(), None) == Limits()


def test_shard_is_written_as_it_is_read() -> None:
    """What a run keeps of its shard leads back to it."""
    assert parse_shard(str(Shard(2, 3))) == Shard(2, 3)


@pytest.mark.parametrize(
    ("text", "way_out"),
    [
        pytest.param("", "like 2/3", id="empty"),
        pytest.param("3", "like 2/3", id="no-count"),
        pytest.param("0/3", "like 2/3", id="zero"),
        pytest.param("1/0", "like 2/3", id="of-none"),
        pytest.param("-1/3", "like 2/3", id="negative"),
        pytest.param("1/3\n", "like 2/3", id="line-feed"),
        pytest.param("\u0661/3", "like 2/3", id="other-digits"),
        pytest.param("4/3", "the shards of 3 are 1/3 to 3/3", id="beyond"),
        pytest.param(f"1/{MOST_SHARDS + 1}", f"at most {MOST_SHARDS}", id="too-many"),
    ],
)
def test_what_is_no_shard_is_refused(text: str, way_out: str) -> None:
    """A mistake is told with the way out."""
    with pytest.raises(ValueError, match=way_out):
        parse_shard(text)

"""What did the runs before this one send? The rate holds over the seams between them (design.md §5)."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from bulkip.errors import StoreError
from bulkip.lockname import same_url
from bulkip.policy import Api, Limits
from bulkip.run.planning import Prepared
from bulkip.run.runs import run_folders
from bulkip.settings import thawed_job
from bulkip.shards import SHARD
from bulkip.store import Part, RunHeader, RunReader, WorkLeft
from bulkip.store.part import WHOLE_RUN
from bulkip.store.schema import store_path


def remembered_s(limits: Limits) -> float:
    """Return for how long a call may count: the longest window, and room for its headroom."""
    return max(rate.period_s for rate in limits.rate) * 2


def sent_before(prepared: Prepared, now: float) -> list[float]:
    """Return when other runs of the same API sent calls that may still count, in Unix seconds.

    A call without an end was under way when its run was killed: it counts as
    sent just now. A store that cannot be read says nothing. Of a run with
    several accounts those count that may be the one of this job.
    """
    since = now - remembered_s(prepared.job.limits)
    found = list[float]()
    for folder in _touched(prepared, since):
        with suppress(StoreError):
            for part in _parts(folder, prepared):
                with WorkLeft(folder, part) as reader:
                    found += [*reader.sent_since(since), *[now] * reader.in_flight()]
    return found


def _parts(folder: Path, prepared: Prepared) -> list[Part]:
    """Return the parts of a run that may have called for the account of this job."""
    with RunReader(folder) as reader:
        header = reader.header()
    if header.simulated or _are_shards(header, prepared):
        return []
    own, several = prepared.job.api, bool(prepared.header.accounts)
    if not header.accounts:
        return [WHOLE_RUN] if same_url(header.url) == same_url(own.url) else []
    job = thawed_job(header.job_name, header.job_path, header.job_digest, header.settings)
    accounts = enumerate(job.accounts, start=1)
    return [Part(account=place) for place, one in accounts if _may_be(one.api, own, by_secret=several)]


def _may_be(other: Api, own: Api, *, by_secret: bool) -> bool:
    """Say whether two APIs may be of one account; where both have names, by the places of their secrets."""
    is_same = same_url(other.url) == same_url(own.url)
    return is_same and (not by_secret or (other.token, other.key) == (own.token, own.key))


def _are_shards(header: RunHeader, prepared: Prepared) -> bool:
    """Say whether a run is another shard than this one: each of them has a share of its own."""
    own, other = prepared.header.settings.get(SHARD), header.settings.get(SHARD)
    return None not in {own, other} and own != other


def _touched(prepared: Prepared, since: float) -> Iterator[Path]:
    """Yield the runs whose stores were written to since then, except for this one."""
    for folder in run_folders(prepared.run_dir.parent.parent):
        store = store_path(folder)
        with suppress(OSError):
            files = (one for one in (store, store.with_name(f"{store.name}-wal")) if one.exists())
            if folder != prepared.run_dir and max(one.stat().st_mtime for one in files) >= since:
                yield folder

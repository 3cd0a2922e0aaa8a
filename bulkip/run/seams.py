"""What did the runs before this one send? The rate holds over the seams between them (design.md §5)."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from bulkip.errors import StoreError
from bulkip.lockname import same_url
from bulkip.policy import Limits
from bulkip.run.planning import Prepared
from bulkip.run.runs import run_folders
from bulkip.shards import SHARD
from bulkip.store import RunHeader, RunReader
from bulkip.store.schema import store_path


def remembered_s(limits: Limits) -> float:
    """Return for how long a call may count: the longest window, and room for its headroom."""
    return max(rate.period_s for rate in limits.rate) * 2


def sent_before(prepared: Prepared, now: float) -> list[float]:
    """Return when other runs of the same API sent calls that may still count, in Unix seconds.

    A call without an end was under way when its run was killed: it counts as
    sent just now. A store that cannot be read says nothing.
    """
    since = now - remembered_s(prepared.job.limits)
    url, found = same_url(prepared.header.url), list[float]()
    for folder in _touched(prepared, since):
        with suppress(StoreError), RunReader(folder) as reader:
            header = reader.header()
            if not header.simulated and same_url(header.url) == url and not _are_shards(header, prepared):
                found += [*reader.sent_since(since), *[now] * reader.in_flight()]
    return found


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

"""Which runs of a job are kept, and which may go once a newer one has ended?"""

import os
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bulkip.errors import StoreError
from bulkip.lock import Holder, take
from bulkip.model import JsonValue
from bulkip.run.locking import FILE_NAME
from bulkip.run.runs import DamagedRun, KeptRun, kept_runs
from bulkip.shards import SHARD
from bulkip.store import RunHeader
from bulkip.store.retained import Retained, remove_store

YOUNG_S = 90 * 86400.0
"""Writes younger than this keep their run: until then somebody may want to undo them."""


@dataclass(slots=True)
class Swept:
    """What a sweep did: how many runs it removed, kept by rule, and could not read."""

    removed: int = 0
    spared: int = 0
    damaged: int = 0

    def __str__(self) -> str:
        parts = [f"{self.removed:,} removed", f"{self.spared:,} older kept by rule"]
        parts += [f"{self.damaged:,} unreadable left alone"] if self.damaged else []
        return ", ".join(parts)


def sweep(run_dir: Path, ended: RunHeader, keep: int, now: float, warn: Callable[[str], None]) -> Swept:
    """Remove the older runs of a job but the newest `keep`, the one that has just ended included.

    Rehearsals, checks and each shard of a job are counted apart from its real runs. A run
    stays whose writes are younger than 90 days, which can be resumed, which
    holds an unknown write, or which somebody is at; so does what is no run of ours.
    `now` is in Unix seconds.
    """
    swept = Swept()
    if (run_dir / "runs").is_symlink():
        warn(f"{run_dir / 'runs'}: --keep removes nothing here, because this is a link to another place")
        return swept
    alike = [run for run in _runs(run_dir, swept) if _kind(run.header) == _kind(ended)]
    old = [run for run in alike if run.folder.name != ended.id][max(keep - 1, 0) :]
    for run in old:
        try:
            _remove(run.folder, now, swept)
        except (OSError, StoreError) as error:
            swept.spared += 1
            why = getattr(error, "strerror", None) or error
            warn(f"{run.folder}: this run is older than the {keep} to keep, but cannot be removed: {why}")
    return swept


def _kind(header: RunHeader) -> tuple[str, bool, bool, JsonValue]:
    return header.job_name, header.simulated, header.is_check, header.settings.get(SHARD)


def _runs(run_dir: Path, swept: Swept) -> list[KeptRun]:
    """Return the runs that can be read, the newest first; what a link leads to is none of them."""
    found = []
    for run in kept_runs(run_dir):
        if isinstance(run, DamagedRun):
            swept.damaged += 1
        elif not run.folder.is_symlink():
            found.append(run)
    return found


def _remove(folder: Path, now: float, swept: Swept) -> None:
    """Remove a run unless it is needed; nobody can take it up while its lock is ours."""
    ours = Holder("keep", folder.name, os.getpid(), socket.gethostname(), now)
    lock = take(folder / FILE_NAME, ours)
    if lock is None:
        swept.spared += 1
        return
    with lock:
        with Retained(folder) as run:
            reason = run.reason(now - YOUNG_S)
        if reason is not None:
            swept.spared += 1
            return
        with suppress(FileNotFoundError):
            remove_store(folder)
        swept.removed += 1

"""A run store that is there only while a plan is looked at: nothing of it stays, and it is no run."""

import os
import shutil
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bulkip.errors import StoreError
from bulkip.lock import Holder, take
from bulkip.run.locking import FILE_NAME, Locks
from bulkip.run.planning import Prepared, RunPlace, new_run_id, now_utc
from bulkip.store.files import make_folder
from bulkip.store.schema import storage_errors

PLANS = "plans"
"""Where plans are made, below the folder of the runs."""
SURELY_LOCKED_S = 60.0
"""A plan takes its lock at once; a folder that old without one was left by a process that was killed."""


@contextmanager
def short_lived(run_dir: Path, locks: Locks) -> Iterator[RunPlace]:
    """Make a place for a plan that is removed at the end of the block, with what killed plans left."""
    run_id = new_run_id(now_utc())
    place = RunPlace(run_id, run_dir / PLANS / run_id)
    try:
        with storage_errors(place.folder):
            make_folder(place.folder)
        locks.take_run(place.folder)
        _sweep(place.folder.parent)
        yield place
    finally:
        shutil.rmtree(place.folder, ignore_errors=True)
        with suppress(OSError):
            place.folder.parent.rmdir()  # the last one removes the folder of all plans


def _sweep(plans: Path) -> None:
    """Remove what plans left whose process was killed; it has lost its lock."""
    with suppress(OSError):
        for folder in plans.iterdir():
            if time.time() - folder.stat().st_mtime > SURELY_LOCKED_S:
                _remove_unlocked(folder)


def _remove_unlocked(folder: Path) -> None:
    ours = Holder("plan", folder.name, os.getpid(), socket.gethostname(), time.time())
    with suppress(StoreError):
        lock = take(folder / FILE_NAME, ours)
        if lock is not None:
            with lock:
                shutil.rmtree(folder, ignore_errors=True)


def is_short_lived(prepared: Prepared) -> bool:
    """Say whether a store is only a plan's, so that nobody can name it later."""
    return prepared.remote is None and prepared.run_dir.parent.name == PLANS

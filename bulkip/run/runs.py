"""Which runs there are, and which one a user means."""

import re
from pathlib import Path

from bulkip.errors import StoreError, UsageError
from bulkip.store import RunReader
from bulkip.store.schema import store_path

NEWEST = re.compile(r"last(?:~(\d{1,6}))?")


def find_run(run_dir: Path, name: str) -> Path:
    """Return the folder of the run with this id, unique prefix, `last` or `last~N`; raises UsageError.

    `last` is the newest run that executed, a rehearsal included; a plan that
    was never started is not a run.
    """
    folders = sorted(folder for folder in _folders(run_dir) if store_path(folder).is_file())
    if match := NEWEST.fullmatch(name):
        return _newest(folders, int(match[1] or 0), run_dir)
    found = [folder for folder in folders if folder.name.startswith(name)]
    if len(found) == 1 or (found and found[0].name == name):  # a whole id sorts before what it begins
        return found[0]
    if found:
        names = ", ".join(folder.name for folder in found[:5])
        raise UsageError(f"`{name}` fits {len(found)} runs ({names}); write more of the id")
    raise UsageError(f"no run `{name}` in {run_dir}; {_way_out(folders)}")


def _newest(folders: list[Path], back: int, run_dir: Path) -> Path:
    started = {folder: at for folder in folders if (at := _started_at(folder)) is not None}
    executed = sorted(started, key=lambda folder: started[folder], reverse=True)
    if back < len(executed):
        return executed[back]
    raise UsageError(f"there are {len(executed)} executed runs in {run_dir}; `bulkip run JOB` makes one")


def _started_at(folder: Path) -> float | None:
    try:
        with RunReader(folder) as reader:
            at = reader.last_start().get("started_at")
    except StoreError:
        return None
    return float(at) if at is not None else None


def _folders(run_dir: Path) -> list[Path]:
    runs = run_dir / "runs"
    return [folder for folder in runs.iterdir() if folder.is_dir()] if runs.is_dir() else []


def _way_out(folders: list[Path]) -> str:
    return f"the newest is {folders[-1].name}" if folders else "`bulkip run JOB` makes one"

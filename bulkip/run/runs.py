"""Which runs there are, and which one a user means."""

import re
from pathlib import Path

from bulkip.errors import StoreError, UsageError
from bulkip.quantities import counted
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
    """Return the run that started last, or the one so many before it; a newer one must not be unreadable."""
    started: dict[Path, float] = {}
    broken: dict[Path, StoreError] = {}
    for folder in folders:
        try:
            started |= _started(folder)
        except StoreError as error:
            broken[folder] = error
    executed = sorted(started, key=lambda folder: started[folder], reverse=True)
    for folder, unreadable in broken.items():
        if not executed or folder.name > executed[0].name:
            raise unreadable
    if back < len(executed):
        return executed[back]
    runs = counted(len(executed), "run")
    raise UsageError(f"{run_dir} holds {runs} that executed; name one of them, or `bulkip run JOB` makes one")


def _started(folder: Path) -> dict[Path, float]:
    with RunReader(folder) as reader:
        at = reader.last_start().get("started_at")
    return {} if at is None else {folder: float(at)}


def _folders(run_dir: Path) -> list[Path]:
    runs = run_dir / "runs"
    return [folder for folder in runs.iterdir() if folder.is_dir()] if runs.is_dir() else []


def _way_out(folders: list[Path]) -> str:
    return f"the newest is {folders[-1].name}" if folders else "`bulkip run JOB` makes one"

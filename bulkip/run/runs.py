"""Which runs there are, and which one a user means."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from bulkip.errors import StoreError, UsageError
from bulkip.model import Counts
from bulkip.quantities import counted
from bulkip.store import RunHeader, RunReader
from bulkip.store.home import NEWEST
from bulkip.store.schema import store_path

STAMP = "%Y%m%dT%H%M%S"
"""How an id begins: with the moment of planning, in UTC."""


@dataclass(frozen=True, slots=True)
class KeptRun:
    """A run, or a plan that was never started: what it is, where its items stand, and its newest start."""

    folder: Path
    header: RunHeader
    counts: Counts
    last_start: Mapping[str, float | int | str | None]

    @property
    def at(self) -> float:
        """When it started last, else when it was planned; in Unix seconds."""
        return float(self.last_start.get("started_at") or self.header.created_at)


@dataclass(frozen=True, slots=True)
class DamagedRun:
    """A run whose store cannot be read, and why."""

    folder: Path
    reason: str

    @property
    def at(self) -> float:
        """When it was planned, as far as its name says."""
        try:
            return (
                datetime.strptime(self.folder.name.partition("-")[0], STAMP).replace(tzinfo=UTC).timestamp()
            )
        except ValueError:
            return 0.0


def kept_runs(run_dir: Path) -> list[KeptRun | DamagedRun]:
    """Return every run that is kept, the newest first: the one that started last, as `last` counts."""
    runs = [_kept(folder) for folder in _folders(run_dir) if _holds_store(folder)]
    return sorted(runs, key=lambda run: (run.at, run.folder.name), reverse=True)


def _kept(folder: Path) -> KeptRun | DamagedRun:
    try:
        with RunReader(folder) as reader:
            kept = KeptRun(folder, reader.header(), reader.counts(), reader.last_start())
        datetime.fromtimestamp(kept.at, UTC)
    except StoreError as error:
        return DamagedRun(folder, str(error))
    except (ArithmeticError, OSError, TypeError, ValueError) as error:  # bytes that SQLite took for good
        return DamagedRun(folder, f"{store_path(folder)}: run store: damaged: {error}")
    return kept


def _holds_store(folder: Path) -> bool:
    """Say whether there is a store; where it cannot be seen, opening it will tell why."""
    try:
        return store_path(folder).exists()
    except OSError:
        return True


def find_run(run_dir: Path, name: str, *, checks: bool = True) -> Path:
    """Return the folder of the run with this id, unique prefix, `last` or `last~N`; raises UsageError.

    `last` is the newest run that executed, a rehearsal included; a plan that
    was never started is not a run, nor is a check where `checks` do not count.
    """
    folders = run_folders(run_dir)
    if match := NEWEST.fullmatch(name):
        return _newest(folders, int(match[1] or 0), run_dir, checks=checks)
    found = [folder for folder in folders if folder.name.startswith(name)]
    if len(found) == 1 or (found and found[0].name == name):  # a whole id sorts before what it begins
        return found[0]
    if found:
        names = ", ".join(folder.name for folder in found[:5])
        raise UsageError(f"`{name}` fits {len(found)} runs ({names}); write more of the id")
    raise UsageError(f"no run `{name}` in {run_dir}; {_way_out(folders)}")


def run_folders(run_dir: Path) -> list[Path]:
    """Return the folders of all runs, in the order in which they were planned."""
    return sorted(folder for folder in _folders(run_dir) if store_path(folder).is_file())


def _newest(folders: list[Path], back: int, run_dir: Path, *, checks: bool) -> Path:
    """Return the run that started last, or the one so many before it; a newer one must not be unreadable."""
    started: dict[Path, float] = {}
    broken: dict[Path, StoreError] = {}
    for folder in folders:
        try:
            started |= _started(folder, checks=checks)
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


def _started(folder: Path, *, checks: bool) -> dict[Path, float]:
    with RunReader(folder) as reader:
        if not checks and reader.header().is_check:
            return {}
        at = reader.last_start().get("started_at")
    return {} if at is None else {folder: float(at)}


def _folders(run_dir: Path) -> list[Path]:
    runs = run_dir / "runs"
    try:
        return [folder for folder in runs.iterdir() if folder.is_dir()] if runs.is_dir() else []
    except OSError as error:
        raise StoreError(f"{runs}: cannot be read: {error.strerror}; check its permissions") from error


def _way_out(folders: list[Path]) -> str:
    return f"the newest is {folders[-1].name}" if folders else "`bulkip run JOB` makes one"

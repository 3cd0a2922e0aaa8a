"""One loop of the crash test: a run that is killed again and again, resumed until it is done, and judged."""

import os
import pty
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import Any

from tests.chaos.forked import Start, ended, started
from tests.chaos.hardship import NETWORKS, SERVER, Hardship
from tests.chaos.laws import Kind, Violation, moved, unfinished, violations
from tests.chaos.moments import Moment, Sight, drawn, kill_at
from tests.chaos.spellings import secrets_below
from tests.chaos.witness import LogTail, Witness, rows_of, run_folder
from tests.providerprocess import Provider, provider

MOST_RESUMES = 12
FINE = frozenset({0, 3})
ALL_ENDED = frozenset({0, 3, 6, 9})
"""How a start may end in a loop: done, done with failures, halted, or with a write that is still in doubt."""
FIRST = ("run", "job.yaml")


@dataclass(frozen=True, slots=True)
class Figures:
    """What came of one loop or of many, in numbers."""

    loops: int = 1
    kills: Mapping[str, int] = field(default_factory=dict)
    writes: int = 0
    executed: int = 0
    failed: int = 0
    violations: tuple[Violation, ...] = ()

    def __add__(self, other: "Figures") -> "Figures":
        return Figures(
            self.loops + other.loops,
            Counter(self.kills) + Counter(other.kills),
            self.writes + other.writes,
            self.executed + other.executed,
            self.failed + other.failed,
            self.violations + other.violations,
        )

    def count(self, kind: Kind) -> int:
        """Return how many violations are of a kind."""
        return sum(found.kind is kind for found in self.violations)


@dataclass(slots=True)
class Loop:
    """A run on its way through its kills: where it lives, who watches it, and what was found."""

    home: Path
    hardship: Hardship
    witness: Witness
    rng: Random
    kills: Counter[str] = field(default_factory=Counter)
    found: dict[str, Violation] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)

    @property
    def run_dir(self) -> Path | None:
        """The folder of the run; None while nothing is planned."""
        return run_folder(self.home / ".bulkip")

    def command(self) -> tuple[str, ...]:
        """Return how the run is begun, or gone on with."""
        run_dir = self.run_dir
        return FIRST if run_dir is None else ("resume", run_dir.name)

    def note(self, violations: Iterable[Violation], when: str) -> None:
        """Keep what was found, and when it was found first."""
        for one in violations:
            self.found.setdefault(str(one), replace(one, text=f"{one.text} ({when})"))

    def environment(self) -> dict[str, str]:
        """Return the environment of the user, whose locks and secrets are his own."""
        return {"HOSTKEY_TOKEN": self.hardship.token, "XDG_STATE_HOME": str(self.home / "state")}


def crash_loop(folder: Path, seed: int, writes: int) -> Figures:
    """Kill a run at moments drawn from a seed, resume it until it has finished, and return what was found."""
    rng = Random(seed)  # noqa: S311 - a seed is there to be repeated
    hardship = Hardship.drawn(rng, writes)
    with _served(folder, hardship, seed) as api:
        loop = _begun(folder, hardship, api, rng)
        for moment in drawn(rng, writes):
            _kill(loop, moment)
        _finish(loop)
        loop.note(_secrets(loop), "at the end")
        return _figures(loop)


@contextmanager
def _served(folder: Path, hardship: Hardship, seed: int) -> Iterator[Provider]:
    """Serve the provider of a loop from a folder of its own."""
    theirs = folder / "provider"
    theirs.mkdir()
    hardship.write_faults(theirs / "faults.yaml", seed)
    groups = [option for network in NETWORKS for option in ("--addresses", f"{network}.0/24={SERVER}")]
    files = ("--faults", str(theirs / "faults.yaml"), "--state", str(theirs / "state.db"))
    with provider(theirs, "--token", hardship.token, *groups, *files) as api:
        yield api


def _begun(folder: Path, hardship: Hardship, api: Provider, rng: Random) -> Loop:
    home = folder / "home"
    home.mkdir()
    hardship.write_job(home, api.url)
    witness = Witness(hardship.plan, LogTail(api.log), folder / "provider" / "state.db")
    return Loop(home, hardship, witness, rng)


def _kill(loop: Loop, moment: Moment) -> None:
    """Start the run, kill it at a moment, and look at what it left."""
    asks = moment.stage == "asking"
    start = Start((*loop.command(), "-q", *(() if asks else ("--yes",))), loop.home, loop.environment())
    with (
        _terminal() if asks else _no_terminal() as (path, said),
        started(replace(start, terminal=path)) as run,
    ):
        reports = loop.home / "out"
        old = _stamps(reports)
        if kill_at(run, moment, Sight(loop.witness.log, said, lambda: _stamps(reports) != old)):
            loop.kills[moment.stage] += 1
        else:
            loop.note(_bad_end(run.code(), run.told.read_text(errors="replace"), asks=asks), str(moment))
    _look(loop, str(moment))


def _stamps(folder: Path) -> dict[str, int]:
    """Return the files of a folder, those with temporary names too, with their times."""
    found = {}
    for entry in os.scandir(folder):
        try:
            found[entry.name] = entry.stat().st_mtime_ns
        except FileNotFoundError:
            found[entry.name] = 0
    return found


@contextmanager
def _terminal() -> Iterator[tuple[str | None, Any]]:
    """Open a terminal for the program to sit at, and give what it shows."""
    ours, theirs = pty.openpty()
    os.set_blocking(ours, False)
    shown = bytearray()

    def said() -> str:
        with suppress(BlockingIOError):
            shown.extend(os.read(ours, 65536))
        return shown.decode(errors="replace")

    try:
        yield os.ttyname(theirs), said
    finally:
        os.close(ours)
        os.close(theirs)


@contextmanager
def _no_terminal() -> Iterator[tuple[str | None, Any]]:
    yield None, lambda: ""


def _look(loop: Loop, when: str) -> None:
    """Render the report of a run as it is now, and hold it against the laws."""
    run_dir = loop.run_dir
    if run_dir is None:
        sent = loop.witness.log.entries
        loop.note([Violation(Kind.UNACCOUNTED, f"{one['action']} without a run") for one in sent], when)
        return
    rows, problem = rows_of(run_dir, loop.home)
    if problem:
        loop.note([Violation(Kind.LOST, problem)], when)
        return
    loop.note(violations(loop.witness.evidence(run_dir, rows)), when)
    loop.note(moved(loop.rows, rows), when)
    loop.rows = rows


def _finish(loop: Loop) -> None:
    """Resume until nothing is left."""
    for _ in range(MOST_RESUMES):
        done = ended(*loop.command(), "-q", "--yes", folder=loop.home, environment=loop.environment())
        loop.note(_bad_end(done.code, done.out, asks=False), "resume")
        _look(loop, f"at the end, exit {done.code}")
        if not _left(loop):
            break
    run_dir = loop.run_dir
    assert run_dir is not None
    loop.note(unfinished(loop.witness.evidence(run_dir, loop.rows)), "at the end")


def _left(loop: Loop) -> bool:
    return any(row["status"] in {"not_run", "unknown"} for row in loop.rows)


def _bad_end(code: int, told: str, *, asks: bool) -> list[Violation]:
    """Return what is wrong with an exit code; 2 says that the run had finished already."""
    known = {*ALL_ENDED, 2, *([5] if asks else [])}
    last = (told.splitlines() or [""])[-1]
    return [] if code in known else [Violation(Kind.BOOKS, f"a start ended with exit {code}: {last}")]


def _secrets(loop: Loop) -> list[Violation]:
    token = loop.hardship.token
    return [Violation(Kind.SECRET, found) for found in secrets_below(loop.home, token)]


def _figures(loop: Loop) -> Figures:
    log = loop.witness.log
    executed = sum(entry["action"] == "update_ptr" and entry["effect"] for entry in log.entries)
    failed = sum(row["status"] == "failed" for row in loop.rows)
    return Figures(1, loop.kills, log.seen("update_ptr"), executed, failed, tuple(loop.found.values()))

"""Can a run be believed? Its laws recounted from the store alone, its files, and what is left to do."""

import os
import socket
import stat
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from bulkip.actions import ACTIONS
from bulkip.errors import StoreError
from bulkip.exitcode import Ending, ExitCode, exit_code
from bulkip.lock import Holder, holder_of, take
from bulkip.model import Counts, Status
from bulkip.quantities import counted
from bulkip.reports.commands import command
from bulkip.reports.nextsteps import Left, Step, next_steps
from bulkip.run.again import REBASED, UNSETTLED
from bulkip.run.findings import Finding, Grade, doubtful, fine, wrong
from bulkip.run.locking import FILE_NAME as LOCK_NAME
from bulkip.run.locking import in_words
from bulkip.run.planning import WRITING
from bulkip.store import PROOF_REQUIRED, RunHeader
from bulkip.store.laws import MEANINGS, Law
from bulkip.store.recount import Breach, Recount, Sums, counts_of
from bulkip.store.schema import store_path
from bulkip.tolerance import FAIL_ON, judged, tolerance_kept

FINISHED = frozenset({ExitCode.OK, ExitCode.ITEMS_FAILED, ExitCode.UNKNOWN_WRITES})
"""With these a run says that every item has ended, and how."""
DEFAULT_ATTEMPTS = 5
OTHERS = stat.S_IRWXG | stat.S_IRWXO


@dataclass(frozen=True, slots=True)
class Checkup:
    """What is known of a run's health, and how to go on with it."""

    header: RunHeader
    sums: Sums
    findings: tuple[Finding, ...]
    steps: tuple[Step, ...]

    @property
    def counts(self) -> Counts:
        """The items by status, as far as there are such statuses."""
        return Counts(counts_of(self.sums.by_status))


def checkup(folder: Path) -> Checkup:
    """Recount a run; raises StoreError when its store cannot be read at all."""
    holder = running(folder)
    files = tuple(_files(folder, going_on=holder is not None))  # before opening, which may leave files
    with Recount(folder, WRITING.actions, frozenset(ACTIONS)) as recount:
        header = recount.header()
        if damage := recount.damage():
            broken = [_damaged(text) for text in damage]
            return Checkup(header, Sums({}, 0, 0, 0), (*broken, *files, *_laws(recount, header, None)), ())
        sums, whole = recount.sums(), fine("file", f"{recount.path} is whole")
        found = (whole, *files, *_laws(recount, header, sums), _state(recount, sums, holder))
        return Checkup(header, sums, found, tuple(_steps(recount, sums, folder)))


def _damaged(text: str) -> Finding:
    way_out = "keep a copy, save what can be read with `bulkip report RUN`, and run the job again"
    return wrong("file", f"the store is damaged: {text}", way_out, ExitCode.ITEMS_FAILED)


def _files(folder: Path, *, going_on: bool) -> Iterator[Finding]:
    """Yield what is wrong with the files of a run, or left over from a process that was killed."""
    store = store_path(folder)
    for path in sorted(path for path in folder.glob(f"{store.stem}*") if path.exists()):
        mode = path.stat().st_mode  # of the file itself, wherever a link leads
        if mode & OTHERS:
            text = f"others can open {path} (mode {stat.S_IMODE(mode):04o})"
            yield wrong("file", text, f"chmod 600 {path}", ExitCode.ITEMS_FAILED)
    for name in (f"{store.name}-wal", f"{store.name}-journal"):
        if not going_on and (folder / name).exists():
            text = f"{folder / name} is there: the run was killed"
            yield doubtful("file", text, "leave it where it is: the next command that writes takes it in")
    for left in (store.with_suffix(".partial"), folder / REBASED):
        if left.exists():
            text = f"{left} was left by a process that was killed while it planned"
            yield doubtful("file", text, f"when nothing is running: rm -r {left}")


def _laws(recount: Recount, header: RunHeader, sums: Sums | None) -> Iterator[Finding]:
    """Yield law by law what breaks it, or that nothing does; a damaged store has no `sums`."""
    attempts = _attempts(header)
    for law in Law:
        try:
            found = [_told(breach) for breach in recount.breaches(law, attempts)]
            found += _missing(recount, sums) if sums and law is Law.L1 else []
            found += _books(recount, header, sums) if sums and law is Law.L7 else []
        except StoreError as error:
            way_out = "the store is damaged; see above"
            found = [wrong(law, f"cannot be recounted: {error}", way_out, ExitCode.ITEMS_FAILED)]
        yield from found or [fine(law, MEANINGS[law])]


def _attempts(header: RunHeader) -> int:
    """Return the frozen `retry.attempts`."""
    match header.settings:
        case {"retry": {"attempts": int(attempts)}}:
            return attempts
        case _:
            return DEFAULT_ATTEMPTS


def _told(breach: Breach) -> Finding:
    return Finding(
        subject=breach.law,
        grade=Grade.WRONG,
        text=f"{counted(breach.count, 'time')}: {breach.wrong}",
        way_out=breach.way_out,
        places=tuple(map(str, breach.spots)),
        count=breach.count,
        code=ExitCode.ITEMS_FAILED,
    )


def _missing(recount: Recount, sums: Sums) -> list[Finding]:
    """Compare the items with how many the plan froze."""
    planned = recount.planned_items()
    if planned is None or planned == sums.items:
        return []
    text = f"the plan froze {counted(planned, 'item')}, the store holds {sums.items:,}"
    way_out = "something else changed this store: keep a copy of it and run the job again"
    return [wrong(Law.L1, text, way_out, ExitCode.ITEMS_FAILED)]


def _books(recount: Recount, header: RunHeader, sums: Sums) -> list[Finding]:
    """Add the statuses up, and compare them with the exit code that the run ended with."""
    found = []
    total = sum(sums.by_status.values())
    if total != sums.items:
        text = f"the statuses add up to {total:,}, the plan has {counted(sums.items, 'item')}"
        way_out = "the store is damaged: keep a copy of it and run the job again"
        found.append(wrong(Law.L7, text, way_out, ExitCode.ITEMS_FAILED))
    told, due = _exit_codes(recount, header, sums)
    if told != due:
        text = f"the run ended with exit code {told}, its rows say {due}"
        way_out = "believe the rows, when all else here is ok; `bulkip report RUN` shows them"
        found.append(wrong(Law.L7, text, way_out, ExitCode.ITEMS_FAILED))
    return found


def _exit_codes(recount: Recount, header: RunHeader, sums: Sums) -> tuple[object, object]:
    """Return the code that a run ended with and the one due to its rows; twice the same where none is due."""
    start, counts = recount.last_start(), Counts(counts_of(sums.by_status))
    told = start.get("exit_code")
    provable = recount.remembered(PROOF_REQUIRED) is True  # a later look may have proved what was not
    unfit = told not in FINISHED or provable or counts.of(Status.NOT_RUN)
    return (told, told) if unfit or not _is_of_this_plan(start, header) else (told, _due(recount, counts))


def _due(recount: Recount, counts: Counts) -> int:
    """Return the code that is due to counts, less what the run was to tolerate."""
    return exit_code(Ending(judged(counts, tolerance_kept(recount.remembered(FAIL_ON)))))


def _is_of_this_plan(start: Mapping[str, object], header: RunHeader) -> bool:
    """Say whether a start carried out the plan that is here; a rebase makes another one."""
    match start.get("started_at"), header.created_at:
        case (int() | float() as began, int() | float() as planned):
            return began >= planned
        case _:
            return False


def _state(recount: Recount, sums: Sums, holder: str | None) -> Finding:
    """Return how far the run has come."""
    start = recount.last_start()
    if not start:
        return fine("state", "planned, never started")
    number = f"start {start['number']}"
    if start["finished_at"] is not None:
        reason = f": {start['reason']}" if start["reason"] else ""
        return fine("state", f"{number} ended with exit code {start['exit_code']}{reason}")
    if holder is not None:
        return fine("state", f"{number} is going on: {holder}")
    flying = f" with {counted(sums.unended, 'call')} under way" if sums.unended else ""
    return doubtful("state", f"{number} was killed{flying}", "go on with the command below")


def running(folder: Path) -> str | None:
    """Return who is at a run now, in words; None when nobody is, or when that cannot be found out."""
    path = folder / LOCK_NAME
    if not path.exists():
        return None
    try:
        lock = take(path, Holder("doctor", "", os.getpid(), socket.gethostname(), time.time()))
    except StoreError:
        return None
    if lock is not None:  # a killed run leaves the file, and nobody holds it
        lock.release()
        return None
    holder = holder_of(path)
    return in_words(holder) if holder else "its lock does not say by whom"


def _steps(recount: Recount, sums: Sums, folder: Path) -> Iterator[Step]:
    """Yield what to do next; a resume leaves alone the writes that no read can show."""
    counts, merged = Counts(counts_of(sums.by_status)), recount.header().is_merged
    ip = recount.first_address(Status.UNKNOWN) if counts.of(Status.UNKNOWN) else None
    if recount.items_left() or recount.chosen(UNSETTLED):
        yield from next_steps(Left(counts, doubtful_ip=ip, merged=merged), folder)
        return
    yield from next_steps(Left(Counts({Status.FAILED: counts.of(Status.FAILED)}), merged=merged), folder)
    if ip is not None:
        text = f"what is known of a write in doubt; `bulkip retry {folder.name}` would send it again"
        yield Step(command("explain", folder, ip), text)

"""Which run a page is about, how it ended, and what its reader does next."""

from collections.abc import Iterator
from dataclasses import dataclass

from bulkip.model import JsonValue
from bulkip.progress.figures import lasted
from bulkip.quantities import counted
from bulkip.reports.commands import lifting
from bulkip.reports.htmlpage.overview import Overview
from bulkip.reports.htmlpage.pace import rates_of
from bulkip.reports.nextsteps import Left, next_steps
from bulkip.reports.rows import iso
from bulkip.reports.tolerated import tolerated
from bulkip.store import CallFigures, RunHeader, StoredRow, unlooked

ENDINGS = {
    0: "everything succeeded",
    1: "a bug in bulkip",
    2: "wrong use or wrong input",
    3: "some items failed",
    4: "not as expected",
    5: "stopped before the first write",
    6: "halted on the way",
    7: "no access",
    8: "another run held the lock",
    9: "a write is in doubt",
    129: "stopped by SIGHUP",
    130: "stopped by SIGINT",
    143: "stopped by SIGTERM",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a run ended: its code (None when it has not ended), words, and the tone of their colour."""

    code: int | None
    words: str
    tone: str
    reason: str | None


def verdict_of(figures: CallFigures, overview: Overview) -> Verdict:
    """Return how the newest start of a run ended."""
    start = figures.last_start()
    if not start:
        return Verdict(None, "planned, never started", "idle", None)
    code = start["exit_code"]
    if not isinstance(code, int):
        return Verdict(None, "not ended: still running, or killed", "doubt", None)
    if code == 0 and (passed := "; ".join(tolerated(figures, overview.counts))):
        return Verdict(code, f"tolerated: {passed}", "warn", None)
    tone = "good" if code == 0 else "warn" if code in {3, 4, 6, 129, 130, 143} else "bad"
    reason = start["reason"]
    return Verdict(code, ENDINGS.get(code, "ended"), tone, None if reason is None else str(reason))


def kind_of(header: RunHeader, overview: Overview) -> str:
    """Return what sort of a run it is, in two or three words."""
    if header.is_check:
        return "Check"
    kinds = {
        "update_ptr": "PTR update",
        "get_traffic": "traffic",
        "set_main": "main addresses",
        "get_ptr": "PTR reading",
    }
    told = " and ".join(sorted({kinds.get(action, "reading") for action in overview.actions})[:2]) or "run"
    return told[0].upper() + told[1:]


def facts_of(figures: CallFigures, header: RunHeader) -> Iterator[tuple[str, str]]:
    """Yield what is known of a run, as labels and texts."""
    starts, place = figures.starts(), figures.home
    yield "Run", place.name
    yield "Job", f"{header.job_name} ({header.job_path})"
    yield "API", header.url
    yield from _part(header)
    for start in starts[-3:]:
        yield f"Start {start['number']}" if len(starts) > 1 else "Started", _start(start)
    calls, seconds = figures.pace()
    is_steady = seconds >= 1 and len(starts) == 1
    reached = f", {calls / seconds:.1f} a second over {lasted(seconds)}" if is_steady else ""
    yield "Calls", f"{calls:,}{reached}"
    if rates := rates_of(header.settings):
        yield "Limits", ", ".join(text for text, _ in rates)
    yield from _waits(figures.remembered("waits"))
    yield "Digest of the job", header.job_digest[:16]
    yield "Made by", f"bulkip {header.version}"


def _part(header: RunHeader) -> Iterator[tuple[str, str]]:
    """Yield which part of its job a run is, or of which parts it was made."""
    match header.settings:
        case {"shard": str(shard)}:
            yield "Shard", shard
        case {"merged": {"of": int(count), "missing": list(missing)}}:
            without = f", without {', '.join(map(str, missing))}" if missing else ""
            yield "Merged", f"{counted(count, 'shard')}{without}"
        case _:
            pass


def commands_of(figures: CallFigures, overview: Overview) -> Iterator[tuple[str, str]]:
    """Yield the commands that go on with a run, with their purpose."""
    place = figures.home
    left = Left(
        overview.counts, lifting=lifting(figures), unproved=unlooked(place), merged=figures.header().is_merged
    )
    for step in next_steps(left, place):
        yield step.command, step.purpose


def _start(start: StoredRow) -> str:
    begun, ended = start["started_at"], start["finished_at"]
    if ended is None:
        return f"{moment(begun)}, not ended"
    code = f", exit {start['exit_code']}" if start["exit_code"] is not None else ""
    return f"{moment(begun)}, took {lasted(max(0.0, ended - begun))}{code}"


def moment(seconds: float) -> str:
    """Return a time as people read it, in UTC."""
    return str(iso(seconds)).replace("T", " ")[:19] + " UTC"


def _waits(waits: JsonValue) -> Iterator[tuple[str, str]]:
    for row in waits if isinstance(waits, list) else []:
        match row:
            case {"reason": reason, "times": int(times), "seconds": int() | float() as seconds}:
                yield "Waited", f"{lasted(seconds)} in {counted(times, 'pause')}: {reason}"
            case _:
                pass

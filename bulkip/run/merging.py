"""Shards become one run again: which of them belong together, and what they come to."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bulkip.errors import Locked, StoreError, UsageError
from bulkip.exitcode import SIGNAL_BASE, Ending, ExitCode, exit_code
from bulkip.model import Counts, JsonValue, Status
from bulkip.policy import CHECK
from bulkip.quantities import counted
from bulkip.run.checkup import running
from bulkip.run.planning import new_run_id, now_utc
from bulkip.run.runs import find_run, run_folders
from bulkip.run.stages import CONFIRMED
from bulkip.shards import MERGED, SHARD, Shard, parse_shard
from bulkip.store import PROOF_REQUIRED, RunHeader, RunReader
from bulkip.store.division import WHOLE, Whole
from bulkip.store.merging import Part, merged_store
from bulkip.store.questions import OVER
from bulkip.store.schema import store_path
from bulkip.tolerance import FAIL_ON, Tolerance, judged, tolerance_kept
from bulkip.version import __version__


@dataclass(frozen=True, slots=True)
class ShardRun:
    """A run of one shard: what it is, the whole that it is a part of, and how its newest start ended."""

    part: Part
    header: RunHeader
    whole: Whole | None
    exit_code: int | None
    reason: str | None
    confirmed: bool
    proof_required: bool
    fail_on: Tolerance | None
    waits: tuple[dict[str, JsonValue], ...]

    @property
    def shard(self) -> Shard:
        """Which shard it is."""
        return self.part.shard


@dataclass(frozen=True, slots=True)
class Merged:
    """The run that shards became: its folder, its counts, the shards that are missing, and its exit code.

    `open` are the shards that did not come to their end, and can be resumed.
    """

    folder: Path
    header: RunHeader
    counts: Counts
    exit_code: int
    missing: tuple[Shard, ...]
    open: tuple[ShardRun, ...]


def merge(places: Sequence[Path], out: Path) -> Merged:
    """Join runs of shards into one new run below `out`; the shards stay as they are.

    Raises UsageError when they do not belong together or `out` holds runs
    already, Locked when one of them is going on, StoreError.
    """
    _refuse_target(out)
    found = sorted((_shard_run(place) for place in places), key=lambda run: run.shard.number)
    _refuse_strangers(found)
    header = _header(found)
    folder = out / "runs" / header.id
    missing = _missing(found)
    with merged_store(folder, header, [run.part for run in found]) as merger:
        counts = merger.counts()
        _refuse_lost(counts, found, missing)
        tolerance = _tolerance(found)
        code = exit_code(_ending(found, counts, missing, tolerance))
        merger.remember(_facts(found, tolerance))
        merger.close_books(code, _reason(found, missing))
    return Merged(folder, header, counts, code, missing, tuple(run for run in found if _is_open(run)))


def _refuse_target(out: Path) -> None:
    way_out = "name a new folder with -o"
    if out.exists() and not out.is_dir():
        raise UsageError(f"-o {out}: this is no folder; {way_out}")
    if store_path(out).exists():
        raise UsageError(f"-o {out}: this is a run; {way_out}")
    if runs := run_folders(out):
        raise UsageError(f"-o {out}: there is {counted(len(runs), 'run')} already; {way_out}")


def _shard_run(place: Path) -> ShardRun:
    """Return the run of a shard: the one in this folder, or the newest that executed below it."""
    folder = place if store_path(place).is_file() else _newest(place)
    if holder := running(folder):
        raise Locked(f"{folder}: this run is going on: {holder}; merge when it has ended")
    with RunReader(folder) as reader:
        header, start = reader.header(), reader.last_start()
        part = Part(folder, _shard_of(folder, header))
        waits, code, reason = reader.remembered("waits"), start.get("exit_code"), start.get("reason")
        return ShardRun(
            part,
            header,
            Whole.of(reader.remembered(WHOLE)),
            exit_code=code if isinstance(code, int) else None,
            reason=str(reason) if reason else None,
            confirmed=reader.remembered(CONFIRMED) is True,
            proof_required=reader.remembered(PROOF_REQUIRED) is True,
            fail_on=tolerance_kept(reader.remembered(FAIL_ON)),
            waits=tuple(row for row in waits if isinstance(row, dict)) if isinstance(waits, list) else (),
        )


def _newest(place: Path) -> Path:
    if not run_folders(place):
        raise UsageError(f"{place}: here is no run; name the folder of a run, or the --run-dir of a shard")
    return find_run(place, "last")


def _shard_of(folder: Path, header: RunHeader) -> Shard:
    if header.is_merged:
        raise UsageError(f"{folder}: this run was merged already; name the runs of its shards instead")
    text = header.settings.get(SHARD)
    if text is None:
        raise UsageError(f"{folder}: this run is of a whole job, not of a shard; there is nothing to join")
    try:
        return parse_shard(str(text))
    except ValueError as error:
        raise StoreError(f"{folder}: run store: damaged: {error}; run the shard again") from error


def _refuse_strangers(found: Sequence[ShardRun]) -> None:
    """Raise UsageError unless all are different shards of one plan."""
    first = found[0]
    for run in found[1:]:
        for what, own, other in _kinships(first, run):
            if own != other:
                raise UsageError(
                    f"{run.part.folder}: {what} is {_told(other)}, that of {first.part.folder} is "
                    f"{_told(own)}; merge the shards of one job, "
                    "all with the same lists and the same --as-of"
                )
    number, times = Counter(run.shard.number for run in found).most_common(1)[0]
    if times > 1:
        twice = [str(run.part.folder) for run in found if run.shard.number == number]
        raise UsageError(
            f"{' and '.join(twice)}: both are shard {number}/{first.shard.count}; name the one that counts"
        )


def _kinships(first: ShardRun, run: ShardRun) -> Iterator[tuple[str, object, object]]:
    """Yield what must be alike, with the value of each."""
    a, b = first.header, run.header
    yield "its number of shards", first.shard.count, run.shard.count
    yield "its job", a.job_name, b.job_name
    yield "the digest of its job file", a.job_digest, b.job_digest
    yield "`simulated`", a.simulated, b.simulated
    yield "`check`", a.is_check, b.is_check
    yield "the digest of the whole plan", _digest(first), _digest(run)


def _digest(run: ShardRun) -> str | None:
    return None if run.whole is None else run.whole.digest


def _told(value: object) -> str:
    return str(value).lower() if isinstance(value, bool | None) else str(value)


def _missing(found: Sequence[ShardRun]) -> tuple[Shard, ...]:
    count, there = found[0].shard.count, {run.shard.number for run in found}
    return tuple(Shard(number, count) for number in range(1, count + 1) if number not in there)


def _refuse_lost(counts: Counts, found: Sequence[ShardRun], missing: Sequence[Shard]) -> None:
    """Raise UsageError when all shards together are not the whole plan."""
    whole = found[0].whole
    if whole is not None and not missing and counts.total != whole.items:
        raise UsageError(
            f"the shards hold {counted(counts.total, 'item')}, the plan has {whole.items:,}; "
            "`bulkip doctor` tells which of them lost some"
        )


def _header(found: Sequence[ShardRun]) -> RunHeader:
    """Return the header of the merged run: that of the first shard, with what is of all."""
    first = found[0].header
    settings = {name: value for name, value in first.settings.items() if name != SHARD}
    until = [run.header.settings.get(OVER) for run in found]
    settings[MERGED] = {
        "of": found[0].shard.count,
        "runs": [run.header.id for run in found],
        "missing": [str(shard) for shard in _missing(found)],
    }
    if numbers := [one for one in until if isinstance(one, int | float)]:
        settings[OVER] = min(numbers)
    return replace(
        first,
        id=new_run_id(now_utc()),
        created_at=min(run.header.created_at for run in found),
        version=__version__,
        settings=settings,
    )


def _tolerance(found: Sequence[ShardRun]) -> Tolerance | None:
    """Return what all shards were to tolerate; where they differ, nothing is tolerated."""
    first = found[0].fail_on
    return first if all(run.fail_on == first for run in found) else None


def _ending(
    found: Sequence[ShardRun], counts: Counts, missing: Sequence[Shard], tolerance: Tolerance | None
) -> Ending:
    """Return all that decides about the exit code: the counts of all, and whatever stopped any of them."""
    codes = {run.exit_code for run in found}
    check = found[0].header.settings.get(CHECK)
    must_assert = isinstance(check, dict) and not check.get("allow_empty")
    return Ending(
        counts=judged(counts, tolerance),
        internal=ExitCode.INTERNAL in codes,
        signal=next((code - SIGNAL_BASE for code in codes if code is not None and code > SIGNAL_BASE), None),
        access=ExitCode.ACCESS in codes,
        safety=ExitCode.SAFETY in codes,
        halted=ExitCode.HALTED in codes or None in codes or bool(missing),
        expectation_missed=must_assert and counts.total == counts.of(Status.SKIPPED),
        proof_required=True,
    )


def _is_open(run: ShardRun) -> bool:
    """Say whether a shard did not come to its end."""
    return run.exit_code not in {0, ExitCode.ITEMS_FAILED, ExitCode.EXPECTATION, ExitCode.UNKNOWN_WRITES}


def _reason(found: Sequence[ShardRun], missing: Sequence[Shard]) -> str | None:
    parts = [
        f"shard {run.shard}: {run.reason or 'it did not come to its end'}" for run in found if _is_open(run)
    ]
    parts += [f"missing: shard {', '.join(map(str, missing))}"] if missing else []
    return "; ".join(parts) or None


def _facts(found: Sequence[ShardRun], tolerance: Tolerance | None) -> dict[str, JsonValue]:
    """Return what the merged run knows of itself."""
    whole = found[0].whole
    facts: dict[str, JsonValue] = {"waits": [*_waits(found)]}
    facts[FAIL_ON] = None if tolerance is None else str(tolerance)
    if any(run.confirmed for run in found):
        facts[CONFIRMED] = True
        facts[PROOF_REQUIRED] = any(run.proof_required for run in found)
    if whole is not None:
        facts[WHOLE] = dict(whole.told())
    return facts


def _waits(found: Sequence[ShardRun]) -> Iterator[JsonValue]:
    """Yield why shards paused, with the sums of all."""
    sums: dict[str, tuple[int, float]] = {}
    for row in (row for run in found for row in run.waits):
        match row:
            case {"reason": str(reason), "times": int(times), "seconds": int() | float() as seconds}:
                before = sums.get(reason, (0, 0.0))
                sums[reason] = (before[0] + times, before[1] + seconds)
            case _:
                pass
    for reason, (times, seconds) in sums.items():
        yield {"reason": reason, "times": times, "seconds": round(seconds, 3)}

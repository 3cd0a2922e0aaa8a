"""Has anything moved since a plan was saved? All its values are read again, before there is a run."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from bulkip.errors import AccessError, Halt, SafetyStop
from bulkip.hostnames import same_names
from bulkip.planfile import PlanFile
from bulkip.retry import text_of
from bulkip.run.carry import Way, carry_out
from bulkip.run.endpoints import OpenEndpoint
from bulkip.run.locking import Locks
from bulkip.run.planitems import planned_items
from bulkip.run.planning import now_utc, prepare_items
from bulkip.run.shortlived import short_lived
from bulkip.run.signals import Interrupted
from bulkip.settings import Job
from bulkip.stops import Stop, StopKind
from bulkip.store import RunReader

SHOWN = 5


@dataclass(frozen=True, slots=True)
class Trial:
    """What reading a plan's values again needs; `digest` says which plan it must be."""

    job: Job
    digest: str
    locks: Locks
    open: OpenEndpoint
    way: Way


def refuse_drift(path: Path, trial: Trial) -> None:
    """Raise SafetyStop when a value of a plan has moved, or cannot be read, and there is no run then.

    Raises Halt or AccessError when the values could not all be looked at.
    """
    options = trial.way.options
    with short_lived(options.run_dir, trial.locks) as place:
        with PlanFile(path) as plan:
            items = planned_items(path, plan, anew=not options.simulate)
            prepared = prepare_items(trial.job, options, items, now_utc(), place=place)
        conclusion = carry_out(prepared, trial.open, trial.way)
        if conclusion.stop is not None:
            raise _error_of(conclusion.stop)
        with RunReader(place.folder) as reader, PlanFile(path) as plan:
            if plan.head.digest != trial.digest:
                raise SafetyStop(
                    f"--strict: {path} was replaced meanwhile; look at the new plan, then apply it"
                )
            _refuse_moved(_moved(plan, reader))


def _refuse_moved(moved: Iterator[str]) -> None:
    shown = list(islice(moved, SHOWN))
    more = sum(1 for _ in moved)
    if shown:
        lines = ["--strict: values moved since the plan was made; plan again", *shown]
        raise SafetyStop("\n  ".join([*lines, *([f"... and {more:,} more"] if more else [])]))


def _moved(plan: PlanFile, reader: RunReader) -> Iterator[str]:
    for found, planned in zip(plan.items(), reader.items_planned(), strict=False):
        names, now = found["before"], planned.before
        if names is None:
            continue
        if now is None:
            yield f"{found['ip']}: planned from {text_of(tuple(names))}, cannot be read now"
        elif not same_names(names, now.names):
            yield f"{found['ip']}: planned from {text_of(tuple(names))}, now {text_of(now.names)}"


def _error_of(stop: Stop) -> BaseException:
    if stop.signal is not None:
        return Interrupted(stop.signal)
    return AccessError(stop.reason) if stop.kind is StopKind.ACCESS else Halt(stop.reason)

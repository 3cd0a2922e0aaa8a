"""A plan is applied in steps: a few addresses first, and more once these have gone well."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

import anyio

from bulkip.model import ErrorClass
from bulkip.policy import Percent, VerifyMode
from bulkip.quantities import counted
from bulkip.rollout import quotas
from bulkip.run.cutoffs import signalled
from bulkip.run.engine import Endpoint
from bulkip.run.planning import Prepared
from bulkip.run.signals import Interrupted, Signals
from bulkip.run.stages import Stage, StageEnd, StageRules, run_stage
from bulkip.settings.written import duration_text
from bulkip.stops import Stop, StopKind
from bulkip.store import RunReader


class Company(Protocol):
    """Whoever is there while the plan is applied."""

    def say(self, text: str) -> None:
        """Show what is good to know."""
        ...

    def go_on(self, question: str) -> bool:
        """Ask whether the next step may begin."""
        ...


Dispatch = Callable[[Stage, Prepared, Endpoint, int | None, StageRules], Awaitable[StageEnd]]
"""Carries a stage out, in this process or by many workers, and returns how it ended."""


@dataclass(frozen=True, slots=True)
class Road:
    """A plan on its way: where it leads, by which rules, who is there, and who carries its stages out."""

    prepared: Prepared
    endpoint: Endpoint
    rules: StageRules
    signals: Signals
    company: Company
    dispatch: Dispatch = run_stage

    def run(self, stage: Stage, end: StageEnd, most: float | None = None) -> StageEnd:
        """Run a stage after what has ended so; a signal that came when no stage was there stops it, too."""
        rules = self.rules if most is None else replace(self.rules, most=most)
        work = partial(self.dispatch, stage, self.prepared, self.endpoint, end.start, rules)
        ended: StageEnd = anyio.run(work, backend_options={"use_uvloop": True})
        if ended.stop is None and self.signals.held is not None:
            return replace(ended, stop=signalled(self.signals.held))
        return ended


def roll_out(road: Road, end: StageEnd, *, anew: bool) -> StageEnd:
    """Apply a plan, step by step where the job says so, and prove what was written.

    A rollout that begins `anew` has all its steps before it; another one goes
    on in the step where it was cut short.
    """
    rollout = road.prepared.job.rollout
    with RunReader(road.prepared.home) as reader:
        if anew or rollout.steps == (Percent(100),):
            total, done = reader.addresses_left(), 0
        else:
            total, done = reader.addresses_to_write()
    steps = quotas(rollout.steps, total)
    if len(steps) > 1 and 0 < done < total:
        end = _catch_up(road, end, done)
    for place, quota in enumerate(steps, start=1):
        if end.stop is not None:
            return end
        if quota <= done and quota < total:
            continue
        if len(steps) > 1:
            road.rules.allowance.begin_step(quota - done)
        end = _step(road, end, None if quota == total else quota - done, last=quota == total)
        if end.stop is not None or quota == total:
            return end
        done = quota
        end = replace(end, stop=road.rules.allowance.end_step() or _pause(road, place, len(steps), quota))
    return end if end.stop else _step(road, end, None, last=True)  # nothing is to be written


def _step(road: Road, end: StageEnd, most: int | None, *, last: bool) -> StageEnd:
    end = road.run(Stage.APPLYING, end, most)
    job = road.prepared.job
    proves = job.verify.mode is not VerifyMode.NONE and (last or job.rollout.verify_between)
    return road.run(Stage.VERIFYING, end) if proves and end.stop is None else end


def _catch_up(road: Road, end: StageEnd, done: int) -> StageEnd:
    """Prove what earlier starts wrote, where a step is not to begin before."""
    job = road.prepared.job
    if job.verify.mode is VerifyMode.NONE or not job.rollout.verify_between:
        return end
    road.rules.allowance.begin_step(done)
    end = road.run(Stage.VERIFYING, end)
    return end if end.stop else replace(end, stop=road.rules.allowance.end_step())


def _pause(road: Road, place: int, steps: int, done: int) -> Stop | None:
    """Wait between two steps, or ask; return the stop when the next one is not to begin."""
    pause = road.prepared.job.rollout.pause
    text = f"step {place} of {steps} is done, {counted(done, 'IP')} so far"
    try:
        road.signals.interrupt()
        if pause == "prompt":
            return None if road.company.go_on(f"{text}; go on? [y/N] ") else _not_wanted()
        road.company.say(f"{text}; the next one begins in {duration_text(float(pause))}" if pause else text)
        time.sleep(float(pause))
    except Interrupted as interrupted:
        return signalled(interrupted.number)
    finally:
        road.signals.hold()
    return None


def _not_wanted() -> Stop:
    reason = (
        "nobody agreed to the next step (`rollout.pause: prompt`); a resume goes on with it, --yes agrees"
    )
    return Stop(StopKind.HALT, reason, ErrorClass.CANCELLED)

"""What is true of a run inside somebody's own loop that is cancelled at any of its awaits."""

from functools import partial
from pathlib import Path

import pytest
from anyio import to_thread

from bulkip import Overrides, RunOptions, load_job, plan_job, run_job
from tests.chaos.cancelling import cancelled_at
from tests.chaos.laws import unfinished
from tests.chaos.length import LONG, patient
from tests.chaos.smallrun import TOKEN, SmallRun, small_run

PARTS = 8 if LONG else 1
SHORT_CANCELS = 18
NEVER = 10**9


@pytest.fixture(autouse=True)
def token(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the token where the job looks for it."""
    monkeypatch.setenv("HOSTKEY_TOKEN", TOKEN)


def suspensions(folder: Path) -> int:
    """Return how often a whole run is suspended when nobody cancels it."""
    with small_run(folder) as run:
        whole = cancelled_at(NEVER, partial(planned_and_applied, run))
        assert (whole.complaints, run.broken(), unfinished(run.evidence())) == ([], [], [])
    return whole.suspensions


async def planned_and_applied(run: SmallRun) -> None:
    """Plan and apply the small job through the library."""
    job = await to_thread.run_sync(load_job, run.home / "job.yaml")
    options = RunOptions(run_dir=run.home / ".bulkip", overrides=Overrides())
    async with plan_job(job, options) as plan, run_job(plan) as results:
        async for _ in results:
            pass


@patient
@pytest.mark.parametrize("part", range(PARTS))
def test_run_cancelled_at_an_await_ends_at_once_and_breaks_no_law(tmp_path: Path, part: int) -> None:
    """A cancelled run ends without a hang or a lost task; its store is true, and a resume finishes it."""
    total = suspensions(tmp_path / "whole")
    numbers = range(1, total + 1)[part::PARTS] if LONG else range(1, total, total // SHORT_CANCELS)
    broken = []

    for number in numbers:
        with small_run(tmp_path / str(number)) as run:
            found = cancelled_at(number, partial(planned_and_applied, run))
            broken += [f"{what}, cancelled at {number}" for what in [*found.complaints, *run.broken()]]
            run.finish()
            open_items = [str(item) for item in unfinished(run.evidence())]
            broken += [f"{what}, finished after {number}" for what in [*run.broken(), *open_items]]

    assert broken == [], "\n".join(broken[:20])

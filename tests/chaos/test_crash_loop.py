"""What is true of a run that was killed at any moment, whatever its provider did meanwhile."""

from pathlib import Path

import pytest

from tests.chaos.crashloop import crash_loop
from tests.chaos.length import LONG, patient

LOOPS, WRITES = (20, 250) if LONG else (6, 60)
FIRST_SEED = 20_260


@patient
@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + LOOPS))
def test_killed_run_is_resumed_to_its_end_and_breaks_no_law(tmp_path: Path, seed: int) -> None:
    """Killed while it plans, reads, asks, applies or reports, a run loses nothing and doubles nothing."""
    figures = crash_loop(tmp_path, seed, WRITES)

    again = f"python -m tests.chaos --loops 1 --writes {WRITES} --seed {seed}"
    assert figures.violations == (), "\n".join([*map(str, figures.violations[:20]), again])

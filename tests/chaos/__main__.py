"""`python -m tests.chaos`: crash loops, and what came of them in numbers.

A loop that broke a law names its seed; `python -m tests.chaos --seed S --loops 1`
draws the same job, faults and moments again.
"""

import argparse
import sys
import tempfile
import time
from functools import reduce
from operator import add
from pathlib import Path
from secrets import randbelow

from tests.chaos.crashloop import Figures, crash_loop
from tests.chaos.laws import Kind
from tests.chaos.moments import STAGES

MOST_SHOWN, TOLD_EVERY = 20, 10


def main() -> None:
    """Go through the loops, print the table, and leave with 1 when a law was broken."""
    asked = _asked()
    began = time.monotonic()
    seeds = range(asked.seed, asked.seed + asked.loops)
    _say(f"{asked.loops} loops over {asked.writes} writes; seeds {seeds[0]} to {seeds[-1]}")
    loops = []
    for seed in seeds:
        loops.append(_one(seed, asked.writes))
        if len(loops) % TOLD_EVERY == 0:
            _say(f"  {len(loops)} loops after {time.monotonic() - began:,.0f} s")
    total = reduce(add, loops)
    _show(total, time.monotonic() - began)
    sys.exit(1 if total.violations else 0)


def _asked() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--loops", type=int, default=100, help="how many runs are killed and resumed")
    parser.add_argument("--writes", type=int, default=500, help="how many addresses each of them sets")
    parser.add_argument(
        "--seed", type=int, default=randbelow(10**6), help="of the first loop; drawn otherwise"
    )
    return parser.parse_args()


def _one(seed: int, writes: int) -> Figures:
    with tempfile.TemporaryDirectory(prefix="bulkip-chaos-") as folder:
        figures = crash_loop(Path(folder), seed, writes)
    for violation in figures.violations[:MOST_SHOWN]:
        _say(f"seed {seed}: {violation}")
    return figures


def _show(total: Figures, seconds: float) -> None:
    """Print one line for each figure."""
    kills = ", ".join(f"{total.kills.get(stage, 0)} {stage}" for stage in STAGES)
    lines = [
        ("loops", f"{total.loops:,} in {seconds:,.0f} s"),
        ("kills", f"{sum(total.kills.values()):,} ({kills})"),
        ("writes on the wire", f"{total.writes:,}, of which {total.executed:,} were carried out"),
        ("items that failed", f"{total.failed:,}, none of them written"),
        *((kind.value, f"{total.count(kind):,}") for kind in Kind),
    ]
    for name, value in lines:
        _say(f"  {name:<26} {value}")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()

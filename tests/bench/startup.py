"""How long a user waits before anything happens, beside an interpreter that does nothing."""

import sys
from pathlib import Path

from tests.bench.jobs import READ, write_job, write_rows
from tests.bench.processes import Spent, bulkip, measured, say
from tests.bench.section import Section
from tests.bench.spread import Spread, ratios
from tests.bench.tables import number, spread, table

ROUNDS, QUICK_ROUNDS = 20, 5


def startup(folder: Path, *, quick: bool) -> Section:
    """Start each command in turn, a round to warm up and then those that count."""
    rounds = QUICK_ROUNDS if quick else ROUNDS
    write_rows(folder / "rows.csv", 3)
    write_job(folder / "small.yaml", "http://127.0.0.1:9/ip.php", READ)
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "bulkip --help": bulkip("--help"),
        "bulkip validate small.yaml": bulkip("validate", "small.yaml"),
    }
    say(f"startup: {rounds} rounds")
    taken: dict[str, list[Spent]] = {name: [] for name in commands}
    for lap in range(rounds + 1):
        for name, command in commands.items():
            spent = measured(command, folder)
            if lap:
                taken[name].append(spent)
    walls = {name: [one.wall_s * 1e3 for one in all_of] for name, all_of in taken.items()}
    return Section("startup", (_table(walls, taken, rounds),), {"wall_ms": walls}, _measured(walls))


def _table(walls: dict[str, list[float]], taken: dict[str, list[Spent]], rounds: int) -> str:
    bare = walls["python -c pass"]
    rows = [
        (
            name,
            f"{spread(ratios(wall, bare))} x",
            spread(Spread.of(wall)),
            number(max(one.peak_mib for one in taken[name])),
        )
        for name, wall in walls.items()
    ]
    return table(f"Start-up: {rounds} interleaved rounds", ("", "of python -c pass", "ms", "peak MiB"), rows)


def _measured(walls: dict[str, list[float]]) -> dict[str, float]:
    shown, bare = walls["bulkip --help"], walls["python -c pass"]
    return {"help_ms": Spread.of(shown).median, "help_ratio": ratios(shown, bare).median}

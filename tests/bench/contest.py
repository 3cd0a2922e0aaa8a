"""Rounds of everyone in turn against one server, and what they say: ratios first, then figures."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.bench.contestants import Contestant, contestants
from tests.bench.processes import Spent, measured, say
from tests.bench.section import Section
from tests.bench.servers import Server, any_server
from tests.bench.spread import Spread, ratios
from tests.bench.tables import number, spread, table

ITEMS, ROUNDS = 40_000, 5
QUICK_ITEMS, QUICK_ROUNDS = 4_000, 2
BESIDE = ("naive", "tuned", "curl", "xargs", "parallel")
NOTE = (
    "  whole processes, start-up included; calls as the server counts them; median of rounds (lowest-highest)"
)


@dataclass(frozen=True, slots=True)
class Round:
    """What one contestant took in one round, for calls that the server counted."""

    items: int
    calls: int
    spent: Spent

    @property
    def calls_per_s(self) -> float:
        """Calls a second of the whole process."""
        return self.calls / self.spent.wall_s

    @property
    def cpu_per_call(self) -> float:
        """Microseconds of CPU for each call."""
        return self.spent.cpu_s / self.calls * 1e6

    @property
    def cpu_per_item(self) -> float:
        """Microseconds of CPU for each item."""
        return self.spent.cpu_s / self.items * 1e6


Rounds = Mapping[str, list[Round]]


def contest(folder: Path, *, quick: bool) -> Section:
    """Let everyone run in turn, a round to warm up and then those that count."""
    items, count = (QUICK_ITEMS, QUICK_ROUNDS) if quick else (ITEMS, ROUNDS)
    with any_server(folder) as server:
        everyone = contestants(folder, server.url, items)
        rounds: dict[str, list[Round]] = {one.key: [] for one in everyone}
        for lap in range(count + 1):
            say(f"contenders: round {lap} of {count}" if lap else "contenders: a round to warm up")
            for one in everyone:
                done = _round(one, server)
                if lap:
                    rounds[one.key].append(done)
    tables = (ratio_table(everyone, rounds), figure_table(everyone, rounds, server.name, count))
    return Section("contenders", tables, _figures(everyone, rounds), budget_figures(rounds))


def _round(one: Contestant, server: Server) -> Round:
    one.before()
    counted = server.calls()
    spent = measured(one.command, one.folder, feed=one.feed)
    calls = server.calls_since(counted)
    one.after()
    return Round(one.items, calls, spent)


def ratio_table(everyone: Iterable[Contestant], rounds: Rounds) -> str:
    """Return how many times as many calls a second bulkip makes as each of the others."""
    others = [key for key in BESIDE if key in rounds]
    ours = [one for one in everyone if one.key not in BESIDE]
    rows = [(one.title, *(_ratio(rounds, one.key, other) for other in others)) for one in ours]
    return table("Calls per second, bulkip to the others (round by round)", ("", *others), rows)


def _ratio(rounds: Rounds, own: str, other: str) -> str:
    return spread(_speed_ratio(rounds, own, other)) + " x"


def _speed_ratio(rounds: Rounds, own: str, other: str) -> Spread:
    mine, theirs = ([one.calls_per_s for one in rounds[key]] for key in (own, other))
    return ratios(mine, theirs)


def figure_table(everyone: Iterable[Contestant], rounds: Rounds, server: str, count: int) -> str:
    """Return what each contestant reached and took."""
    head = ("", "calls/s", "CPU us/call", "CPU us/item", "peak MiB", "items", "calls")
    rows = [(one.title, *_cells(rounds[one.key])) for one in everyone]
    return table(f"Contenders: {count} interleaved rounds; server: {server}\n{NOTE}", head, rows)


def _cells(rounds: list[Round]) -> tuple[str, ...]:
    return (
        spread(Spread.of([one.calls_per_s for one in rounds])),
        spread(Spread.of([one.cpu_per_call for one in rounds])),
        number(Spread.of([one.cpu_per_item for one in rounds]).median),
        number(max(one.spent.peak_mib for one in rounds)),
        f"{rounds[0].items:,}",
        f"{rounds[0].calls:,}",
    )


def budget_figures(rounds: Rounds) -> dict[str, float]:
    """Return the figures that budgets are judged by: medians of the ratios of each round."""
    found: dict[str, float] = {}
    for entry, suffix in (("get_ptr_frozen", ""), ("update_ptr_frozen", "_write")):
        for other in ("naive", "tuned", "curl"):
            if other in rounds:
                found[other + suffix] = _speed_ratio(rounds, entry, other).median
    tuned = [one.cpu_per_item for one in rounds["tuned"]]
    frozen, whole = ([one.cpu_per_item for one in rounds[key]] for key in ("get_ptr_frozen", "get_ptr"))
    writes = [one.cpu_per_call for one in rounds["update_ptr_frozen"]]
    found |= {"cpu": ratios(frozen, tuned).median, "cpu_whole": ratios(whole, tuned).median}
    return found | {"cpu_write": ratios(writes, tuned).median}


def _figures(everyone: Iterable[Contestant], rounds: Rounds) -> dict[str, object]:
    return {
        one.key: {
            "title": one.title,
            "items": one.items,
            "calls": [each.calls for each in rounds[one.key]],
            "wall_s": [each.spent.wall_s for each in rounds[one.key]],
            "cpu_s": [each.spent.cpu_s for each in rounds[one.key]],
            "peak_mib": [each.spent.peak_mib for each in rounds[one.key]],
        }
        for one in everyone
    }

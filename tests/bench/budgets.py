"""Which figures were promised (design.md §8), and whether what was measured keeps them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from tests.bench.tables import number


class Sense(StrEnum):
    """On which side of its bound a figure is good."""

    AT_LEAST = ">="
    AT_MOST = "<="


@dataclass(frozen=True, slots=True)
class Budget:
    """A promise about one figure.

    Of those that share an `either`, one is enough. One that does not bind is
    shown beside its kind and promises nothing.
    """

    key: str
    what: str
    sense: Sense
    bound: float
    unit: str
    either: str = ""
    binds: bool = True

    def holds(self, measured: float) -> bool:
        """Say whether a figure keeps the promise."""
        return measured >= self.bound if self.sense is Sense.AT_LEAST else measured <= self.bound

    def margin(self, measured: float) -> str:
        """Say by how much of the bound a figure is better than promised, or worse."""
        if not self.bound:
            return f"{number(measured)} over" if measured else "met"
        apart = measured / self.bound - 1
        if self.holds(measured):
            return f"{abs(apart):.0%} better"
        return f"{abs(apart):.0%} {'short' if self.sense is Sense.AT_LEAST else 'over'}"


_MORE, _LESS = Sense.AT_LEAST, Sense.AT_MOST

BUDGETS = (
    Budget("naive", "calls/s, get_ptr, plan frozen: of the naive script", _MORE, 1.5, "x"),
    Budget("tuned", "calls/s, get_ptr, plan frozen: of the tuned loop", _MORE, 0.6, "x"),
    Budget("curl", "calls/s, get_ptr, plan frozen: of curl --parallel", _MORE, 0.3, "x"),
    Budget("cpu", "CPU per item, get_ptr, plan frozen: of the tuned loop", _LESS, 1.7, "x"),
    Budget("naive_write", "calls/s, update_ptr: of the naive script", _MORE, 1.5, "x", binds=False),
    Budget("tuned_write", "calls/s, update_ptr: of the tuned loop", _MORE, 0.6, "x", binds=False),
    Budget("curl_write", "calls/s, update_ptr: of curl --parallel", _MORE, 0.3, "x", binds=False),
    Budget("cpu_write", "CPU per call, update_ptr: of the tuned loop", _LESS, 1.7, "x", binds=False),
    Budget("cpu_whole", "CPU per item, get_ptr, planning included", _LESS, 1.7, "x", binds=False),
    Budget("window", "rate: worst 1 s window of all cases, as the server counts", _LESS, 1.0, "x"),
    Budget("reached", "rate: least that was reached of it in any case", _MORE, 0.95, "x"),
    Budget("refused", "429s of a strict server at the same rate", _LESS, 0, ""),
    Budget("memory_ratio", "peak memory of 1,000,000 items: of that of 10,000", _LESS, 1.25, "x"),
    Budget("memory", "peak memory of 1,000,000 items", _LESS, 150, "MiB"),
    Budget("planning", "planning 1,000,000 CSV rows with a template", _MORE, 40_000, "rows/s"),
    Budget("resume", "resume of 1,000,000 items, 1,000 left: first call after", _LESS, 3, "s"),
    Budget("help_ms", "bulkip --help", _LESS, 150, "ms", either="help"),
    Budget("help_ratio", "bulkip --help: of python -c pass (or the row above)", _LESS, 4, "x", either="help"),
)


def judged(measured: Mapping[str, float], budgets: Iterable[Budget] = BUDGETS) -> list[tuple[str, ...]]:
    """Return a row for each budget: what, bound, measured, whether it is reached, and by how much."""
    known = tuple(budgets)
    saved = {one.either for one in known if one.either and one.key in measured and _holds(one, measured)}
    return [_row(one, measured.get(one.key), is_saved=one.either in saved) for one in known]


def missed(measured: Mapping[str, float], budgets: Iterable[Budget] = BUDGETS) -> list[str]:
    """Return the keys of the binding budgets that were measured and are not reached."""
    known = tuple(budgets)
    rows = zip(known, judged(measured, known), strict=True)
    return [one.key for one, row in rows if row[3] == "NO"]


def _holds(budget: Budget, measured: Mapping[str, float]) -> bool:
    return budget.holds(measured[budget.key])


def _row(budget: Budget, measured: float | None, *, is_saved: bool) -> tuple[str, ...]:
    bound = f"{budget.sense} {number(budget.bound)} {budget.unit}".rstrip()
    if measured is None:
        return (budget.what, bound, "not measured", "", "")
    shown = f"{number(measured)} {budget.unit}".rstrip()
    holds = budget.holds(measured)
    if not budget.binds:
        verdict = "(yes)" if holds else "(no)"
    elif holds:
        verdict = "yes"
    else:
        verdict = "by the other" if is_saved else "NO"
    return (budget.what, bound, shown, verdict, budget.margin(measured))

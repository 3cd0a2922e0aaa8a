"""`make bench`: what bulkip costs and keeps, measured from outside, beside others in the same run.

Tables go to stdout, every figure to bench.json, and what is being measured to
stderr. Sections can be named: contenders, rate, sharing, workers, scale, startup.
"""

import argparse
import json
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType

from tests.bench.budgets import judged, missed
from tests.bench.company import Company, told
from tests.bench.contest import contest
from tests.bench.fidelity import fidelity
from tests.bench.machine import description
from tests.bench.processes import MeasuringError, say
from tests.bench.scale import scale
from tests.bench.section import Section
from tests.bench.servers import described
from tests.bench.sharing import sharing
from tests.bench.startup import startup
from tests.bench.tables import table
from tests.bench.workers import workers

Measure = Callable[..., Section]
SECTIONS: Mapping[str, Measure] = MappingProxyType(
    {
        "contenders": contest,
        "rate": fidelity,
        "sharing": sharing,
        "workers": workers,
        "scale": scale,
        "startup": startup,
    }
)
FILE = Path("bench.json")


@dataclass(frozen=True, slots=True)
class Measured:
    """A section, how long it took, and how many cores others kept busy meanwhile."""

    section: Section
    spent_s: float
    others: float | None


def main() -> int:
    """Measure the sections that were asked for, print their tables, keep the figures, return the code."""
    asked = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended, too
    found = [_measure(name, quick=asked.quick) for name in SECTIONS if name in asked.sections]
    figures = {key: value for one in found for key, value in one.section.measured.items()}
    circumstances = _circumstances(found, quick=asked.quick)
    _show(found, figures, circumstances)
    _keep(found, figures, circumstances)
    return 0 if all(one.section.figures for one in found) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=", ".join(SECTIONS))
    parser.add_argument("--quick", action="store_true", help="a tenth of the size, to try the bench itself")
    asked = parser.parse_args()
    if unknown := set(asked.sections) - set(SECTIONS):
        parser.error(f"no such section: {', '.join(sorted(unknown))}; there are: {', '.join(SECTIONS)}")
    asked.sections = asked.sections or list(SECTIONS)
    return asked


def _measure(name: str, *, quick: bool) -> Measured:
    """Measure a section in a folder of its own; one that fails leaves the others their figures."""
    began, company = time.monotonic(), Company.now()
    try:
        with TemporaryDirectory(prefix=f"bulkip-{name}-") as folder:
            section = SECTIONS[name](Path(folder), quick=quick)
    except MeasuringError as error:
        section = Section(name, (f"{name}: NOT MEASURED: {error}\n",), {})
    spent_s = time.monotonic() - began
    say(f"{name}: done in {spent_s:.0f} s")
    return Measured(section, spent_s, company.cores())


def _circumstances(found: list[Measured], *, quick: bool) -> dict[str, str]:
    """Return what the figures depend on: the machine, the servers, and who else was at work."""
    size = "a tenth of the size, no figure to keep" if quick else "full size"
    spent_s = sum(one.spent_s for one in found)
    others = {f"others during {one.section.name}": told(one.others) for one in found}
    return {**description(), "servers": described(), **others, "bench": f"{spent_s:.0f} s, {size}"}


def _show(found: list[Measured], figures: Mapping[str, float], circumstances: Mapping[str, str]) -> None:
    head = ("what", "budget", "measured", "reached", "by")
    texts = [
        table("Budgets (design.md, section 8)", head, judged(figures)),
        *(text for one in found for text in one.section.tables),
        "Machine\n" + "".join(f"  {name}: {value}\n" for name, value in circumstances.items()),
    ]
    sys.stdout.write("\n".join(texts))
    sys.stdout.flush()


def _keep(found: list[Measured], figures: Mapping[str, float], circumstances: Mapping[str, str]) -> None:
    content = {
        "machine": circumstances,
        "measured": figures,
        "missed": missed(figures),
        "budgets": judged(figures),
        "seconds": {one.section.name: round(one.spent_s, 1) for one in found},
        "sections": {one.section.name: one.section.figures for one in found},
    }
    FILE.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())

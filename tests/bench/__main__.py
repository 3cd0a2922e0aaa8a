"""`make bench`: what bulkip costs and keeps, measured from outside, beside others in the same run.

Tables go to stdout, every figure to bench.json, and what is being measured to
stderr. Sections can be named: contenders, rate, scale, startup.
"""

import argparse
import json
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType

from tests.bench.budgets import judged, missed
from tests.bench.contest import contest
from tests.bench.fidelity import fidelity
from tests.bench.machine import description
from tests.bench.processes import say
from tests.bench.scale import scale
from tests.bench.section import Section
from tests.bench.servers import described
from tests.bench.startup import startup
from tests.bench.tables import table

Measure = Callable[..., Section]
SECTIONS: Mapping[str, Measure] = MappingProxyType(
    {"contenders": contest, "rate": fidelity, "scale": scale, "startup": startup}
)
FILE = Path("bench.json")


def main() -> None:
    """Measure the sections that were asked for, print their tables, and keep the figures."""
    asked = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended, too
    began = time.monotonic()
    found = [_measure(name, quick=asked.quick) for name in SECTIONS if name in asked.sections]
    spent_s = time.monotonic() - began
    _show(found, spent_s, quick=asked.quick)
    _keep(found, spent_s, quick=asked.quick)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("sections", nargs="*", metavar="SECTION", help=", ".join(SECTIONS))
    parser.add_argument("--quick", action="store_true", help="a tenth of the size, to try the bench itself")
    asked = parser.parse_args()
    if unknown := set(asked.sections) - set(SECTIONS):
        parser.error(f"no such section: {', '.join(sorted(unknown))}; there are: {', '.join(SECTIONS)}")
    asked.sections = asked.sections or list(SECTIONS)
    return asked


def _measure(name: str, *, quick: bool) -> Section:
    """Measure a section in a folder of its own."""
    began = time.monotonic()
    with TemporaryDirectory(prefix=f"bulkip-{name}-") as folder:
        section = SECTIONS[name](Path(folder), quick=quick)
    say(f"{name}: done in {time.monotonic() - began:.0f} s")
    return section


def _show(found: list[Section], spent_s: float, *, quick: bool) -> None:
    measured = _measured(found)
    size = "a tenth of the size, no figure to keep" if quick else "full size"
    machine = [*description().items(), ("servers", described()), ("bench", f"{spent_s:.0f} s, {size}")]
    head = ("what", "budget", "measured", "reached", "by")
    texts = [
        table("Budgets (design.md, section 8)", head, judged(measured)),
        *(text for section in found for text in section.tables),
        "Machine\n" + "".join(f"  {name}: {value}\n" for name, value in machine),
    ]
    sys.stdout.write("\n".join(texts))
    sys.stdout.flush()


def _keep(found: list[Section], spent_s: float, *, quick: bool) -> None:
    measured = _measured(found)
    content = {
        "machine": description() | {"servers": described()},
        "quick": quick,
        "seconds": round(spent_s, 1),
        "measured": measured,
        "missed": missed(measured),
        "budgets": judged(measured),
        "sections": {section.name: section.figures for section in found},
    }
    FILE.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _measured(found: list[Section]) -> dict[str, float]:
    return {key: value for section in found for key, value in section.measured.items()}


if __name__ == "__main__":
    main()

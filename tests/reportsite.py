"""Pages of the HTML report and a browser that shows them, as tests of the report need them."""

import json
from collections.abc import Collection
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from bulkip.model import ErrorClass, Item, Result, Status
from bulkip.reports import FORMATS
from bulkip.reports.output import write_report
from bulkip.store import RunHeader, RunReader
from tests.chaos.hostiletexts import ATTACKS
from tests.chromium import Browser, Look, Tab
from tests.program import bulkip
from tests.storedruns import HEADER, frozen, item, settled

MIGRATION = """\
version: 1
name: migration
targets: ["203.0.113.0/26"]
actions: [{action: update_ptr, with: {id: 4711, ptr: "new-{{ ip.dashed }}.example.net"}}]
limits: {rate: [500/s, 9000/m]}
retry: {base: 10ms}
safety: {max_failed: none}
verify: {mode: api, settle: 10ms, timeout: 300ms}
"""
MIGRATION_FAULTS = """\
version: 1
faults:
  - {action: update_ptr, ip: 203.0.113.5, json: {code: -1, message: "permission denied, <b>ask</b> support"}}
  - {action: update_ptr, ip: 203.0.113.6, json: {code: -1, message: "malformed IP"}}
  - {action: update_ptr, ip: 203.0.113.8, attempt: 1, status: 503}
  - {action: update_ptr, ip: 203.0.113.9, lag: 60s}
"""
TRAFFIC = """\
version: 1
name: traffic
targets: ["203.0.113.0/28"]
actions: [{action: get_traffic, period: 2026-09-01}]
limits: {rate: 500/s}
retry: {base: 10ms}
"""
TRAFFIC_FAULTS = """\
version: 1
faults:
  - {action: get_traffic, ip: 203.0.113.5, attempt: 1, status: 503}
"""
DRAWN = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(true))))"
MANY, LARGEST = 10_000, 5_000_000
TEXTS = {
    name: text for name, text in ATTACKS.items() if isinstance(text, str) and not name.endswith("surrogates")
}
"""Attacks that never were cleaned on their way into the store; a surrogate cannot be stored."""


@dataclass(frozen=True, slots=True)
class Site:
    """Where the browser is, and which pages there are."""

    browser: Browser
    folder: Path

    def path(self, name: str) -> Path:
        """Return the file of a page."""
        return self.folder / name / "report.html"

    def open(self, name: str, look: Look | None = None) -> AbstractAsyncContextManager[Tab]:
        """Show a page."""
        return self.browser.page(self.path(name).as_uri(), look)

    def rows(self, name: str) -> list[dict[str, Any]]:
        """Return the rows of the JSON lines report of the same run."""
        return json_lines(self.folder / name / "rows.jsonl")


def json_lines(path: Path) -> list[dict[str, Any]]:
    """Return the objects of a file of JSON lines, amounts exact."""
    return [json.loads(line, parse_float=Decimal) for line in path.read_text("utf-8").split("\n")[:-1]]


def rehearse(folder: Path, job: str, faults: str) -> None:
    """Carry a job out against the simulator, and leave both reports."""
    folder.mkdir()
    (folder / "job.yaml").write_text(job)
    (folder / "faults.yaml").write_text(faults)
    reports = (
        "--report",
        "html=report.html",
        "--report",
        "jsonl=rows.jsonl",
        "--report",
        "attempts=calls.jsonl",
    )
    ended = bulkip("run", "job.yaml", "--yes", "-q", "--faults", "faults.yaml", *reports, cwd=folder)
    assert ended.code in {0, 3}, ended.err


def store_hostile(folder: Path, attacks: Collection[str] = tuple(TEXTS.values())) -> None:
    """Store a run in which every text that is shown is an attack."""
    header = replace(HEADER, job_name=TEXTS["html"], job_path=TEXTS["bidi"], url=TEXTS["html-attribute"])
    pairs = []
    for number, text in enumerate(attacks, start=1):
        one = replace(item(number), source=text, form={"ip": "203.0.113.1", "id": text, "ptr": text})
        result = Result(Status.FAILED, ErrorClass.INVALID, text, text, 200, note=text, names=(text,))
        pairs.append((one, result))
    render(folder, header, pairs)


def store_many(folder: Path) -> None:
    """Store a run of ten thousand writes, of which one in a hundred failed."""
    failed = Result(Status.FAILED, ErrorClass.PERMISSION, "-1", "permission denied", 200)
    pairs = []
    for number in range(1, MANY + 1):
        changed = Result(Status.CHANGED, http_status=200, names=(f"host-{number}.example.net",))
        pairs.append((item(number), failed if number % 100 == 0 else changed))
    render(folder, HEADER, pairs)


def render(folder: Path, header: RunHeader, pairs: list[tuple[Item, Result]]) -> None:
    """Store a run and write both of its reports."""
    frozen(folder, [one for one, _ in pairs], header)
    settled(folder, *pairs)
    for form, name in (("html", "report.html"), ("jsonl", "rows.jsonl")):
        with RunReader(folder) as reader:
            write_report(str(folder / name), FORMATS[form](reader))


async def texts(tab: Tab, selector: str) -> list[str]:
    """Return what stands in the elements of a selector."""
    found = await tab.value(
        f"[...document.querySelectorAll({json.dumps(selector)})].map((e) => e.textContent.trim())"
    )
    assert isinstance(found, list)
    return found


async def shown(tab: Tab) -> list[int]:
    """Return which items the table shows, by their number in the plan."""
    numbers = await tab.value(
        "[...document.querySelectorAll('tr[data-number]')].map((e) => +e.dataset.number)"
    )
    assert isinstance(numbers, list)
    return numbers


async def click(tab: Tab, selector: str) -> None:
    """Click the first element of a selector."""
    await tab.value(f"document.querySelector({json.dumps(selector)}).click()")


async def search(tab: Tab, words: str, found: str) -> None:
    """Type into the search field, and wait until the count says so."""
    typed = "s.dispatchEvent(new Event('input', {bubbles: true}))"
    await tab.value(
        f"(() => {{ const s = document.getElementById('search'); s.value = {json.dumps(words)}; {typed} }})()"
    )
    await tab.becomes(f"document.getElementById('found').textContent === {json.dumps(found)}")

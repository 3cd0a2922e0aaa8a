"""Who takes part: scripts that store nothing, tools of the shell, and bulkip with everything on.

Two of bulkip's entries run a job whole: start-up, planning, calls, commits and
report. The other two resume a run whose plan lies frozen in its store and of
which nothing was called yet: the same without planning.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.bench.jobs import READ, WRITE, address, lines_in, write_job, write_rows
from tests.bench.processes import MeasuringError, bulkip, measured, script

FEW, FEWER = 300, 100
"""So many calls of the tools that start a process for each."""
HALTED = 6
RUNS = "runs"
LONG = "1h"


def _nothing() -> None:
    """Prepare nothing, or look at nothing afterwards."""


@dataclass(frozen=True, slots=True)
class Contestant:
    """Somebody who makes so many calls; `before` and `after` are not timed."""

    key: str
    title: str
    items: int
    command: list[str]
    folder: Path
    feed: Path | None = None
    before: Callable[[], None] = _nothing
    after: Callable[[], None] = _nothing


def contestants(folder: Path, url: str, items: int) -> list[Contestant]:
    """Prepare everyone for jobs of so many items; writes take two calls each, so there are half of them."""
    return [*_scripts(folder, url, items), *_tools(folder, url, items), *_ours(folder, url, items)]


def _scripts(folder: Path, url: str, items: int) -> list[Contestant]:
    rows = write_rows(folder / "rows.csv", items)
    naive, tuned = (script("scripts.py", kind, url, str(rows)) for kind in ("naive", "tuned"))
    return [
        Contestant("naive", "naive script: asyncio.gather + aiohttp, stores nothing", items, naive, folder),
        Contestant("tuned", "tuned aiohttp + uvloop workers, stores nothing", items, tuned, folder),
    ]


def _tools(folder: Path, url: str, items: int) -> list[Contestant]:
    curl, xargs, parallel = (shutil.which(name) for name in ("curl", "xargs", "parallel"))
    if curl is None:
        return []
    requests = _curl_settings(folder / "curl.txt", url, items)
    silent = [curl, "--silent", "--parallel", "--parallel-max", "50", "--config", str(requests)]
    found = [Contestant("curl", "curl --parallel, 50 at once, stores nothing", items, silent, folder)]
    one = [curl, "--silent", "--output", "/dev/null", "--data", "action=get_ptr&token=x&ip={}", url]
    if xargs is not None:
        feed = _addresses(folder / "xargs.txt", FEW)
        each = [xargs, "-P", "50", "-I", "{}", *one]
        found.append(Contestant("xargs", "xargs -P 50 curl", FEW, each, folder, feed))
    if parallel is not None:
        feed = _addresses(folder / "parallel.txt", FEWER)
        each = [parallel, "--will-cite", "-q", "-j", "50", *one]
        found.append(Contestant("parallel", "GNU parallel -j 50 curl", FEWER, each, folder, feed))
    return found


def _curl_settings(path: Path, url: str, items: int) -> Path:
    request = 'url = "{url}"\ndata = "action=get_ptr&token=x&ip={ip}"\noutput = "/dev/null"\n'
    with path.open("w", encoding="utf-8") as file:
        file.write("next\n".join(request.format(url=url, ip=address(number)) for number in range(items)))
    return path


def _addresses(path: Path, count: int) -> Path:
    path.write_text("".join(f"{address(number)}\n" for number in range(count)), encoding="utf-8")
    return path


def _ours(folder: Path, url: str, items: int) -> list[Contestant]:
    found = []
    for action, count in ((READ, items), (WRITE, items // 2)):
        place = folder / action
        place.mkdir()
        write_rows(place / "rows.csv", count)
        write_job(place / "job.yaml", url, action)
        found += [_whole(place, action, count), _frozen(place, action, count)]
    return found


def _whole(folder: Path, action: str, items: int) -> Contestant:
    command = bulkip("run", "job.yaml", "-q", "--yes", "--run-dir", "whole")
    before = partial(shutil.rmtree, folder / "whole", ignore_errors=True)
    title = f"bulkip {action}, whole: planning, calls, report"
    return Contestant(
        action, title, items, command, folder, before=before, after=partial(_check, folder, items)
    )


def _frozen(folder: Path, action: str, items: int) -> Contestant:
    run_id = freeze(folder)
    command = bulkip("resume", run_id, "-q", "--yes", "--max-duration", LONG, "--run-dir", "frozen")
    return Contestant(
        f"{action}_frozen",
        f"bulkip {action}, plan frozen: calls, report",
        items,
        command,
        folder,
        before=partial(_thaw, folder),
        after=partial(_check, folder, items),
    )


def freeze(folder: Path) -> str:
    """Plan the job of a folder into `planned`, with no time left for a call, and return the id of its run."""
    command = bulkip("run", "job.yaml", "-q", "--yes", "--max-duration", "1ms", "--run-dir", "planned")
    measured(command, folder, codes=(HALTED,))
    (run,) = (folder / "planned" / RUNS).iterdir()
    return run.name


def _thaw(folder: Path) -> None:
    """Put the untouched plan in the place of the run of the last round."""
    shutil.rmtree(folder / "frozen", ignore_errors=True)
    shutil.copytree(folder / "planned", folder / "frozen")


def _check(folder: Path, items: int) -> None:
    """Raise unless the report has a row for every item, and remove it."""
    report = folder / "job.jsonl"
    if (rows := lines_in(report)) != items:
        raise MeasuringError(f"{report}: {rows} rows for {items} items")
    report.unlink()

"""`make bench`: calls per second of bulkip with all its book-keeping, beside scripts that keep nothing.

Rounds are interleaved, the server has one core and the clients the other
where the machine has two; the table shows medians, and ratios first.
"""

import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ITEMS = 5_000
ROUNDS = 5
CONTENDERS = ("bulkip", "naive", "tuned")
TITLES = {
    "bulkip": "bulkip run, everything stored, report written",
    "naive": "asyncio.gather + aiohttp, stores nothing",
    "tuned": "tuned aiohttp + uvloop workers, stores nothing",
}


def main() -> None:
    """Measure all contenders in turn and print the table."""
    with tempfile.TemporaryDirectory() as folder, server() as url:
        work = Path(folder)
        write_job(work, url)
        seconds: dict[str, list[float]] = {name: [] for name in CONTENDERS}
        for round_number in range(ROUNDS + 1):
            for name in CONTENDERS:
                spent = timed(command(name, url), work)
                if round_number:  # the first round warms up
                    seconds[name].append(spent)
    show(seconds)


@contextmanager
def server() -> Iterator[str]:
    """Serve on a core of its own for as long as the block lasts."""
    here = Path(__file__).parent / "fastserver.py"
    with subprocess.Popen(
        pinned([sys.executable, str(here)], 0), stdout=subprocess.PIPE, text=True
    ) as process:
        if process.stdout is None:
            raise RuntimeError("the server has no output")
        port = int(process.stdout.readline())
        try:
            yield f"http://127.0.0.1:{port}/ip.php"
        finally:
            process.terminate()


def pinned(arguments: list[str], core: int) -> list[str]:
    """Return a command that stays on one core, where that can be said."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    return ["taskset", "-c", str(cores[core]), *arguments] if len(cores) > 1 else arguments


def write_job(work: Path, url: str) -> None:
    """Write a job of so many reads, without a limit that matters."""
    rows = "".join(f"10.{n >> 16}.{n >> 8 & 255}.{n & 255}\n" for n in range(ITEMS))
    (work / "rows.csv").write_text("ip\n" + rows)
    (work / "job.yaml").write_text(
        f"version: 1\napi: {{url: '{url}'}}\ntargets: [{{csv: rows.csv}}]\nactions: [{{action: get_ip}}]\n"
        "limits: {rate: 100000/s, concurrency: 32}\nreports: [jsonl=rows.jsonl]\n"
    )


def command(name: str, url: str) -> list[str]:
    """Return the command line of a contender."""
    if name == "bulkip":
        return pinned([sys.executable, "-m", "bulkip", "run", "job.yaml", "-q"], 1)
    return pinned([sys.executable, str(Path(__file__).parent / "scripts.py"), name, url, str(ITEMS)], 1)


def timed(arguments: list[str], work: Path) -> float:
    """Run a command to its end and return the seconds it took, start-up included."""
    began = time.perf_counter()
    environment = os.environ | {"HOSTKEY_TOKEN": "x", "PYTHONPATH": str(Path.cwd())}
    subprocess.run(arguments, cwd=work, env=environment, check=True)
    return time.perf_counter() - began


def show(seconds: dict[str, list[float]]) -> None:
    """Print ratios, medians and spread."""
    cores = os.cpu_count()
    python = platform.python_version()
    write(
        f"{ITEMS:,} get_ip calls, {ROUNDS} interleaved rounds; Python {python}, {cores} cores; asyncio server"
    )
    for name in CONTENDERS:
        ratios = [other / own for own, other in zip(seconds["bulkip"], seconds[name], strict=True)]
        ratio = statistics.median(ratios)
        rate = ITEMS / statistics.median(seconds[name])
        low, high = ITEMS / max(seconds[name]), ITEMS / min(seconds[name])
        write(f"  bulkip is {ratio:5.2f} x of  {TITLES[name]:<48} {rate:7,.0f}/s ({low:,.0f} to {high:,.0f})")


def write(line: str) -> None:
    """Write a line to stdout."""
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    main()

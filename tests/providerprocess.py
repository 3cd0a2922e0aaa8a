"""A simulated provider in a process of its own, as `bulkip simulate` starts it, and the log it writes."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.program import ROOT, clean_environment

TOKEN = "simulated"
PATIENCE_S = 20


@dataclass(frozen=True, slots=True)
class Provider:
    """A running provider: where it listens, and the file that gets a line per request."""

    url: str
    log: Path

    def seen(self) -> list[dict[str, Any]]:
        """Return what the provider saw so far, in order."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]


@contextmanager
def provider(folder: Path, *options: str) -> Iterator[Provider]:
    """Run `bulkip simulate` with these options on a free port until the block ends."""
    log = (folder / "requests.jsonl").absolute()  # the program starts elsewhere
    process = subprocess.Popen(
        [sys.executable, "-m", "bulkip", "simulate", "--port", "0", "--log", str(log), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=ROOT,
        env=clean_environment(),
    )
    with process:
        try:
            assert process.stdout is not None
            yield Provider(process.stdout.readline().removeprefix("listening on ").strip(), log)
        finally:
            process.terminate()
            process.wait(PATIENCE_S)

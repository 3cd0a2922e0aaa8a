"""How tests start the program as a user does: a process in, bytes and an exit code out."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bulkip.progress.terminal import PIPELINES

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True)
class Ended:
    """What a finished process left: its exit code and what it printed."""

    code: int
    out: str
    err: str


def bulkip(
    *arguments: str, cwd: Path, env: Mapping[str, str] | None = None, stdin: str = "", patience_s: float = 90
) -> Ended:
    """Run `bulkip` with these arguments to its end, without any setting of the tester's own."""
    done = subprocess.run(
        [sys.executable, "-m", "bulkip", *arguments],
        cwd=cwd,
        env=clean_environment() | dict(env or {}),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=patience_s,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)


def clean_environment() -> dict[str, str]:
    """Return the environment of a new user of this machine: no token, no setting of ours, no pipeline."""
    foreign = ("BULKIP_", "HOSTKEY_", "GITHUB_")
    own = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    for name in ("CI", "NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "FORCE_COLOR", *PIPELINES):
        own.pop(name, None)
    return own | {"PYTHONPATH": str(ROOT)}

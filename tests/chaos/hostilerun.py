"""A run of the real program against a hostile server, and everything that it left."""

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.program import clean_environment

TOKEN = "Tk/4f3c+2b9d&7e5a=Q0z1"
"""A token whose characters are escaped differently by everyone who escapes."""
REPORTS = (
    "jsonl", "csv", "json", "text", "failed-csv", "attempts", "html", "github", "md", "junit", "sarif", "tap",
)  # fmt: skip
COMMAND = ("run", "job.yaml", "--yes", "--format", "text")
PATIENCE_S = 110
PATIENT: Mapping[str, Mapping[str, str]] = {
    "retry": {"attempts": "3", "base": "1ms", "max": "5ms", "budget": "100000"},
    "breaker": {"after": "100000"},
    "timeouts": {"connect": "5s", "attempt": "1500ms"},
    "verify": {"settle": "0s"},
    "limits": {"rate": "5000/s", "concurrency": "8", "adaptive": "false"},
    "safety": {"max_failed": "none"},
}
"""Settings under which every item goes its own way to the end, however many others fail beside it."""


@dataclass(frozen=True, slots=True)
class Ended:
    """What a run left: its exit code, its rows by address, its attempts, its peak memory, its files."""

    code: int
    peak_mib: float
    rows: dict[str, dict[str, Any]] = field(repr=False)
    attempts: list[dict[str, Any]] = field(repr=False)
    artifacts: dict[str, bytes] = field(repr=False)

    @property
    def err(self) -> str:
        """What was printed to stderr."""
        return self.artifacts["stderr"].decode()

    def sent(self, purpose: str, ip: str = "") -> int:
        """Count the calls with a purpose, about one address or all."""
        return sum(one["purpose"] == purpose and ip in {"", one["ip"]} for one in self.attempts)


def run_against(
    url: str,
    folder: Path,
    action: str,
    wanted: Iterable[tuple[str, str]],
    settings: Mapping[str, Mapping[str, str]] = PATIENT,
    env: Mapping[str, str] | None = None,
) -> Ended:
    """Run an action on addresses, for a write with the name that each is to get."""
    rows = "".join(f"{ip},4711,{name}\n" for ip, name in wanted)
    (folder / "rows.csv").write_text(f"ip,id,ptr\n{rows}")
    (folder / "job.yaml").write_text(_job(url, action, settings))
    reports = [option for name in REPORTS for option in ("--report", f"{name}={name}.out")]
    with (folder / "stdout").open("wb") as out, (folder / "stderr").open("wb") as err:
        done = subprocess.run(
            [sys.executable, "-m", "tests.chaos.measured", "peak", *COMMAND, *reports],
            cwd=folder,
            env=clean_environment() | {"HOSTKEY_TOKEN": TOKEN} | dict(env or {}),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=err,
            timeout=PATIENCE_S,
            check=False,
        )
    return _ended(folder, done.returncode)


def _job(url: str, action: str, settings: Mapping[str, Mapping[str, str]]) -> str:
    blocks = "".join(
        f"{block}: {{{', '.join(f'{name}: {value}' for name, value in keys.items())}}}\n"
        for block, keys in settings.items()
        if keys
    )
    period = ", period: 2026-09" if action == "get_traffic" else ""
    return (
        f'version: 1\nname: hostile\napi: {{url: "{url}"}}\ntargets: [{{csv: rows.csv}}]\n'
        f"actions: [{{action: {action}{period}}}]\n{blocks}"
    )


def _ended(folder: Path, code: int) -> Ended:
    artifacts = {str(path.relative_to(folder)): path.read_bytes() for path in _files(folder)}
    told = artifacts["stderr"].decode("utf-8", "replace")[-3000:]
    assert "jsonl.out" in artifacts, told
    rows = [json.loads(line) for line in artifacts["jsonl.out"].splitlines()]
    attempts = [json.loads(line) for line in artifacts["attempts.out"].splitlines()]
    return Ended(code, float(artifacts["peak"]), {row["ip"]: row for row in rows}, attempts, artifacts)


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]

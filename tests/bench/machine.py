"""On what was measured: processor, system, versions, and which core is whose."""

import os
import platform
import shutil
import sqlite3
from importlib.metadata import version
from pathlib import Path

SERVER, CLIENT = 0, -1
"""Which of the cores that are allowed to us a server gets, and which its clients."""


def cores() -> list[int]:
    """Return the cores on which this process may run; empty where nobody can say."""
    return sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []


def pins() -> bool:
    """Say whether server and clients are kept on cores of their own."""
    return len(cores()) > 1 and shutil.which("taskset") is not None


def pinned(command: list[str], whose: int | None) -> list[str]:
    """Return a command that stays on one core, where that can be said, or runs on any for None."""
    if whose is None or not pins():
        return command
    return ["taskset", "-c", str(cores()[whose]), *command]


def description() -> dict[str, str]:
    """Return the machine as names and values."""
    placed = "server on one core, clients on another" if pins() else "NOT pinned: figures disturb each other"
    return {
        "processor": f"{_processor()}, {os.cpu_count()} cores, {placed}",
        "system": f"{platform.system()} {platform.release()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "packages": ", ".join(f"{name} {version(name)}" for name in ("bulkip", "aiohttp", "uvloop")),
        "sqlite": sqlite3.sqlite_version,
    }


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    names = (line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name"))
    return next(names, platform.machine())

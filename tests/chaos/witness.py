"""What can be known of a run from outside: its rows, its attempts, the server's log and state."""

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bulkip.reports.rows import report_rows
from bulkip.reports.summary import summary
from bulkip.store import RunReader
from bulkip.store.schema import FILE_NAME
from tests.chaos.forked import ended
from tests.chaos.laws import Evidence
from tests.rehearsal import attempts_of


@dataclass(slots=True)
class LogTail:
    """Follows the request log of a provider in another process, and counts its calls by action."""

    path: Path
    counts: Counter[str] = field(default_factory=Counter)
    entries: list[dict[str, Any]] = field(default_factory=list)
    _read: int = 0

    def follow(self) -> None:
        """Read what was written since the last time; a line that is not whole yet waits."""
        with self.path.open("rb") as log:
            log.seek(self._read)
            text = log.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._read += len(whole)
        for line in whole.splitlines():
            entry = json.loads(line)
            self.entries.append(entry)
            self.counts[entry["action"]] += 1

    def seen(self, action: str) -> int:
        """Return how many calls of an action have arrived by now."""
        self.follow()
        return self.counts[action]


@dataclass(frozen=True, slots=True)
class Witness:
    """Whoever looks at a run from outside: what its author wants, the server's log, and its state file."""

    plan: Mapping[str, str]
    log: LogTail
    state: Path
    allowed: int = 5

    def evidence(self, run_dir: Path, rows: list[dict[str, Any]] | None = None) -> Evidence:
        """Return all that is known of the run in a folder; `rows` stand for those of its store."""
        self.log.follow()
        with RunReader(run_dir) as reader:
            stored: list[dict[str, Any]] = [*report_rows(reader)]
            told = summary(reader)
        attempts = attempts_of(run_dir)
        return Evidence(
            self.plan,
            stored if rows is None else rows,
            attempts,
            self.log.entries,
            ptr_names(self.state, self.plan),
            self.allowed,
            told,
            replaced=replaced_names(self.state),
        )


def ptr_names(state: Path, ips: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Return the PTR names in a provider's state file now; one that is at work there is not disturbed."""
    with closing(sqlite3.connect(f"{state.as_uri()}?mode=ro", uri=True)) as opened:
        found = dict(opened.execute("SELECT ip, ptr FROM addresses").fetchall())
    return {ip: tuple(found[ip].split("\n")) if found[ip] else () for ip in ips}


def replaced_names(state: Path) -> list[tuple[str, tuple[str, ...]]]:
    """Return what each write that a provider carried out found there, with its address."""
    with closing(sqlite3.connect(f"{state.as_uri()}?mode=ro", uri=True)) as opened:
        found = opened.execute("SELECT ip, before FROM effects ORDER BY number").fetchall()
    return [(ip, tuple(before.split("\n")) if before else ()) for ip, before in found]


def run_folder(base: Path) -> Path | None:
    """Return the folder of the only run that is kept below a folder; None when there is none yet."""
    found = list(_stores(base))
    assert len(found) <= 1, f"more than one run: {found}"
    return found[0] if found else None


def _stores(base: Path) -> Iterator[Path]:
    yield from (path.parent for path in (base / "runs").glob(f"*/{FILE_NAME}"))


def rows_of(run_dir: Path, home: Path) -> tuple[list[dict[str, Any]], str | None]:
    """Return the rows that `bulkip report` renders, or what it says instead."""
    done = ended("report", run_dir.name, "-f", "jsonl=report.jsonl", folder=home)
    if done.code:
        return [], f"`bulkip report` ended with exit {done.code}: {done.out[-300:]}"
    return [json.loads(line) for line in (home / "report.jsonl").read_text().splitlines()], None

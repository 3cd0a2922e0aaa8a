"""How tests read the ready-made files of `jobs/ci`, and play their steps as a pipeline would."""

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from bulkip.policy import REPORT_FORMATS
from bulkip.reports.validations import FORMATS as VALIDATION_FORMATS
from tests.program import ROOT, Ended, clean_environment

CI = ROOT / "jobs" / "ci"
REDIRECTIONS = frozenset({">", ">>", "|", ";", "&&", "||"})
AWAITED = {
    *({"junit", "sarif", "tap"} - {*REPORT_FORMATS}),
    *({"sarif"} - {*VALIDATION_FORMATS}),
}
"""Formats that the ready-made files ask for and that are not built yet; empty once they are."""


@dataclass(frozen=True, slots=True)
class Step:
    """A step of a workflow that runs a script."""

    job: str
    name: str
    script: str
    env: Mapping[str, str] = field(default_factory=dict)


def tree_of(name: str) -> Any:
    """Return what stands in a file of `jobs/ci`."""
    return yaml.safe_load((CI / name).read_text(encoding="utf-8"))


def github_steps() -> list[Step]:
    """Return the scripts of the GitHub workflow, in order, but for those that install."""
    jobs: Mapping[str, Any] = tree_of("github-actions.yml")["jobs"]
    return [
        Step(job, step.get("name", ""), step["run"], {**content.get("env", {}), **step.get("env", {})})
        for job, content in jobs.items()
        for step in content["steps"]
        if "run" in step and not step["run"].startswith("pip install")
    ]


def gitlab_scripts() -> list[str]:
    """Return the lines of the scripts of the GitLab pipeline."""
    jobs = (value for value in tree_of("gitlab-ci.yml").values() if isinstance(value, dict))
    return [line for job in jobs for line in job.get("script", [])]


def commands_in(script: str) -> Iterator[list[str]]:
    """Yield the arguments of each `bulkip` that a script calls at the beginning of a line."""
    for line in script.splitlines():
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.whitespace_split = True
        words = list(lexer) if line.strip().startswith("bulkip ") else []
        end = next((place for place, word in enumerate(words) if word in REDIRECTIONS), len(words))
        if words:
            yield words[1:end]


def awaits(words: list[str]) -> bool:
    """Say whether a command asks for a format that is not built yet."""
    return any(form in words or any(f"{form}=" in word for word in words) for form in AWAITED)


def play(script: str, folder: Path, env: Mapping[str, str]) -> Ended:
    """Run a script as GitHub's runner does, with `bulkip` on the path."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-e", "-c", script],  # noqa: S607 -- the runner's own words
        cwd=folder,
        env=clean_environment() | {"PATH": path, "CI": "true", **env},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr)

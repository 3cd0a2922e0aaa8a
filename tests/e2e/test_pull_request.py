"""A pull request from its first line to its drift, played with the scripts of the ready-made workflow."""

import json
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from bulkip.simulator import EmbeddedSimulator, Seed, Simulator, SimulatorSettings
from tests.program import Ended
from tests.workflows import AWAITED, github_steps, play

pytestmark = pytest.mark.skipif(bool(AWAITED), reason=f"not built yet: {', '.join(sorted(AWAITED))}")

FIRST, SECOND, THIRD = "203.0.113.7", "203.0.113.8", "203.0.113.9"
MAIN = {FIRST: "mail.example.net", SECOND: "mx2.example.net", THIRD: "www.example.net"}
EDITED = MAIN | {SECOND: "mx3.example.net"}
SECRETS = {"HOSTKEY_TOKEN": "simulated", "BULKIP_RUN_DIR": "bulkip-runs", "JOB": "ptr.yaml"}
NOT_A_NAME = "not a name"


def table(names: dict[str, str]) -> str:
    """Return the CSV of a repository: the second address stands on line 3."""
    return "ip,id,ptr\n" + "".join(f"{ip},4711,{name}\n" for ip, name in names.items())


@dataclass(frozen=True, slots=True)
class Repository:
    """The account, and the folders that a service checks out for its runners."""

    root: Path
    api: Simulator

    def checkout(self, name: str, names: dict[str, str]) -> Path:
        """Return a new runner's folder with the job and this state of its list."""
        folder = self.root / name
        folder.mkdir()
        job = "version: 1\nname: ptr\ntargets: [{csv: ptr.csv}]\nactions: [{action: update_ptr}]\n"
        (folder / "ptr.yaml").write_text(job + f"api: {{url: '{self.api.url}'}}\nlimits: {{rate: 200/s}}\n")
        (folder / "ptr.csv").write_text(table(names))
        return folder

    def step(self, runner: Path, job: str, name: str, **env: str) -> Ended:
        """Play the step of the workflow that has this name."""
        (step,) = (step for step in github_steps() if (step.job, step.name) == (job, name))
        own = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": "summary.md", "GITHUB_OUTPUT": "outputs"}
        return play(step.script, runner, SECRETS | own | env)

    def plan(self, runner: Path) -> str:
        """Play the job that plans, and return the digest that it hands on."""
        ended = self.step(runner, "plan", "Plan")
        assert ended.code == 0, ended.err
        return (runner / "outputs").read_text().removeprefix("digest=").strip()

    def apply(self, planned: Path, runner: Path, digest: str) -> Ended:
        """Play the job that applies, on a runner that has nothing but the plan."""
        runner.mkdir()
        shutil.copy(planned / "ptr.plan.json", runner)
        return self.step(runner, "apply", "Apply", DIGEST=digest)

    def drift(self, name: str) -> None:
        """Let somebody else change the second record behind the repository's back."""
        self.api.state.set_ptr(SECOND, 4711, (name,), time.monotonic())

    def check(self, runner: Path) -> Ended:
        """Play the job of every morning."""
        return self.step(runner, "check", "Compare reality with the repository")


@pytest.fixture
def repository(tmp_path: Path) -> Iterator[Repository]:
    """Serve an account whose records are what main says."""
    seeds = [Seed(ip, 4711, "NL", name) for ip, name in MAIN.items()]
    with EmbeddedSimulator(seeds, SimulatorSettings()) as api:
        yield Repository(tmp_path, api)


def findings(path: Path) -> list[tuple[str, int]]:
    """Return where the results of a SARIF file point."""
    log: dict[str, Any] = json.loads(path.read_text())
    places = [result["locations"][0]["physicalLocation"] for run in log["runs"] for result in run["results"]]
    return [(place["artifactLocation"]["uri"], place["region"]["startLine"]) for place in places]


def failures(path: Path) -> list[tuple[str | None, str | None]]:
    """Return the lines of the test cases of a JUnit file that failed."""
    cases = ET.fromstring(path.read_text()).iter("testcase")  # noqa: S314 -- what bulkip wrote a moment ago
    return [(case.get("file"), case.get("line")) for case in cases if case.find("failure") is not None]


def annotations(ended: Ended) -> list[str]:
    """Return the errors that GitHub would show beside the code."""
    return [line for line in ended.out.splitlines() if line.startswith("::error ")]


def test_pull_request_from_edit_to_drift(repository: Repository) -> None:
    """A reviewed change is applied as planned, and what somebody changes later is red on its line."""
    review = repository.checkout("review", EDITED)
    assert repository.step(review, "validate", "Check the job and its lists").code == 0
    assert findings(review / "validate.sarif") == []
    reviewed = repository.plan(review)
    summary = (review / "summary.md").read_text()
    assert all(word in summary for word in (SECOND, MAIN[SECOND], EDITED[SECOND], reviewed))
    assert repository.api.state.writes() == []

    merged = repository.checkout("merged", EDITED)
    assert repository.plan(merged) == reviewed
    applied = repository.apply(merged, repository.root / "applier", reviewed)
    assert applied.code == 0, applied.err
    assert repository.api.state.ptr_of(SECOND) == (EDITED[SECOND],)
    assert failures(repository.root / "applier" / "apply.xml") == []

    morning = repository.checkout("morning", EDITED)
    green = repository.check(morning)
    assert (green.code, annotations(green)) == (0, []), green.err
    assert (findings(morning / "check.sarif"), failures(morning / "check.xml")) == ([], [])

    repository.drift("somebody-else.example.org")
    next_morning = repository.checkout("next-morning", EDITED)
    red = repository.check(next_morning)

    assert red.code == 4, red.err
    assert findings(next_morning / "check.sarif") == [("ptr.csv", 3)]
    assert failures(next_morning / "check.xml") == [("ptr.csv", "3")]
    assert [line.partition("::")[2].split(",title")[0] for line in annotations(red)] == [
        "error file=ptr.csv,line=3"
    ]


def test_wrong_line_of_a_pull_request_is_shown_where_it_stands(repository: Repository) -> None:
    """A list with a mistake fails the check of the job, and the finding is on its line."""
    review = repository.checkout("review", MAIN | {SECOND: NOT_A_NAME})

    refused = repository.step(review, "validate", "Check the job and its lists")
    shown = repository.step(review, "validate", "Show what is wrong on the lines of the pull request")

    assert (refused.code, findings(review / "validate.sarif")) == (2, [("ptr.csv", 3)])
    assert ("file=ptr.csv" in shown.out, "line=3" in shown.out) == (True, True)


def test_plan_that_nobody_reviewed_is_not_applied(repository: Repository) -> None:
    """Where the records moved after the review the digest is another one, and nothing is written."""
    reviewed = repository.plan(repository.checkout("review", EDITED))
    repository.drift("moved.example.org")
    merged = repository.checkout("merged", EDITED)
    repository.plan(merged)
    before = len(repository.api.state.writes())

    refused = repository.apply(merged, repository.root / "applier", reviewed)

    assert refused.code == 5, refused.err
    assert len(repository.api.state.writes()) == before

"""A run that nobody watches: what it logs, when it ends, and which runs it keeps."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bulkip.simulator import EmbeddedSimulator, Seed, SimulatorSettings
from tests.program import Ended, bulkip

TOKEN = {"HOSTKEY_TOKEN": "simulated"}
JOB = """\
version: 1
name: nightly
api: {{url: "{url}"}}
targets: [203.0.113.1-203.0.113.3, 198.51.100.9]
actions: [{{action: get_ip}}]
limits: {{rate: {rate}}}
"""


@pytest.fixture(scope="module")
def api() -> Iterator[str]:
    """Serve three of the four addresses of the job."""
    seeds = [Seed(f"203.0.113.{number}", 4711, "NL", "") for number in (1, 2, 3)]
    with EmbeddedSimulator(seeds, SimulatorSettings()) as running:
        yield running.url


def night(folder: Path, url: str, *options: str, rate: str = "500/s", **more: str) -> Ended:
    """Run the job once."""
    (folder / "job.yaml").write_text(JOB.format(url=url, rate=rate))
    return bulkip("run", "job.yaml", *options, cwd=folder, env=TOKEN | more)


def events(ended: Ended) -> list[dict[str, Any]]:
    """Return what was logged; every line must be an object with time and level."""
    found = [json.loads(line) for line in ended.err.splitlines()]
    assert all({"timestamp", "level", "event"} <= set(one) for one in found)
    return found


def test_json_log_has_one_object_a_line_with_its_run(tmp_path: Path, api: str) -> None:
    """Each line names run and job, the failed item its address and class, the last one the counts."""
    found = events(night(tmp_path, api, "--log-format", "json"))

    item = next(one for one in found if one["event"] == "item")
    assert {one["job"] for one in found} == {"nightly"}
    assert len({one["run"] for one in found}) == 1
    assert (item["ip"], item["status"], item["level"]) == ("198.51.100.9", "failed", "warning")
    assert (found[-1]["event"], found[-1]["by_status"]) == ("ended", {"ok": 3, "failed": 1})
    assert found[-1]["exit_code"] == 3


@pytest.mark.parametrize(
    ("options", "code"),
    [
        pytest.param(("--rate", "fast"), 2, id="option"),
        pytest.param(("--limit", "203.0.113.1", "--report", "csv=/nowhere/x.csv"), 2, id="report"),
        pytest.param(("-vv", "--limit", "203.0.113.1"), 0, id="origins"),
        pytest.param(("--simulate", "--limit", "203.0.113.1"), 0, id="rehearsal"),
    ],
)
def test_json_log_holds_whatever_goes_to_stderr(
    tmp_path: Path, api: str, options: tuple[str, ...], code: int
) -> None:
    """Errors of the command line, refusals and origins are objects too; the environment can ask for it."""
    ended = night(tmp_path, api, *options, BULKIP_LOG_FORMAT="json")

    assert ended.code == code
    assert events(ended)


def test_json_log_asks_nothing(tmp_path: Path) -> None:
    """A question is no JSON: writes need --yes, and that is what the last line says."""
    (tmp_path / "job.yaml").write_text(
        "version: 1\ntargets: [{ip: 203.0.113.1, id: 4711}]\n"
        "actions: [{action: update_ptr, with: {ptr: a.example.net}}]\n"
    )

    ended = bulkip("run", "job.yaml", "--simulate", "--log-format", "json", "--rate", "500/s", cwd=tmp_path)

    assert ended.code == 5
    assert "--yes" in events(ended)[-1]["reason"]


def test_quiet_json_log_of_a_good_night_is_empty(tmp_path: Path, api: str) -> None:
    """Cron mails what is written: nothing, when there is nothing to say."""
    ended = night(tmp_path, api, "-q", "--log-format", "json", "--limit", "203.0.113.0/24")

    assert (ended.code, ended.err, ended.out) == (0, "", "")


def test_night_that_is_over_halts_and_can_be_finished(tmp_path: Path, api: str) -> None:
    """--max-duration begins nothing new when its time is up, exits 6, and a resume does the rest."""
    halted = night(tmp_path, api, "--max-duration", "300ms", "--limit", "203.0.113.0/24", rate="2/s")

    ended = bulkip("resume", "-q", "--max-duration", "1m", "--rate", "500/s", cwd=tmp_path, env=TOKEN)

    assert (halted.code, ended.code) == (6, 0)
    assert "bulkip resume" in halted.err


def test_keep_removes_older_runs_of_the_job(tmp_path: Path, api: str) -> None:
    """With --keep 2 the third night removes the first one, and -v says how many went."""
    good = ("--limit", "203.0.113.0/24")
    for _ in range(2):
        night(tmp_path, api, "-q", *good)

    ended = night(tmp_path, api, "-v", "--keep", "2", *good)

    assert len(list((tmp_path / ".bulkip" / "runs").iterdir())) == 2
    assert "--keep 2: runs of nightly: 1 removed" in ended.err

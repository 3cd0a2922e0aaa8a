"""What a user can ask about earlier runs: which there are, what is known of one, and of an address."""

import json
from pathlib import Path

import pytest

from tests.program import Ended, bulkip

JOB = """\
version: 1
name: migration
targets: [{csv: rows.csv}]
actions:
  - {action: get_ip}
  - {action: update_ptr, with: {ptr: "{{ row.name }}.example.net"}}
limits: {rate: 1000/s}
retry: {base: 10ms}
verify: {settle: 10ms}
"""
ROWS = """\
ip,id,location,name,comment
203.0.113.1,4711,NL,mail,"says ""hi"", twice"
203.0.113.2,4711,NL,web,=SUM(A1)
203.0.113.3,4711,NL,db,"zwölf
Zeilen"
"""
FAULTS = """\
version: 1
faults:
  - {action: update_ptr, ip: 203.0.113.2, json: {code: -1, message: "permission denied, ask support"}}
  - {action: get_ip, ip: 203.0.113.3, attempt: 1, status: 503}
"""
WIDTH = 80


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a rehearsed run of three addresses, of which one failed and one was retried."""
    made = tmp_path_factory.mktemp("history")
    (made / "job.yaml").write_text(JOB)
    (made / "rows.csv").write_text(ROWS)
    (made / "faults.yaml").write_text(FAULTS)
    ended = bulkip("run", "job.yaml", "--yes", "-q", "--faults", "faults.yaml", cwd=made)
    assert ended.code == 3, ended.err
    return made


@pytest.fixture(scope="module")
def page(folder: Path) -> str:
    """Return what is shown of that run."""
    return asked(folder, "show", "last").out


def asked(folder: Path, *arguments: str) -> Ended:
    """Ask, and check that there was an answer."""
    ended = bulkip(*arguments, cwd=folder)
    assert ended.code == 0, ended.err
    return ended


def run_id(folder: Path) -> str:
    """Return the id of the run."""
    (only,) = (folder / ".bulkip" / "runs").iterdir()
    return only.name


def test_runs_are_listed(folder: Path) -> None:
    """A run is a line: id, when, how it ended, that it was simulated, its items by status."""
    (line,) = asked(folder, "runs").out.splitlines()

    assert line.startswith(run_id(folder))
    assert line.endswith("exit 3         migration: SIMULATED: 6 items: 2 changed, 3 ok, 1 failed")


@pytest.mark.parametrize("form", ["json", "jsonl"])
def test_runs_are_listed_for_programs(folder: Path, form: str) -> None:
    """Programs get the same, as one list or one object a line."""
    found = json.loads(asked(folder, "runs", "--format", form).out)

    run = found[0] if form == "json" else found
    assert (run["run"], run["state"], run["exit_code"], run["simulated"]) == (
        run_id(folder),
        "ended",
        3,
        True,
    )
    assert (run["total"], run["by_status"]) == (6, {"changed": 2, "ok": 3, "failed": 1})


def test_damaged_run_has_a_line_of_its_own(tmp_path: Path) -> None:
    """A store that cannot be read is listed with its reason, and is no error of the command."""
    runs = tmp_path / ".bulkip" / "runs"
    (runs / "20200101T000000-abcdef").mkdir(parents=True)
    (runs / "20200101T000000-abcdef" / "run.db").write_bytes(b"no store" * 99)

    ended = asked(tmp_path, "runs")

    assert ended.out.startswith("20200101T000000-abcdef  2020-01-01 00:00  damaged        .bulkip/runs/2020")


def test_nothing_was_ever_run(tmp_path: Path) -> None:
    """Where there is no run, stdout stays empty and stderr says how one is made."""
    ended = asked(tmp_path, "runs")

    assert (ended.out, ended.err) == ("", "no runs in .bulkip; `bulkip run JOB` makes one\n")


@pytest.mark.parametrize(
    "words",
    [
        "SIMULATED",
        "job       migration (job.yaml)",
        "items     6 items: 2 changed, 3 ok, 1 failed",
        "exit 3",
        "errors    permission: 1 item, e.g. 203.0.113.2: permission denied",
        "reports   bulkip report ",
        "next      bulkip retry ",
        "-f failed-csv=failed.csv",
        "rate [1000/s]",
    ],
)
def test_run_is_shown(page: str, words: str) -> None:
    """Job, settings, starts, counts, errors, reports and the next command are on one page."""
    assert words in page


def test_run_is_shown_to_programs(folder: Path) -> None:
    """The summary comes with starts and next commands."""
    told = json.loads(asked(folder, "show", "last", "--format", "json").out)

    assert [start["exit_code"] for start in told["starts"]] == [3]
    assert told["next"] == [f"bulkip retry {run_id(folder)}"]


def test_address_is_explained(folder: Path) -> None:
    """Every item of the address is there with every call, the gap between two and its reason."""
    out = asked(folder, "explain", "last", " 203.0.113.3 ").out

    assert out.startswith(f"203.0.113.3 in run {run_id(folder)} (SIMULATED)\n\nget_ip (action `1`): ok\n")
    assert "call      transient, HTTP 503" in out
    assert "update_ptr (action `2`): changed" in out
    assert max(len(line) for line in out.splitlines()) <= WIDTH


def test_address_is_explained_to_programs(folder: Path) -> None:
    """Programs get the rows of the address and their calls."""
    told = json.loads(asked(folder, "explain", "last", "203.0.113.3", "--format", "json").out)

    assert [(one["action"], one["step"], one["status"]) for one in told["items"]] == [
        ("get_ip", "1", "ok"), ("update_ptr", "2", "changed"),
    ]  # fmt: skip
    assert [call["outcome"] for call in told["items"][0]["calls"]] == ["transient", "success"]
    assert told["items"][0]["calls"][1]["gap_reason"] == "back-off"


@pytest.mark.parametrize(
    ("ip", "words"),
    [
        pytest.param("203.0.113.9", "it has 203.0.113.1, 203.0.113.2, 203.0.113.3; all are in", id="unknown"),
        pytest.param("203.0.113.03", "has leading zeros", id="zeros"),
        pytest.param("203.0.113.0/24", "name one address", id="network"),
        pytest.param("2001:db8::1", "2001:db8::1 is not in run", id="ipv6"),
    ],
)
def test_address_that_is_not_there_is_told(folder: Path, ip: str, words: str) -> None:
    """An address that is none, or none of this run, is refused with what there is."""
    ended = bulkip("explain", "last", ip, cwd=folder)

    assert (ended.code, ended.out) == (2, "")
    assert words in ended.err


def test_failed_rows_are_the_next_job(folder: Path, tmp_path: Path) -> None:
    """The rows that failed come back as the user wrote them; fed to the same job they succeed."""
    asked(folder, "report", "last", "-f", f"failed-csv={tmp_path / 'rows.csv'}")
    (tmp_path / "job.yaml").write_text(JOB)

    ended = bulkip("run", "job.yaml", "--simulate", "--yes", "-q", "--format", "json", cwd=tmp_path)

    assert (tmp_path / "rows.csv").read_text() == (
        "ip,id,location,name,comment,error_class,error_code,error_message,attempts\n"
        '203.0.113.2,4711,NL,web,=SUM(A1),permission,-1,"permission denied, ask support",1\n'
    )
    assert ended.code == 0, ended.err
    assert json.loads(ended.out)["by_status"] == {"changed": 1, "ok": 1}


def test_every_call_is_reported(folder: Path) -> None:
    """The attempts are those that the summary counts."""
    calls = asked(folder, "report", "last", "-f", "attempts").out.splitlines()

    summary = json.loads(asked(folder, "report", "last", "-f", "json").out)
    assert len(calls) == summary["calls"]


@pytest.mark.parametrize("command", ["runs", "show", "explain"])
def test_help_ends_with_examples(tmp_path: Path, command: str) -> None:
    """Help can be pasted."""
    assert f"Examples:\n    bulkip {command}" in asked(tmp_path, command, "--help").out

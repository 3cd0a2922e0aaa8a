"""The program as its users start it: what is printed, where, and which exit code comes back."""

import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bulkip.simulator import EmbeddedSimulator, Fault, Seed, Simulator, SimulatorSettings
from tests.program import ROOT, bulkip, clean_environment

TOKEN = "tok-e2e-0123456789"


@pytest.fixture
def api() -> Iterator[Simulator]:
    """Serve a provider with sixteen addresses on two servers."""
    seeds = [
        Seed(f"203.0.113.{host}", 4711 + host // 8, "NL", f"old-{host}.example.org") for host in range(16)
    ]
    with EmbeddedSimulator(seeds, SimulatorSettings(token=TOKEN)) as running:
        yield running


@pytest.fixture
def env() -> dict[str, str]:
    """Give the token the way a user does."""
    return {"HOSTKEY_TOKEN": TOKEN}


def job_file(folder: Path, api: Simulator, body: str) -> str:
    """Write a job that calls this provider fast, and return its name."""
    head = f"version: 1\nname: job\napi: {{url: '{api.url}'}}\n"
    head += "limits: {rate: 500/s}\nverify: {settle: 10ms}\n"
    (folder / "job.yaml").write_text(head + body)
    return "job.yaml"


def ptr_job(folder: Path, api: Simulator) -> str:
    """Write a job that moves eight addresses of one server."""
    body = (
        "targets: [{cidr: 203.0.113.0/29, id: 4711}]\n"
        "actions: [{action: update_ptr, with: {ptr: '{{ ip.dashed }}.example.net'}}]\n"
    )
    return job_file(folder, api, body)


def test_rehearsal_prints_its_rows_and_nothing_else(tmp_path: Path) -> None:
    """A quiet run with its report on stdout prints one row per item and nothing else anywhere."""
    job = str(ROOT / "jobs" / "ptr-migration.yaml")
    options = ["--simulate", "--yes", "--rate", "500/s", "-q", "--report", "jsonl=-"]

    ended = bulkip("run", job, *options, cwd=tmp_path)

    assert (ended.code, ended.err) == (0, "")
    rows = [json.loads(line) for line in ended.out.splitlines()]
    assert len(rows) == 500
    assert {row["status"] for row in rows} == {"changed"}


def test_run_leaves_what_the_job_asks_for(tmp_path: Path, api: Simulator, env: dict[str, str]) -> None:
    """A migration leaves exactly the names that the job asked for, on exactly its addresses."""
    job = ptr_job(tmp_path, api)

    ended = bulkip("run", job, "--yes", cwd=tmp_path, env=env)

    assert ended.code == 0, ended.err
    assert [api.state.ptr_of(f"203.0.113.{host}") for host in range(9)] == [
        *[(f"203-0-113-{host}.example.net",) for host in range(8)],
        ("old-8.example.org",),
    ]


def test_second_run_sends_no_write(tmp_path: Path, api: Simulator, env: dict[str, str]) -> None:
    """The same job a second time finds everything as wanted and writes nothing, unasked."""
    job = ptr_job(tmp_path, api)
    bulkip("run", job, "--yes", cwd=tmp_path, env=env)
    written = api.state.count("update_ptr")

    ended = bulkip("run", job, "--format", "jsonl", cwd=tmp_path, env=env)

    assert ended.code == 0, ended.err
    assert api.state.count("update_ptr") == written
    assert {json.loads(line)["status"] for line in ended.out.splitlines()} == {"unchanged"}


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        pytest.param([], 5, "add --yes or --confirm 8", id="nobody-to-ask"),
        pytest.param(["--confirm", "7"], 5, "--confirm 8", id="another-number"),
        pytest.param(["--max-changes", "3"], 5, "--max-changes 8", id="limit-without-yes"),
        pytest.param(["--yes", "--max-changes", "3"], 5, "--max-changes 8", id="yes-lifts-no-limit"),
    ],
)
def test_unconfirmed_run_writes_nothing(
    tmp_path: Path, api: Simulator, env: dict[str, str], options: list[str], code: int, told: str
) -> None:
    """Without the right confirmation a run stops before its first write and names the way out."""
    job = ptr_job(tmp_path, api)

    ended = bulkip("run", job, *options, "--report", "jsonl=rows.jsonl", cwd=tmp_path, env=env)

    assert ended.code == code
    assert told in ended.err
    assert api.state.count("update_ptr") == 0
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert [row["status"] for row in rows] == ["not_run"] * 8


def test_confirm_with_the_right_number_goes_on(tmp_path: Path, api: Simulator, env: dict[str, str]) -> None:
    """--confirm N runs when the plan has exactly N writes."""
    job = ptr_job(tmp_path, api)

    ended = bulkip("run", job, "--confirm", "8", cwd=tmp_path, env=env)

    assert ended.code == 0, ended.err
    assert len(api.state.writes()) == 8


@pytest.mark.parametrize(("answer", "code", "writes"), [("y\n", 0, 8), ("n\n", 5, 0), ("\n", 5, 0)])
def test_terminal_is_asked_before_the_first_write(
    tmp_path: Path, api: Simulator, env: dict[str, str], answer: str, code: int, writes: int
) -> None:
    """On a terminal the run says how many writes go where, and only `y` starts them."""
    job = ptr_job(tmp_path, api)
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "bulkip", "run", job]

    with subprocess.Popen(
        command, cwd=tmp_path, env=clean_environment() | env, stdin=theirs, stdout=theirs, stderr=theirs
    ) as program:
        os.close(theirs)
        shown = _read_until(ours, "go on?")
        os.write(ours, answer.encode())
        _read_until(ours, None)
    os.close(ours)

    assert f"8 writes to {api.url}; go on?" in shown
    assert (program.returncode, len(api.state.writes())) == (code, writes)


def _read_until(terminal: int, text: str | None) -> str:
    """Read a terminal until a text stands on it, or to its end."""
    shown = ""
    while text is None or text not in shown:
        try:
            chunk = os.read(terminal, 4096)
        except OSError:  # what Linux says at the end of a terminal
            break
        if not chunk:
            break
        shown += chunk.decode(errors="replace")
    return shown


def test_one_bad_address_stops_nobody(tmp_path: Path, api: Simulator, env: dict[str, str]) -> None:
    """One address that the server refuses is one failed row; the others are done and the exit code is 3."""
    api.fault(Fault(action="update_ptr", ip="203.0.113.3", json={"code": -1, "message": "access denied"}))
    job = ptr_job(tmp_path, api)

    ended = bulkip("run", job, "--yes", "--format", "jsonl", cwd=tmp_path, env=env)

    assert ended.code == 3
    rows = {row["ip"]: row for row in map(json.loads, ended.out.splitlines())}
    assert [row["status"] for row in rows.values()].count("changed") == 7
    assert rows["203.0.113.3"]["error_class"] == "permission"


def test_report_is_the_same_later(tmp_path: Path, api: Simulator, env: dict[str, str]) -> None:
    """A report rendered again from the run store is the report of the run, byte for byte."""
    job = ptr_job(tmp_path, api)
    options = ["--report", "jsonl=a.jsonl", "--report", "csv=a.csv"]
    bulkip("run", job, "--yes", *options, cwd=tmp_path, env=env)

    ended = bulkip("report", "last", "-f", "jsonl=b.jsonl", "-f", "csv=b.csv", cwd=tmp_path)

    assert ended.code == 0, ended.err
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


def test_token_is_in_no_file_and_on_no_screen(tmp_path: Path, api: Simulator, env: dict[str, str]) -> None:
    """A server that echoes the token cannot make it appear in a file, on stdout or on stderr."""
    api.fault(Fault(action="update_ptr", json={"code": -1, "message": f"malformed IP=x for token {TOKEN}"}))
    job = ptr_job(tmp_path, api)

    ended = bulkip("run", job, "--yes", "--format", "jsonl", "--report", "csv=r.csv", cwd=tmp_path, env=env)

    assert ended.code == 3
    assert TOKEN not in ended.out + ended.err
    for path in tmp_path.rglob("*"):
        assert not path.is_file() or TOKEN.encode() not in path.read_bytes(), path


def test_wrong_token_stops_the_run(tmp_path: Path, api: Simulator) -> None:
    """A token that the server does not take ends the run with 7, and every item is accounted for."""
    job = ptr_job(tmp_path, api)
    env = {"HOSTKEY_TOKEN": "wrong-token"}

    ended = bulkip("run", job, "--yes", "--format", "jsonl", cwd=tmp_path, env=env)

    assert ended.code == 7
    assert "token is refused" in ended.err
    assert [json.loads(line)["status"] for line in ended.out.splitlines()] == ["not_run"] * 8


def test_dead_server_is_told_and_nothing_hangs(tmp_path: Path, api: Simulator, env: dict[str, str]) -> None:
    """Where nothing listens the run halts after `give_up`; every item is told as left by the breaker."""
    job = ptr_job(tmp_path, api)
    text = (tmp_path / job).read_text().replace(api.url, "http://127.0.0.1:9/ip.php")
    (tmp_path / job).write_text(text + "retry: {base: 10ms}\nbreaker: {give_up: 2s}\n")

    ended = bulkip("run", job, "--yes", "--format", "jsonl", cwd=tmp_path, env=env)

    assert ended.code == 6
    assert {json.loads(line)["error_class"] for line in ended.out.splitlines()} == {"breaker"}
    assert "bulkip resume" in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        pytest.param(["run", "no-such.yaml"], "no-such.yaml", id="missing-job"),
        pytest.param(["run", "."], "folder", id="folder"),
        pytest.param(["rnu"], "did you mean `run`?", id="typing-error"),
        pytest.param(["run", "job.yaml", "--rate", "fast"], "is not a rate", id="bad-rate"),
        pytest.param(["run", "job.yaml", "--report", "xls=x"], "no report format", id="bad-format"),
        pytest.param(
            ["run", "job.yaml", "--yes", "--report", "csv=no/r.csv"], "does not exist", id="bad-folder"
        ),
        pytest.param(
            ["run", "job.yaml", "--yes", "--report", "csv=."], "no regular file", id="report-folder"
        ),
        pytest.param(["run", "job.yaml", "--faults", "none.yaml"], "none.yaml", id="missing-faults"),
        pytest.param(["report", "last"], "bulkip run JOB", id="no-run"),
        pytest.param(["actions", "update_prt"], "did you mean `update_ptr`?", id="unknown-action"),
        pytest.param(["run", "job.yaml"], "HOSTKEY_TOKEN", id="no-token"),
    ],
)
def test_wrong_input_is_one_clear_error(tmp_path: Path, arguments: list[str], told: str) -> None:
    """Wrong input gives exit code 2 and a text that names the value and the way out; nothing is left."""
    (tmp_path / "job.yaml").write_text(
        "version: 1\n"
        "targets: [{ip: 203.0.113.1, id: 5, ptr: a.example.net}]\n"
        "actions: [{action: update_ptr}]\n"
    )

    ended = bulkip(*arguments, cwd=tmp_path)

    assert (ended.code, ended.out) == (2, "")
    assert told in ended.err
    assert "Traceback" not in ended.err
    assert [path.name for path in tmp_path.iterdir()] == ["job.yaml"]


def test_reader_that_leaves_gives_no_traceback(tmp_path: Path) -> None:
    """A pipe that closes early ends the report quietly."""
    job = str(ROOT / "jobs" / "inventory.yaml")
    bulkip("run", job, "--simulate", "--rate", "1000/s", "-q", cwd=tmp_path)
    command = f"{sys.executable} -m bulkip report last -f jsonl | head -n 1"

    done = subprocess.run(
        ["/bin/sh", "-c", command],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stderr == ""
    assert json.loads(done.stdout)["action"] == "get_client_ip"


@pytest.mark.parametrize("command", ["validate", "targets", "run", "report", "actions", "simulate"])
def test_help_ends_with_examples(tmp_path: Path, command: str) -> None:
    """Every command explains itself and ends with examples that can be pasted."""
    ended = bulkip(command, "--help", cwd=tmp_path)

    assert ended.code == 0
    assert f"  bulkip {command}" in ended.out.partition("Examples:")[2]


def test_closed_stdout_is_told_before_anything_is_sent(
    tmp_path: Path, api: Simulator, env: dict[str, str]
) -> None:
    """A report for a stdout that is closed is refused with exit 2; the server hears nothing."""
    job = ptr_job(tmp_path, api)
    command = f"{sys.executable} -m bulkip run {job} --yes -q --report jsonl=- >&-"

    done = subprocess.run(
        ["/bin/sh", "-c", command],
        cwd=tmp_path,
        env=clean_environment() | env,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )

    assert (done.returncode, api.log.total) == (2, 0)
    assert "stdout" in done.stderr


def test_calls_that_make_the_plan_count_in_the_pace(
    tmp_path: Path, api: Simulator, env: dict[str, str]
) -> None:
    """Free addresses are asked for through the same windows as the calls of the run itself."""
    body = (
        "targets: [{free_ips: {id: 15, location: NL}}, {free_ips: {id: 16, location: US}}]\n"
        "actions: [{action: get_client_ip}]\n"
    )
    (tmp_path / job_file(tmp_path, api, body)).write_text(
        f"version: 1\napi: {{url: '{api.url}'}}\nlimits: {{rate: 1/1s}}\n{body}"
    )

    ended = bulkip("run", "job.yaml", cwd=tmp_path, env=env)

    assert ended.code == 0, ended.err
    assert api.log.total == 3
    assert api.log.busiest(0.99) == 1

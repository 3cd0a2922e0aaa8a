"""Who hears of a run: hooks and messages at its beginning and end, as a nightly job relies on them."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bulkip.simulator import EmbeddedSimulator, Seed, Simulator, SimulatorSettings
from tests.listener import Listener, listener
from tests.program import Ended, bulkip, clean_environment

TOKEN = {"HOSTKEY_TOKEN": "simulated"}
SECRET = "s3cr3t-path-of-the-hook"
PATIENCE_S = 30
ECHO = (
    "import json,os,sys; print(json.load(sys.stdin)['by_status']);"
    "print(*(name for name in os.environ if name in {'VISIBLE', 'HOSTKEY_TOKEN'}))"
)
SHORT = "timeouts: {job: 200ms}\n"
"""A deadline that halts a run with several addresses."""
MANY = "203.0.113.1-203.0.113.3"


@pytest.fixture(scope="module")
def provider() -> Iterator[Simulator]:
    """Serve three addresses."""
    seeds = [Seed(f"203.0.113.{number}", 4711, "NL", "") for number in (1, 2, 3)]
    with EmbeddedSimulator(seeds, SimulatorSettings()) as running:
        yield running


@pytest.fixture
def api(provider: Simulator) -> str:
    """Return where the addresses are served."""
    return provider.url


@pytest.fixture
def ear() -> Iterator[Listener]:
    """Listen for hooks."""
    with listener() as listening:
        yield listening


def write_job(folder: Path, api: str, hooks: str, target: str = "203.0.113.1") -> None:
    """Write a job that reads one address and has these hooks."""
    (folder / "job.yaml").write_text(
        f"version: 1\nname: nightly\napi: {{url: '{api}'}}\ntargets: [{target}]\n"
        f"actions: [{{action: get_ip}}]\nlimits: {{rate: {2 if target == MANY else 500}/s}}\n{hooks}"
    )


def run(folder: Path, *arguments: str, **more: str) -> Ended:
    """Run the job, with these variables in the environment."""
    return bulkip(*(arguments or ("run", "job.yaml", "-q")), cwd=folder, env=TOKEN | more)


def command(*code: str, more: str = "") -> str:
    """Return a hook that runs Python code."""
    return json.dumps({"command": [sys.executable, "-c", *code]})[:-1] + f"{more}}}"


def test_hooks_hear_the_beginning_and_the_end_of_a_good_run(tmp_path: Path, api: str, ear: Listener) -> None:
    """start, success and always are called in this order, each with the summary; failure is not."""
    hooks = "".join(f"  {name}: {ear.url}/{name}\n" for name in ("start", "success", "failure", "always"))
    write_job(tmp_path, api, f"hooks:\n{hooks}")

    ended = run(tmp_path)

    assert (ended.code, ended.err) == (0, "")
    assert ear.paths == ["/start", "/success", "/always"]
    assert ear.bodies("/start")[0] | {"job": "nightly", "exit_code": None, "hook": "start"} == ear.heard[0][1]
    assert ear.bodies("/success")[0]["by_status"] == {"ok": 1}
    assert ear.bodies("/always")[0]["exit_code"] == 0


def test_failure_hears_of_failed_items_with_the_command_that_goes_on(
    tmp_path: Path, api: str, ear: Listener
) -> None:
    """Any other exit code is a failure; what was stopped by its deadline names its resume command."""
    hooks = f"hooks: {{failure: '{ear.url}/failure', success: '{ear.url}/success'}}\n"
    write_job(tmp_path, api, f"{hooks}{SHORT}", MANY)

    ended = run(tmp_path)

    (body,) = ear.bodies("/failure")
    assert (ended.code, body["exit_code"], ear.paths) == (6, 6, ["/failure"])
    assert body["resume"].startswith(f"bulkip resume {body['run']}")


def test_resumed_run_has_the_hooks_of_its_job(tmp_path: Path, api: str, ear: Listener) -> None:
    """A hook is kept with the run: a later start calls it, even when the job file is gone."""
    write_job(tmp_path, api, f"hooks: {{success: 'env:HOOK_URL'}}\n{SHORT}", MANY)
    url = {"HOOK_URL": f"{ear.url}/{SECRET}"}
    assert run(tmp_path, **url).code == 6
    (tmp_path / "job.yaml").unlink()

    ended = run(tmp_path, "resume", "-q", "--max-duration", "1m", **url)

    assert (ended.code, ear.paths) == (0, [f"/{SECRET}"])


def test_written_url_is_found_in_the_job_file_and_kept_nowhere_else(
    tmp_path: Path, api: str, ear: Listener
) -> None:
    """A URL is a secret: a resume takes it from the job file, and no file of the run holds it."""
    write_job(tmp_path, api, f"hooks: {{success: '{ear.url}/{SECRET}'}}\n{SHORT}", MANY)
    assert run(tmp_path).code == 6

    ended = run(tmp_path, "resume", "-q", "--max-duration", "1m")

    assert (ended.code, ear.paths) == (0, [f"/{SECRET}"])
    kept = [path for path in (tmp_path / ".bulkip").rglob("*") if path.is_file()]
    assert kept
    assert not any(SECRET.encode() in path.read_bytes() for path in kept)


def test_failing_hook_is_a_warning_without_its_url(tmp_path: Path, api: str, ear: Listener) -> None:
    """A hook that is not taken changes no exit code, no redirect is followed, and its path is not shown."""
    ear.status = 302
    write_job(tmp_path, api, f"hooks: {{success: '{ear.url}/{SECRET}'}}\n")

    ended = run(tmp_path)

    assert (ended.code, ear.paths) == (0, [f"/{SECRET}"])
    assert f"hook success: {ear.url}: answered HTTP 302" in ended.err
    assert SECRET not in ended.err


def test_required_hook_that_fails_is_told_by_the_exit_code(tmp_path: Path, api: str) -> None:
    """Where somebody must hear of it, a run that nobody heard of is not fine."""
    write_job(tmp_path, api, "hooks: {success: {url: 'http://127.0.0.1:9/x', required: true}}\n")

    ended = run(tmp_path)

    assert ended.code == 6
    assert "the run itself is whole" in ended.err


def test_required_start_that_fails_stops_before_anything_is_sent(
    tmp_path: Path, api: str, ear: Listener
) -> None:
    """Nothing is sent when the hook that must allow it does not; the failure is told."""
    ear.status = 503
    hooks = f"{{start: {{url: '{ear.url}/start', required: true}}, failure: '{ear.url}/failure'}}"
    write_job(tmp_path, api, f"hooks: {hooks}\n")

    ended = run(tmp_path)

    assert (ended.code, ear.paths) == (5, ["/start", "/failure"])
    assert run(tmp_path, "report", "last", "-f", "attempts").out == ""


def test_run_that_cannot_begin_is_told(tmp_path: Path, api: str, ear: Listener) -> None:
    """A missing token, or targets that are wrong, are failures that nobody would see at night."""
    write_job(tmp_path, api, f"hooks: {{failure: '{ear.url}/failure'}}\n")

    ended = bulkip("run", "job.yaml", "-q", cwd=tmp_path)

    (body,) = ear.bodies("/failure")
    assert (ended.code, body["exit_code"], body["run"]) == (2, 2, None)
    assert "HOSTKEY_TOKEN" in body["reason"]


def test_command_gets_the_summary_and_no_secret(tmp_path: Path, api: str) -> None:
    """A command reads JSON on stdin; the token is not in its environment; what it says is shown clean."""
    write_job(tmp_path, api, f"hooks: {{always: {command(ECHO)}}}\n")

    ended = run(tmp_path, "run", "job.yaml", VISIBLE="1")

    assert ended.code == 0
    assert "{'ok': 1}" in ended.err
    assert "VISIBLE" in ended.err
    assert "HOSTKEY_TOKEN" not in ended.err


def test_program_beside_the_job_is_found_from_its_own_folder(tmp_path: Path, api: str) -> None:
    """`./alert` is the file beside the job also when that is the working directory, and nothing on PATH."""
    (tmp_path / "alert").write_text("#!/bin/sh\necho beside the job\n")
    (tmp_path / "alert").chmod(0o755)
    write_job(tmp_path, api, "hooks: {always: {command: [./alert]}}\n")

    ended = run(tmp_path, "run", "job.yaml")

    assert "alert: beside the job" in ended.err


def test_output_of_a_command_is_cleaned_and_shortened(tmp_path: Path, api: str) -> None:
    """Escape sequences do not reach the terminal, secrets do not reach the log, and a flood ends."""
    code = "print('\\x1b[31mred simulated'); print('\\n'.join(map(str, range(10**5))))"
    write_job(tmp_path, api, f"hooks: {{always: {command(code)}}}\n")

    ended = run(tmp_path, "run", "job.yaml")

    lines = [line for line in ended.err.splitlines() if line.startswith("hook always")]
    assert len(lines) <= 21
    assert "\x1b" not in ended.err
    assert "red simulated" not in ended.err


def test_command_is_killed_with_all_it_started_at_its_timeout(tmp_path: Path, api: str) -> None:
    """What a command left running when its time was up is ended too."""
    code = (
        "import os,time,subprocess; p = subprocess.Popen(['sleep', '60']);"
        "open('pid','w').write(str(p.pid)); time.sleep(60)"
    )
    write_job(tmp_path, api, f"hooks: {{always: {command(code, more=', timeout: 1s')}}}\n")

    ended = run(tmp_path)

    assert ended.code == 0
    assert "killed, because it did not end within 1 s" in ended.err
    assert not is_alive(int((tmp_path / "pid").read_text()))


@pytest.mark.parametrize(
    ("required", "code"), [pytest.param("false", 0, id="plain"), pytest.param("true", 6, id="required")]
)
def test_interrupt_ends_the_hooks_and_leaves_the_exit_code(
    tmp_path: Path, api: str, ear: Listener, required: str, code: int
) -> None:
    """Ctrl-C gives up the hooks, without a traceback; the run is whole, yet a required hook was not told."""
    ear.open.clear()
    last = f"{{url: '{ear.url}/always', required: {required}}}"
    write_job(tmp_path, api, f"hooks: {{success: '{ear.url}/success', always: {last}}}\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "bulkip", "run", "job.yaml", "-q"],
        cwd=tmp_path,
        env=clean_environment() | TOKEN,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        deadline = time.monotonic() + PATIENCE_S
        while not ear.heard and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=PATIENCE_S)

    assert (process.returncode, ear.paths) == (code, ["/success"])
    assert "those that were left are not called" in err
    assert "Traceback" not in err


def test_stopped_run_is_told(tmp_path: Path, provider: Simulator, ear: Listener) -> None:
    """After Ctrl-C in mid-run the hooks of the failure are called."""
    hooks = f"hooks: {{failure: '{ear.url}/failure'}}\n"
    write_job(tmp_path, provider.url, hooks, "203.0.113.0/24")
    before = provider.state.count("get_ip")
    process = subprocess.Popen(
        [sys.executable, "-m", "bulkip", "run", "job.yaml", "-q", "--rate", "5/s"],
        cwd=tmp_path,
        env=clean_environment() | TOKEN,
        stderr=subprocess.DEVNULL,
    )
    with process:
        deadline = time.monotonic() + PATIENCE_S
        while provider.state.count("get_ip") == before and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGTERM)
        process.wait(PATIENCE_S)

    (body,) = ear.bodies("/failure")
    assert (process.returncode, body["exit_code"]) == (143, 143)


def test_rehearsal_calls_nobody(tmp_path: Path, api: str, ear: Listener) -> None:
    """A simulated run wakes nobody up, and says so."""
    write_job(tmp_path, api, f"hooks: {{start: '{ear.url}/start', always: '{ear.url}/always'}}\n")

    ended = run(tmp_path, "run", "job.yaml", "--simulate")

    assert (ended.code, ear.paths) == (0, [])
    assert "SIMULATED: hooks and notifications are left out" in ended.err


def test_plan_and_validate_call_nobody(tmp_path: Path, api: str, ear: Listener) -> None:
    """Only what carries a job out is told."""
    write_job(tmp_path, api, f"hooks: {{start: '{ear.url}/start', always: '{ear.url}/always'}}\n")

    codes = [run(tmp_path, "plan", "job.yaml").code, run(tmp_path, "validate", "job.yaml").code]

    assert (codes, ear.paths) == ([0, 0], [])


def test_apply_check_and_retry_are_told_but_no_undo(tmp_path: Path, api: str, ear: Listener) -> None:
    """Whatever carries a job out is told, with the hooks kept in plan and run; an undo is no job."""
    (tmp_path / "job.yaml").write_text(
        f"version: 1\napi: {{url: '{api}'}}\n"
        "targets: [{ip: 203.0.113.2, id: 4711}, {ip: 192.0.2.1, id: 1}]\n"
        "actions: [{action: update_ptr, with: {ptr: a.example.net}}]\nlimits: {rate: 500/s}\n"
        "verify: {settle: 10ms}\nhooks: {always: 'env:HOOK_URL'}\n"
    )
    url = {"HOOK_URL": f"{ear.url}/always"}
    planned = run(tmp_path, "plan", "job.yaml", "-o", "p.json", **url)

    codes = [
        run(tmp_path, *words, "-q", **url).code
        for words in (
            ("apply", "p.json", "--yes"),
            ("check", "job.yaml"),
            ("retry", "last~1", "--yes"),
            ("undo", "last", "--yes", "--max-clears", "1"),
        )
    ]

    assert (planned.code, codes) == (3, [3, 3, 3, 0])
    assert [body["exit_code"] for body in ear.bodies("/always")] == [3, 3, 3]


def test_interrupt_while_the_start_is_told_stops_the_run(tmp_path: Path, api: str, ear: Listener) -> None:
    """Ctrl-C during the first hook ends the run before anything is sent, and the failure is told."""
    ear.open.clear()
    write_job(tmp_path, api, f"hooks: {{start: '{ear.url}/start', failure: '{ear.url}/failure'}}\n")
    process = subprocess.Popen(
        [sys.executable, "-m", "bulkip", "run", "job.yaml"],
        cwd=tmp_path,
        env=clean_environment() | TOKEN,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        deadline = time.monotonic() + PATIENCE_S
        while not ear.heard and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        while len(ear.heard) == 1 and time.monotonic() < deadline:
            time.sleep(0.02)
        ear.open.set()
        _, err = process.communicate(timeout=PATIENCE_S)

    assert (process.returncode, ear.paths) == (130, ["/start", "/failure"])
    assert "1 not_run" in err
    assert "Traceback" not in err


def test_variable_that_is_missing_is_told_before_the_run(tmp_path: Path, api: str) -> None:
    """A hook that leads nowhere is a warning, and a required one stops everything."""
    write_job(tmp_path, api, "hooks: {success: 'env:HOOK_URL'}\n")
    warned = run(tmp_path)
    write_job(tmp_path, api, "hooks: {success: {url: 'env:HOOK_URL', required: true}}\n")

    refused = run(tmp_path)

    assert (warned.code, refused.code) == (0, 2)
    assert "env:HOOK_URL: the variable is not set" in warned.err
    assert "env:HOOK_URL: the variable is not set" in refused.err


def test_address_in_a_variable_must_be_a_safe_url(tmp_path: Path, api: str) -> None:
    """What a variable holds is checked as in the job file, and not shown."""
    write_job(tmp_path, api, "hooks: {success: 'env:HOOK_URL'}\n")

    ended = run(tmp_path, HOOK_URL=f"http://hc.example.net/{SECRET}")

    assert "must be an https URL" in ended.err
    assert SECRET not in ended.err


def test_message_is_sent_on_failure(tmp_path: Path, api: str, ear: Listener) -> None:
    """A notice tells the counts, the reason and how to go on, and only of a failure unless told otherwise."""
    write_job(tmp_path, api, f"notify: [env:NOTE_URL]\n{SHORT}", MANY)
    url = {"NOTE_URL": ear.url.replace("http:", "json:") + f"/{SECRET}"}
    halted = run(tmp_path, **url)

    ended = run(tmp_path, "resume", "-q", "--max-duration", "1m", **url)

    ((_, body),) = ear.heard
    assert (halted.code, ended.code) == (6, 0)
    assert body["title"] == "bulkip: nightly failed (exit 6)"
    assert "not_run" in body["message"]
    assert "to go on: bulkip resume" in body["message"]
    assert SECRET not in halted.err


def test_message_that_does_not_arrive_is_a_warning(tmp_path: Path, api: str) -> None:
    """No message changes the exit code, and its address is not shown."""
    write_job(tmp_path, api, "notify: {url: 'env:NOTE_URL', on: [success]}\n")

    ended = run(tmp_path, NOTE_URL=f"json://127.0.0.1:9/{SECRET}")

    assert ended.code == 0
    assert ended.err == "warning: notify env:NOTE_URL: the service did not take it\n"


def test_missing_package_is_named_when_the_job_is_loaded(tmp_path: Path, api: str) -> None:
    """A job that wants messages is refused before anything is sent when nothing could carry them."""
    write_job(tmp_path, api, "notify: [env:NOTE_URL]\n")
    program = "import sys; sys.modules['apprise'] = None; from bulkip.cli import main; main()"

    done = subprocess.run(
        [sys.executable, "-c", program, "validate", "job.yaml"],
        cwd=tmp_path,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )

    assert done.returncode == 2
    assert "pip install 'bulkip[notify]'" in done.stderr


def is_alive(pid: int) -> bool:
    """Say whether a process is there, and not only waiting to be buried."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False

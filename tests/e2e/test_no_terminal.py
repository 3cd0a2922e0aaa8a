"""What changes where nobody watches: in pipelines, on poor terminals, in bare locales."""

import os
import pty
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from bulkip.simulator import EmbeddedSimulator, Seed, SimulatorSettings
from tests.program import bulkip, clean_environment

JOB = """
version: 1
targets: [{cidr: 203.0.113.0/29, id: 4711}]
actions: [{action: update_ptr, with: {ptr: "{{ ip.dashed }}.example.net"}}]
limits: {rate: 200/s}
"""
REHEARSAL = ("run", "job.yaml", "--simulate", "--yes")
FAULTS = (
    "version: 1\nfaults: [{action: get_ptr, ip: 203.0.113.1, json: {code: -1, message: invalid request}}]\n"
)
RED, ANY_CODE = "\x1b[1;31m", "\x1b"
BARE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@dataclass(frozen=True, slots=True)
class Seen:
    """What a program showed on its terminal, and how it ended."""

    code: int
    text: str


def on_a_terminal(folder: Path, env: Mapping[str, str], *arguments: str) -> Seen:
    """Run `bulkip` on a terminal of its own, whose reader types nothing."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "bulkip", *arguments],
        cwd=folder,
        env=clean_environment() | {"TERM": "xterm"} | dict(env),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as program:
        os.close(theirs)
        text = b"".join(_chunks(ours))
    os.close(ours)
    return Seen(program.returncode, text.decode())


def _chunks(terminal: int) -> Iterator[bytes]:
    while True:
        try:
            chunk = os.read(terminal, 65536)
        except OSError:  # what Linux says at the end of a terminal
            return
        if not chunk:
            return
        yield chunk


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a job of eight writes."""
    (tmp_path / "job.yaml").write_text(JOB)
    return tmp_path


@pytest.mark.parametrize(
    "env", [{"CI": "true"}, {"GITLAB_CI": "true"}, {"TERM": "dumb"}], ids=["ci", "gitlab", "dumb"]
)
def test_log_of_a_terminal_holds_no_codes(folder: Path, env: dict[str, str]) -> None:
    """Where a terminal is only a log, progress is lines with their times and nothing is drawn."""
    seen = on_a_terminal(folder, env, *REHEARSAL)

    assert (seen.code, ANY_CODE in seen.text) == (0, False), seen.text
    assert any(line[:2] == "20" and "applying: 8 of 8 in " in line for line in seen.text.splitlines())


@pytest.mark.parametrize(
    ("env", "options", "coloured"),
    [
        pytest.param({}, [], True, id="terminal"),
        pytest.param({"CI": "false"}, [], True, id="ci-false"),
        pytest.param({"CI": "true"}, ["--progress", "tty"], True, id="asked-for-in-a-pipeline"),
        pytest.param({"NO_COLOR": "1"}, [], False, id="no-color"),
        pytest.param({"NO_COLOR": "1", "CLICOLOR_FORCE": "1"}, [], False, id="no-color-beats-force"),
        pytest.param({"CLICOLOR": "0"}, [], False, id="clicolor-off"),
        pytest.param({}, ["--no-color"], False, id="option"),
    ],
)
def test_colours_are_for_who_wants_them(
    folder: Path, env: dict[str, str], options: list[str], *, coloured: bool
) -> None:
    """A terminal gets a drawing; failures are red in it unless somebody says no."""
    (folder / "faults.yaml").write_text(FAULTS)

    seen = on_a_terminal(folder, env, *REHEARSAL, "--faults", "faults.yaml", *options)

    assert (seen.code, ANY_CODE in seen.text) == (3, True), seen.text
    assert (RED in seen.text) is coloured


def test_pipeline_is_never_asked(folder: Path) -> None:
    """A question that nobody would answer is an error with the way out, also where there is a terminal."""
    seeds = [Seed(f"203.0.113.{host}", 4711, "NL", "old.example.org") for host in range(8)]
    with EmbeddedSimulator(seeds, SimulatorSettings()) as api:
        (folder / "job.yaml").write_text(JOB + f"api: {{url: '{api.url}'}}\n")

        seen = on_a_terminal(folder, {"CI": "true", "HOSTKEY_TOKEN": "simulated"}, "run", "job.yaml")

        written = api.state.count("update_ptr")
    assert (seen.code, written) == (5, 0)
    assert "nobody answers in a pipeline; add --yes or --confirm 8" in seen.text


def test_log_of_a_pipeline_is_not_wrapped(folder: Path) -> None:
    """A fact stays on one line of the log, however narrow the terminal of a pipeline claims to be."""
    seen = on_a_terminal(folder, {"CI": "1"}, *REHEARSAL, "--max-changes", "3")

    told = [line for line in seen.text.splitlines() if line.startswith("stopped before")]
    assert seen.code == 5
    assert all("--max-changes 8" in line for line in told), told
    assert len(told) == 1


def test_plan_in_a_pipeline_is_whole(tmp_path: Path) -> None:
    """A terminal gets the first lines of a long plan, the log of a pipeline all of them."""
    (tmp_path / "job.yaml").write_text(JOB.replace("203.0.113.0/29", "203.0.113.0/27"))
    command = ("plan", "job.yaml", "--simulate", "-q")

    shown = {ci: on_a_terminal(tmp_path, {"CI": ci}, *command).text.count(" -> ") for ci in ("true", "false")}

    assert shown == {"true": 32, "false": 20}


def test_log_can_be_followed(folder: Path) -> None:
    """Each line of progress leaves when it is written, not when the run is over."""
    command = [sys.executable, "-m", "bulkip", *REHEARSAL, "--rate", "8/s"]

    with subprocess.Popen(command, cwd=folder, env=clean_environment(), stderr=subprocess.PIPE) as program:
        assert program.stderr is not None
        lines = [program.stderr.readline() for _ in range(2)]
        running = program.poll() is None
        program.stderr.read()

    assert (running, b"reading current values" in lines[1]) == (True, True)


@pytest.mark.parametrize(
    "env",
    [
        pytest.param({"LC_ALL": "C"}, id="c"),
        pytest.param({"LC_ALL": "POSIX"}, id="posix"),
        pytest.param({"PYTHONIOENCODING": "latin-1"}, id="latin-1"),
        pytest.param({"PYTHONIOENCODING": "ascii:strict"}, id="strict-ascii"),
    ],
)
@pytest.mark.parametrize("command", ["validate", "plan", "run"])
def test_no_locale_stops_a_name(tmp_path: Path, env: dict[str, str], command: str) -> None:
    """Files, jobs and host names in any script pass through every locale; the DNS name is what is printed."""
    (tmp_path / "имя.csv").write_text("ip,id,ptr\n203.0.113.7,4711,bücher.example.net\n", encoding="utf-8")
    text = "version: 1\nname: имя\ntargets: [{csv: имя.csv}]\nactions: [{action: update_ptr}]\n"
    (tmp_path / "работа.yaml").write_text(text, encoding="utf-8")
    options = {"validate": [], "plan": ["--simulate"], "run": ["--simulate", "--yes", "--format", "text"]}

    done = subprocess.run(
        [sys.executable, "-m", "bulkip", command, "работа.yaml", *options[command]],
        cwd=tmp_path,
        env=clean_environment() | env,
        capture_output=True,
        timeout=60,
        check=False,
    )

    assert (done.returncode, b"Traceback" in done.stderr) == (0, False), done.stderr.decode(errors="replace")
    assert (b"xn--bcher-kva.example.net" if command != "validate" else b"valid, 1 item") in done.stdout


@pytest.mark.parametrize(
    ("command", "given"),
    [
        pytest.param("validate", "targets: [{csv: имя.csv}]", id="validate-input"),
        pytest.param("run", "targets: [{csv: имя.csv}]", id="run-input"),
        pytest.param("run", "targets: [203.0.113.7]\nreports: [csv=имя.csv]", id="run-report"),
    ],
)
def test_name_that_a_locale_cannot_write_is_told(folder: Path, command: str, given: str) -> None:
    """Where not even file names may be other than ASCII, one line gives the way out; nothing is sent."""
    text = f"version: 1\n{given}\nactions: [{{action: get_ip}}]\n"
    (folder / "job.yaml").write_text(text, encoding="utf-8")
    simulate = [] if command == "validate" else ["--simulate"]

    ended = bulkip(command, "job.yaml", *simulate, cwd=folder, env=BARE)

    assert (ended.code, "Traceback" in ended.err) == (2, False), ended.err
    assert "set PYTHONUTF8=1" in ended.err


def test_rows_leave_in_utf_8_whatever_the_locale(folder: Path) -> None:
    """A report on stdout is the same bytes in every locale."""
    (folder / "job.yaml").write_text("name: bücher\n" + JOB, encoding="utf-8")
    bulkip(*REHEARSAL, cwd=folder)
    command = [sys.executable, "-m", "bulkip", "report", "last", "-f"]

    told = {
        form: {
            subprocess.check_output([*command, form], cwd=folder, env=clean_environment() | env, timeout=60)
            for env in (BARE, {"PYTHONIOENCODING": "latin-1"}, {"LC_ALL": "C.UTF-8"})
        }
        for form in ("text", "json")
    }

    assert {form: len(ways) for form, ways in told.items()} == {"text": 1, "json": 1}
    assert "bücher" in next(iter(told["text"])).decode("utf-8")

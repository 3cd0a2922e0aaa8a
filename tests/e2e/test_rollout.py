"""A rollout: a few addresses first, proof and a look in between, and the rest only when these went well."""

import json
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bulkip.model import JsonValue
from bulkip.simulator import Fault
from tests.migration import PATIENCE_S, TOKEN, Migration, address, migration, new_name
from tests.program import clean_environment

DENIED: JsonValue = {"code": -1, "message": "access denied"}
LIE: JsonValue = {"result": "OK"}


@pytest.fixture
def move(tmp_path: Path) -> Iterator[Migration]:
    """Begin with forty addresses."""
    with migration(tmp_path, 40) as told:
        yield told


def written(move: Migration) -> int:
    """Return how many addresses have their new name."""
    return sum(name.startswith("new") for name in move.names())


def test_canary_that_fails_spares_the_others(move: Migration) -> None:
    """One failure of five is far more than 5 %, so 35 addresses are left alone; exit 6."""
    move.api.fault(Fault(action="update_ptr", ip=address(2), json=DENIED))

    ended = move.do("run", "job.yaml", "--yes", "--canary", "5")

    assert ended.code == 6
    assert "1 of 5 items failed, more than `max_failed` 5% allows" in ended.err
    assert move.tally() == {"changed": 4, "failed": 1, "not_run": 35}


def test_canary_that_goes_well_is_followed_by_all(move: Migration) -> None:
    """Five addresses, then the rest, in that order."""
    ended = move.done("run", "job.yaml", "--canary", "5")

    assert "step 1 of 2 is done, 5 IPs so far" in ended.err
    first = {entry.ip for entry in move.api.log.entries("update_ptr")[:5]}
    assert first == {address(number) for number in range(5)}
    assert written(move) == 40


def test_steps_of_the_job_hold(move: Migration) -> None:
    """The ceiling is that of the step: a failure among the next ten is too much for these."""
    move.write_job("rollout: {steps: [2, 30%, 100%]}\n")
    move.api.fault(Fault(action="update_ptr", ip=address(7), json=DENIED))

    ended = move.do("run", "job.yaml", "--yes")

    assert ended.code == 6
    assert "1 of 10 items failed" in ended.err
    assert move.tally() == {"changed": 11, "failed": 1, "not_run": 28}


def test_halted_rollout_says_how_to_go_on_and_goes_on(move: Migration) -> None:
    """The resume command that is printed carries the limit it needs; it begins with the next step."""
    for number in (2, 12, 22, 32):
        move.api.fault(Fault(action="update_ptr", ip=address(number), json=DENIED))
    halted = move.do("run", "job.yaml", "--yes", "--canary", "5")
    (command,) = [line.split("next", 1)[1] for line in halted.err.splitlines() if "bulkip resume" in line]
    assert command.split()[-2:] == ["--max-failed", "20%"]
    assert command.strip() in move.do("show", "last").out
    assert json.loads(move.do("report", "last", "-f", "json").out)["resume"] == command.strip()

    ended = move.do(*command.split()[1:])

    assert ended.code == 3, ended.err
    assert move.tally() == {"changed": 36, "failed": 4}
    assert set(move.writes().values()) == {1}


def test_resume_goes_on_in_the_step_that_was_cut_short(move: Migration) -> None:
    """Killed in its first step, a rollout finishes the twenty of that step first, and stops when they fail.

    Addresses that could not be read are none of them.
    """
    move.write_job("rollout: {steps: [20, 100%]}\nsafety: {max_failed: 13%}\n")
    move.api.fault(Fault(action="get_ptr", ip=f"{address(30)}-{address(34)}", json=DENIED))
    move.api.fault(Fault(action="update_ptr", ip=f"{address(15)}-{address(17)}", json=DENIED))
    move.cut_short(signal.SIGKILL, "update_ptr", 4, "run", "job.yaml", "--yes", "--rate", "16/s")
    assert 0 < written(move) < 12

    ended = move.do("resume", "--rate", "500/s")

    assert ended.code == 6, ended.err
    assert move.tally() == {"changed": 17, "failed": 3 + 5, "not_run": 15}


def test_addresses_that_cannot_be_read_are_no_canary(move: Migration) -> None:
    """Five unreadable values were never written, so the canary is five others."""
    move.api.fault(Fault(action="get_ptr", ip=f"{address(0)}-{address(4)}", json=DENIED))
    move.api.fault(Fault(action="update_ptr", ip=address(6), json=DENIED))

    ended = move.do("run", "job.yaml", "--yes", "--canary", "5", "--max-failed", "15%")

    assert ended.code == 6, ended.err
    assert move.writes().total() == 5


def test_retry_has_a_canary_of_its_own(move: Migration) -> None:
    """What failed is tried again in steps, too: the addresses that went well before are no canary for it."""
    move.api.fault(Fault(action="update_ptr", ip=f"{address(20)}-{address(39)}", json=DENIED))
    move.do("run", "job.yaml", "--yes", "--max-failed", "100%")

    ended = move.do("retry", "last", "--yes", "--canary", "3", "--max-failed", "5%")

    assert ended.code == 6, ended.err
    assert move.writes().total() == 40 + 3


def test_steps_are_proved_in_between(move: Migration) -> None:
    """A lying server is found out after the canary: no proof, no next step."""
    proof = "verify: {mode: api, timeout: 1s, settle: 20ms, required: true}\n"
    move.write_job(f"{proof}rollout: {{steps: [5, 100%], verify_between: true}}\n")
    move.api.fault(Fault(action="update_ptr", ip=address(2), json=LIE))

    ended = move.do("run", "job.yaml", "--yes")

    assert ended.code == 6, ended.err
    assert move.tally() == {"changed": 4, "unverified": 1, "not_run": 35}
    assert move.writes().total() == 5


def test_canary_without_its_proof_holds_a_resume_back(move: Migration) -> None:
    """Killed before its canary was proved, a rollout proves it first; it is a lie, so nothing follows."""
    proof = "verify: {mode: api, timeout: 1s, settle: 20ms, required: true}\n"
    move.write_job(f"{proof}rollout: {{steps: [5, 100%], verify_between: true}}\n")
    move.api.fault(Fault(action="update_ptr", ip=address(2), json=LIE))
    reads = move.count + 2  # the values before, and the first looks at what was written
    move.cut_short(signal.SIGKILL, "get_ptr", reads, "run", "job.yaml", "--yes")
    assert move.writes().total() == 5

    ended = move.do("resume")

    assert ended.code == 6, ended.err
    assert move.writes().total() == 5


def test_pause_lasts_as_long_as_it_says(move: Migration) -> None:
    """Between two steps the provider hears nothing for the time of the pause."""
    move.write_job("rollout: {steps: [5, 100%], pause: 1s}\n")

    ended = move.done("run", "job.yaml")

    at = [entry.at for entry in move.api.log.entries("update_ptr")]
    assert at[5] - at[4] >= 1.0
    assert "the next one begins in 1s" in ended.err


def test_pause_can_be_broken_off(move: Migration) -> None:
    """Ctrl-C in a pause ends the run at once, resumable."""
    move.write_job("rollout: {steps: [5, 100%], pause: 1h}\n")
    with move.under_way("run", "job.yaml", "--yes") as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "the next one begins" in line:
                process.send_signal(signal.SIGINT)
                break
    assert process.returncode == 130
    assert move.tally() == {"changed": 5, "not_run": 35}

    move.write_job("rollout: {steps: [5, 100%], pause: 1h}\n")
    assert move.do("resume").code == 0
    assert written(move) == 40


def test_prompt_without_a_terminal_halts(move: Migration) -> None:
    """Nobody is there to agree, so the run halts after its first step; --confirm is another answer."""
    move.write_job("rollout: {steps: [5, 100%], pause: prompt}\n")

    ended = move.do("run", "job.yaml", "--confirm", "40")

    assert ended.code == 6
    assert "nobody agreed to the next step" in ended.err
    assert move.tally() == {"changed": 5, "not_run": 35}


def test_prompt_is_answered_by_yes(move: Migration) -> None:
    """--yes answers every question."""
    move.write_job("rollout: {steps: [5, 100%], pause: prompt}\n")

    move.done("run", "job.yaml")

    assert written(move) == 40


@pytest.mark.parametrize(
    ("answer", "code", "changed"), [pytest.param("y", 0, 40, id="yes"), pytest.param("n", 6, 5, id="no")]
)
def test_prompt_asks_on_a_terminal(move: Migration, answer: str, code: int, changed: int) -> None:
    """Whoever is at the terminal decides whether the next step begins."""
    move.write_job("rollout: {steps: [5, 100%], pause: prompt}\n")

    ended = at_terminal(move.folder, {"writes to": "y", "5 IPs so far; go on?": answer})

    assert (ended, written(move)) == (code, changed)


def at_terminal(folder: Path, answers: dict[str, str]) -> int:
    """Run the job on a terminal, give each question its answer, and return the exit code."""
    ours, theirs = pty.openpty()
    command = [sys.executable, "-m", "bulkip", "run", "job.yaml", "--progress", "plain"]
    with subprocess.Popen(
        command, cwd=folder, env=clean_environment() | TOKEN, stdin=theirs, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        told, left = "", dict(answers)
        try:
            while heard := os.read(ours, 4096):
                told += heard.decode()
                for question in [one for one in left if one in told and told.rstrip().endswith("[y/N]")]:
                    os.write(ours, f"{left.pop(question)}\n".encode())
                    told = ""
        except OSError:  # the terminal of a process that ended
            pass
        finally:
            os.close(ours)
        return process.wait(PATIENCE_S)


def test_percentage_after_a_large_canary(move: Migration) -> None:
    """More canaries than addresses are all of them, in one step."""
    ended = move.done("run", "job.yaml", "--canary", "100")

    assert "step" not in ended.err
    assert move.names()[39] == new_name(39)

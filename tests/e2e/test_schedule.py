"""What `bulkip schedule` prints is taken by cron, systemd and YAML as it stands, whatever the paths hold."""

import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.called import called
from tests.program import Ended

JOB = """\
version: 1
name: nightly
timezone: {zone}
targets: [{{ip: 203.0.113.7, id: 4711}}]
actions: [{{action: {action}}}]
"""
CHECKER = shutil.which("systemd-analyze")
ODD = '50% of $HOME\'s "day"'


def write_job(folder: Path, action: str = "get_ip", zone: str = "Europe/Amsterdam", more: str = "") -> None:
    """Write a job into a folder."""
    folder.mkdir(exist_ok=True)
    (folder / "job.yaml").write_text(JOB.format(action=action, zone=zone) + more)


def printed(folder: Path, *options: str) -> Ended:
    """Print a schedule from within a folder."""
    return called("schedule", "job.yaml", *options, cwd=folder)


def lines(folder: Path, *options: str) -> list[str]:
    """Return what is printed, without comments."""
    ended = printed(folder, *options)
    assert ended.code == 0, ended.err
    return [line for line in ended.out.splitlines() if line and not line.startswith("#")]


def test_crontab_line_survives_cron_and_shell(tmp_path: Path) -> None:
    """Once cron has taken the backslashes before `%`, the shell sees the paths as they are."""
    folder = tmp_path / ODD
    write_job(folder)

    (line,) = lines(folder, "--at", "04:05", "--run-dir", "runs")
    words = shlex.split(line.replace(r"\%", "%"))

    assert "%" not in line.replace(r"\%", "")
    assert words[:9] == ["5", "4", "*", "*", "*", "cd", str(folder), "&&", f"BULKIP_RUN_DIR={folder}/runs"]
    assert words[-5:] == ["run", f"{folder}/job.yaml", "-q", "--keep", "30"]


def test_job_that_writes_gets_a_yes(tmp_path: Path) -> None:
    """At night there is nobody to ask; a job that only reads needs no answer."""
    write_job(tmp_path, "update_ptr", more="vars: {}\n")

    assert " --yes " in lines(tmp_path)[0]


@pytest.mark.skipif(CHECKER is None, reason="systemd-analyze is not installed")
def test_units_are_taken_by_systemd(tmp_path: Path) -> None:
    """The checker of systemd finds nothing wrong with service and timer, odd paths included."""
    folder = tmp_path / ODD
    write_job(folder)
    service, _, timer = printed(folder, "--print", "systemd").out.partition(
        "\n# /etc/systemd/system/bulkip-nightly.timer"
    )
    (tmp_path / "bulkip-nightly.service").write_text(service)
    (tmp_path / "bulkip-nightly.timer").write_text(timer)

    done = subprocess.run(
        [str(CHECKER), "verify", "--man=no", str(tmp_path / "bulkip-nightly.timer"),
         str(tmp_path / "bulkip-nightly.service")],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip

    ours = [line for line in done.stderr.splitlines() if "bulkip-nightly" in line]
    assert (done.returncode, ours) == (0, [])


def test_units_catch_up_and_know_zone_and_folder(tmp_path: Path) -> None:
    """A missed night is caught up, the time is that of the job's zone, and specifiers are escaped."""
    folder = tmp_path / ODD
    write_job(folder)

    found = lines(folder, "--print", "systemd")

    assert "OnCalendar=*-*-* 03:15:00 Europe/Amsterdam" in found
    assert "Persistent=true" in found
    assert f"WorkingDirectory={folder}".replace("%", "%%") in found


def test_credential_of_the_job_is_loaded(tmp_path: Path) -> None:
    """A job that looks for its token among the unit's credentials gets it from there."""
    write_job(tmp_path, more="api: {token: 'file:/run/credentials/bulkip-nightly.service/hostkey'}\n")

    assert "LoadCredential=hostkey:/etc/bulkip/hostkey" in lines(tmp_path, "--print", "systemd")


def workflow(folder: Path, *options: str) -> dict[str, Any]:
    """Return a printed workflow as YAML reads it."""
    read: dict[str, Any] = yaml.safe_load(printed(folder, "--print", "github", *options).out)
    return read


@pytest.mark.parametrize(
    ("zone", "at", "cron"),
    [
        pytest.param("Europe/Amsterdam", "03:15", "15 2 * * *", id="ahead-with-summer-time"),
        pytest.param("America/New_York", "03:15", "15 8 * * *", id="behind"),
        pytest.param("Asia/Kolkata", "03:15", "45 21 * * *", id="the-day-before"),
    ],
)
def test_workflow_counts_in_utc_and_is_never_early(tmp_path: Path, zone: str, at: str, cron: str) -> None:
    """GitHub's cron has no zone: the time is converted, for the season in which it comes later."""
    write_job(tmp_path, zone=zone)

    read = workflow(tmp_path, "--at", at)

    assert read["on"]["schedule"] == [{"cron": cron}]


def test_workflow_holds_the_command_as_it_is(tmp_path: Path) -> None:
    """YAML and shell give back the job's path in its repository."""
    (tmp_path / ODD).mkdir()
    write_job(tmp_path / ODD)

    ended = called("schedule", f"{ODD}/job.yaml", "--print", "github", cwd=tmp_path)
    command = yaml.safe_load(ended.out)["jobs"]["bulkip"]["steps"][-1]["run"]

    assert shlex.split(command) == ["bulkip", "run", f"{ODD}/job.yaml", "-q"]


@pytest.mark.parametrize(
    ("name", "form", "told"),
    [
        pytest.param("a\nb", "cron", "control characters", id="line-end"),
        pytest.param("a${{ x }}", "github", "an expression", id="expression"),
    ],
)
def test_path_that_cannot_be_quoted_is_refused(tmp_path: Path, name: str, form: str, told: str) -> None:
    """No schedule is printed in which a path would mean something else."""
    write_job(tmp_path / name)

    ended = called("schedule", f"{name}/job.yaml", "--print", form, cwd=tmp_path)

    assert (ended.code, ended.out) == (2, "")
    assert told in ended.err


def test_wrong_time_and_wrong_job_are_refused(tmp_path: Path) -> None:
    """What is printed is pasted and forgotten, so it must be right."""
    write_job(tmp_path, more="limts: {}\n")

    assert printed(tmp_path, "--at", "24:00").code == 2
    assert "limts" in printed(tmp_path).err

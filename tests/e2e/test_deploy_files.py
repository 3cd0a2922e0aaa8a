"""The units of `jobs/deploy` are taken by systemd, hold no secret, and name only what exists."""

import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from bulkip.cli.commands import bulkip as commands
from bulkip.orders import Orders
from bulkip.run.hands import LAST_WORD_S
from bulkip.run.tickets import HURRIED_S
from tests.program import ROOT

DEPLOY = ROOT / "jobs" / "deploy"
FILES = sorted(DEPLOY.iterdir())
SERVICES = [path for path in FILES if path.suffix == ".service"]
PROGRAM = "/opt/bulkip/bin/bulkip"
CHECKER = shutil.which("systemd-analyze")
LOGIN = re.compile(r"://[^/\s]*@")
SECRET = re.compile(r"^#?\s*\w*(?:PASSWORD|TOKEN|KEY|SECRET)\w*=(.*)$", re.MULTILINE)
INSTANCE = "1"


def settings(path: Path) -> list[tuple[str, str]]:
    """Return what a unit or an environment file sets, in order; a line that sets nothing fails."""
    found = []
    for line in path.read_text("utf-8").splitlines():
        if line and not line.startswith(("#", "[")):
            name, equals, value = line.partition("=")
            assert equals, line
            found.append((name, value))
    return found


def value_of(path: Path, name: str) -> str:
    """Return the only value of a setting."""
    (value,) = [value for key, value in settings(path) if key == name]
    return value


def verdict(folder: Path) -> tuple[int, list[str]]:
    """Return how systemd judges the units, as if bulkip and an instance of the worker were there."""
    names = []
    for path in FILES:
        if path.suffix in {".service", ".timer"}:
            names.append(str(folder / path.name.replace("@.", f"@{INSTANCE}.")))
            text = path.read_text("utf-8").replace(PROGRAM, sys.executable)
            Path(names[-1]).write_text(text, "utf-8")
    return judged(names)


def judged(names: list[str]) -> tuple[int, list[str]]:
    """Return the exit code of the checker, and what it says of our own units."""
    command = [str(CHECKER), "verify", "--man=no", *names]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, [line for line in done.stderr.splitlines() if "bulkip" in line]


@pytest.mark.skipif(CHECKER is None, reason="systemd-analyze is not installed")
def test_units_are_taken_by_systemd(tmp_path: Path) -> None:
    """The checker of systemd finds nothing wrong with services and timer."""
    assert verdict(tmp_path) == (0, [])


@pytest.mark.skipif(CHECKER is None, reason="systemd-analyze is not installed")
def test_checker_sees_a_mistake(tmp_path: Path) -> None:
    """The verdict means something: a setting that nobody knows is told."""
    path = tmp_path / "bulkip-wrong.service"
    path.write_text(SERVICES[0].read_text("utf-8").replace("DynamicUser=", "DynamicUsr="), "utf-8")

    assert judged([str(path)]) != (0, [])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_file_holds_no_secret(path: Path) -> None:
    """What has a value is no secret, and no URL holds a login."""
    text = path.read_text("utf-8")

    assert LOGIN.findall(text) == []
    assert [value for value in SECRET.findall(text) if value.strip()] == []


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.name)
def test_secrets_come_from_the_file_of_root(path: Path) -> None:
    """No process has the URL among its arguments; the file that holds it is made readable for root alone."""
    example = DEPLOY / "cluster.env.example"

    assert value_of(path, "EnvironmentFile") == "/etc/bulkip/cluster.env"
    assert "-m 0600 -o root" in example.read_text("utf-8")
    assert {name for name, _ in settings(example)} >= {"BULKIP_CLUSTER", "PGPASSWORD", "HOSTKEY_TOKEN"}
    assert "postgres" not in value_of(path, "ExecStart")


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.name)
def test_command_is_one_of_ours(path: Path) -> None:
    """What a service starts is `bulkip` with options that exist."""
    program, name, *arguments = shlex.split(value_of(path, "ExecStart"))
    with commands.make_context("bulkip", [], resilient_parsing=True) as context:
        known = commands.get_command(context, name)
        assert isinstance(known, click.Command), name

        made = known.make_context(name, with_url(known, arguments), parent=context)

    assert (program, made.args) == (PROGRAM, [])


def with_url(command: click.Command, arguments: list[str]) -> list[str]:
    """Return the arguments with the URL in its place that the environment would fill."""
    wanted = [one for one in command.params if isinstance(one, click.Argument) and one.name == "url"]
    return [*arguments, *["postgresql:///bulkip" for _ in wanted]]


def test_variables_are_known() -> None:
    """A variable of ours that a unit or the example sets is read by a command."""
    own = {name for name, _ in settings(DEPLOY / "cluster.env.example")}
    for path in SERVICES:
        own |= {value.partition("=")[0] for name, value in settings(path) if name == "Environment"}

    assert {name for name in own if name.startswith("BULKIP_")} <= set(variables())


def variables() -> Iterator[str]:
    """Yield the variables that the commands read."""
    with commands.make_context("bulkip", [], resilient_parsing=True) as context:
        for name in commands.list_commands(context):
            known = commands.get_command(context, name)
            for param in known.params if known else []:
                yield from [param.envvar] if isinstance(param.envvar, str) else param.envvar or []


def test_worker_comes_back_and_may_end_in_order() -> None:
    """A worker is started again whatever ended it; told to stop, it has the time that it needs."""
    (worker,) = [path for path in SERVICES if path.name == "bulkip-worker@.service"]

    assert value_of(worker, "Restart") == "always"
    assert value_of(worker, "KillSignal") == "SIGTERM"
    assert int(value_of(worker, "TimeoutStopSec")) > Orders("", 0, {}, 0).grace_s + HURRIED_S + LAST_WORD_S
    assert value_of(worker, "SuccessExitStatus") == "143"

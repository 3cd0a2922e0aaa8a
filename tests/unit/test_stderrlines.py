"""When stderr is JSON, and that a bug is told so, too."""

import json
import subprocess
import sys

import click
import pytest

from bulkip.cli.commands import Commands
from bulkip.cli.stderrlines import wants_json
from tests.program import ROOT, clean_environment


@pytest.mark.parametrize(
    ("arguments", "twin", "wanted"),
    [
        pytest.param(["run", "j.yaml"], "", False, id="nobody"),
        pytest.param(["run", "j.yaml", "--log-format", "json"], "", True, id="two-words"),
        pytest.param(["run", "--log-format=json", "j.yaml"], "", True, id="one-word"),
        pytest.param(["run", "j.yaml"], "json", True, id="twin"),
        pytest.param(["run", "--log-format", "text"], "json", False, id="flag-above-twin"),
        pytest.param(["run", "--log-format"], "", False, id="cut-off"),
    ],
)
def test_flag_or_environment_asks_for_json(
    monkeypatch: pytest.MonkeyPatch, arguments: list[str], twin: str, *, wanted: bool
) -> None:
    """The form of errors is known before the command line is read, which may be what is wrong."""
    monkeypatch.setenv("BULKIP_LOG_FORMAT", twin)

    assert wants_json(arguments) is wanted


def test_bug_is_one_object_with_its_traceback() -> None:
    """Not even a bug writes a line that a log collector cannot read."""
    program = "from bulkip.cli.stderrlines import tell_bugs_as_json as t; t(['--log-format=json']); 1 / 0"

    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )

    told = json.loads(done.stderr)
    assert (done.returncode, told["level"]) == (1, "error")
    assert "ZeroDivisionError" in told["exception"]


class Stopped(Commands):
    """The commands of bulkip, each of which is interrupted at once."""

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 -- click's
        """Return a command that gets no further."""

        def stop() -> None:
            raise KeyboardInterrupt

        return click.Command(cmd_name, callback=stop)


def test_interrupt_writes_no_empty_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C before there is a run is told by us alone: the empty line of click is no JSON."""
    with pytest.raises(click.Abort):
        Stopped("bulkip").main(["run"], standalone_mode=False)

    assert capsys.readouterr() == ("", "")

"""A shell completes what a user types: commands, options, words and files."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from click.shell_completion import BashComplete

from bulkip.cli.commands import COMMANDS
from bulkip.cli.commands import bulkip as bulkip_command
from tests.program import bulkip

VARIABLE = "_BULKIP_COMPLETE"


def completed(words: str) -> list[str]:
    """Return what is offered behind these words: values, or `file` where the shell is to look."""
    *before, typed = words.split(" ")
    asked = BashComplete(bulkip_command, {}, "bulkip", VARIABLE)
    return [
        item.value if item.type == "plain" else item.type for item in asked.get_completions(before, typed)
    ]


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        pytest.param("val", ["validate"], id="command"),
        pytest.param("s", ["show", "schema", "schedule", "simulate"], id="commands"),
        pytest.param("run --concu", ["--concurrency"], id="option"),
        pytest.param("schema ", ["job", "report", "plan"], id="kinds-of-schema"),
        pytest.param("init t", ["traffic"], id="kinds-of-job"),
        pytest.param("completion z", ["zsh"], id="shells"),
        pytest.param("run --progress p", ["plain"], id="words-of-an-option"),
        pytest.param("run jobs/p", ["file"], id="job-file"),
        pytest.param("validate a.yaml b", ["file"], id="second-job-file"),
        pytest.param("", list(COMMANDS), id="every-command"),
    ],
)
def test_words_are_completed(words: str, offered: list[str]) -> None:
    """What can stand where the user presses Tab is offered; files are left to the shell."""
    assert completed(words) == offered


def test_program_answers_its_shell(tmp_path: Path) -> None:
    """Asked as bash asks, the program prints one `KIND,VALUE` a line and nothing else."""
    asked = {VARIABLE: "bash_complete", "COMP_WORDS": "bulkip run --conc", "COMP_CWORD": "2"}

    ended = bulkip(cwd=tmp_path, env=asked)

    assert (ended.code, ended.out, ended.err) == (0, "plain,--concurrency\n", "")


@pytest.mark.parametrize(
    ("shell", "mark"), [("bash", "complete -o"), ("zsh", "#compdef bulkip"), ("fish", "complete --no-files")]
)
def test_script_is_understood_by_its_shell(tmp_path: Path, shell: str, mark: str) -> None:
    """The script asks this program by its own variable, and its shell, where installed, can read it."""
    ended = bulkip("completion", shell, cwd=tmp_path)

    assert ended.code == 0
    assert mark in ended.out
    assert VARIABLE in ended.out
    assert complaints(shell, ended.out) == ""


def complaints(shell: str, script: str) -> str:
    """Return what a shell says against a script, without running it; nothing when it is not installed."""
    if shutil.which(shell) is None:
        return ""
    return subprocess.run(
        [shell, "-n"], input=script, capture_output=True, text=True, timeout=20, check=False, env=os.environ
    ).stderr

"""Options may be set in the environment too, and a wrong word is answered with the right one."""

from importlib import import_module

import click
import pytest

from bulkip.cli.commands import COMMANDS
from bulkip.cli.options import WITHOUT_TWIN, Word, option, report_spec, twin_of
from bulkip.cli.run import run

ELSEWHERE = {
    "simulate": "its options describe a server, and BULKIP_LIMIT is about addresses",
    "targets": "its switches say what this one call prints",
    "report": "its --format may name a path, which that of a run may not",
    "runs": "its formats are not those of a run's report",
    "show": "the same",
    "explain": "the same",
    "diff": "the same, and its --top is about what this one call prints",
    "merge": "its --out is a new folder, that of a plan is a file",
    "doctor": "what it looks at is said each time",
}
"""Commands whose options have no twins, and why."""
OWN_FORMATS = {("plan", "--format"), ("validate", "--format")}
"""Formats that are not those of a run's report."""


def options_of(command: str) -> list[click.Option]:
    """Return the options of a command, without help."""
    found = getattr(import_module(f"bulkip.cli.{command}"), command)
    return [one for one in found.params if isinstance(one, click.Option)]


@pytest.mark.parametrize("command", [name for name in COMMANDS if name not in ELSEWHERE])
def test_every_option_has_its_twin(command: str) -> None:
    """Each option of each command can be set as BULKIP_<OPTION>, but those that confirm."""
    wrong = [
        (name, one.envvar)
        for one in options_of(command)
        if one.envvar != twin_of(name := max(one.opts, key=len)) and (command, name) not in OWN_FORMATS
    ]

    assert wrong == []


@pytest.mark.parametrize("name", [*sorted(WITHOUT_TWIN), "--allow-unread", "--allow-fewer"])
def test_confirmations_have_no_twin(name: str) -> None:
    """What confirms a write must be said each time: left in a shell it would confirm later ones."""

    @click.command()
    @option(name)
    def command() -> None: ...

    assert [one.envvar for one in command.params if isinstance(one, click.Option)] == [None]


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("BULKIP_RATE", "fast"),
        ("BULKIP_CONCURRENCY", "0"),
        ("BULKIP_SIMULATE", "maybe"),
        ("BULKIP_PROGRESS", "x"),
    ],
)
def test_wrong_value_in_the_environment_names_the_variable(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    """Who never wrote the option learns which variable holds the wrong value."""
    monkeypatch.setenv(variable, value)

    with pytest.raises(click.BadParameter) as refused:
        run.make_context("run", ["job.yaml"])

    assert refused.value.format_message().startswith(f"Invalid value for {variable}: ")


def test_wrong_flag_is_not_blamed_on_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flag stands above its variable, in its errors too."""
    monkeypatch.setenv("BULKIP_RATE", "5/s")

    with pytest.raises(click.BadParameter) as refused:
        run.make_context("run", ["job.yaml", "--rate", "fast"])

    assert refused.value.format_message().startswith("Invalid value for '--rate': `fast` is not a rate")


def test_flag_stands_above_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The value of a flag is taken, whatever the variable says."""
    monkeypatch.setenv("BULKIP_RETRIES", "9")

    context = run.make_context("run", ["job.yaml", "--retries", "2"])

    assert context.params["retries"] == 2


def test_repeatable_option_takes_several_values_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Values of a repeatable option are separated by blanks."""
    monkeypatch.setenv("BULKIP_RATE", "5/s 200/m")

    context = run.make_context("run", ["job.yaml"])

    assert [str(rate) for rate in context.params["rate"]] == ["5/s", "200/60s"]


def test_wrong_word_is_answered_with_the_nearest() -> None:
    """A typing error in a value is told with the value that was probably meant."""
    with pytest.raises(click.BadParameter, match="`plian` is not known here; did you mean `plain`"):
        Word(("auto", "plain")).convert("plian", None, None)


def test_unlike_word_is_answered_with_all_that_there_are() -> None:
    """Where nothing is near, all the words are told."""
    with pytest.raises(ValueError, match="`xlsx` is no report format; there are: jsonl, csv, json, text"):
        report_spec("xlsx=a.xlsx")


def test_misspelt_option_is_answered_with_the_nearest() -> None:
    """A typing error in an option's name is told with the option that was probably meant."""
    with pytest.raises(click.NoSuchOption) as refused:
        run.make_context("run", ["job.yaml", "--concurency", "1"])

    assert "'--concurrency'" in refused.value.format_message()

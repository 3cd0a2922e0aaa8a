"""The options that several commands share, and how their texts become values."""

import difflib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from bulkip.policy import DEFAULT_RUN_DIR, REPORT_FORMATS, OnExists, ReportSpec
from bulkip.quantities import parse_duration_s, parse_rate, parse_share

F = TypeVar("F", bound=Callable[..., Any])
ON_EXISTS = tuple(choice.value for choice in OnExists)
WITHOUT_TWIN = frozenset({"--yes", "--confirm", "--expect-plan", "--max-clears"})
"""What must be said each time: left in a shell it would confirm later writes. So must every --allow-*."""


class Quantity(click.ParamType[object]):
    """An option whose text one of our own functions reads."""

    def __init__(self, name: str, parse: Callable[[str], object]) -> None:
        """Read texts with `parse`, which raises ValueError with the way out."""
        self.name = name
        self._parse = parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the value of a text; fail with the text that its reader gives."""
        if not isinstance(value, str):
            return value
        try:
            return self._parse(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


class Word(click.Choice[str]):
    """One of a few words; a wrong one is answered with the word that was probably meant."""

    def get_invalid_choice_message(self, value: Any, ctx: click.Context | None) -> str:  # noqa: ARG002 -- click's
        """Return what is wrong with a word, and the way out."""
        return f"`{value}` is not known here; {did_you_mean(str(value), self.choices)}"


class TwinOption(click.Option):
    """An option that may be set in the environment, and whose errors name the place of the wrong value."""

    def get_error_hint(self, ctx: click.Context | None) -> str:
        """Return the variable when the value came from there, else the option."""
        source = ctx.get_parameter_source(self.name) if ctx and self.name else None
        return str(self.envvar) if source is ParameterSource.ENVIRONMENT else super().get_error_hint(ctx)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return the way out of an unknown word: the nearest known one, or all of them."""
    words = list(known)
    near = difflib.get_close_matches(word.lower(), words, n=1)
    return f"did you mean `{near[0]}`?" if near else f"there are: {', '.join(words)}"


def twin_of(option_name: str) -> str | None:
    """Return the variable that sets an option too: `--run-dir` is BULKIP_RUN_DIR; None where it has none."""
    if option_name in WITHOUT_TWIN or option_name.startswith("--allow-"):
        return None
    return "BULKIP_" + option_name.removeprefix("--").replace("-", "_").upper()


def report_spec(text: str) -> ReportSpec:
    """Read `FORMAT=PATH`, or `FORMAT` alone for stdout; raises ValueError."""
    name, _, path = text.partition("=")
    if name not in REPORT_FORMATS:
        ending = name.rpartition(".")[2]
        hint = f"write {ending}={name}" if ending in REPORT_FORMATS else did_you_mean(name, REPORT_FORMATS)
        raise ValueError(f"`{name}` is no report format; {hint}")
    return ReportSpec(name, path or "-")


def on_exists_of(word: str | None) -> OnExists | None:
    """Return what the word of `--on-exists` means; None leaves it to each report."""
    return None if word is None else OnExists(word)


RATE = Quantity("RATE", parse_rate)
DURATION = Quantity("DURATION", parse_duration_s)
SHARE = Quantity("N|N%", parse_share)
REPORT = Quantity("FORMAT=PATH", report_spec)
EXISTING = click.Path(path_type=Path)


def option(*names: str, twin: bool = True, **settings: Any) -> Callable[[F], F]:
    """Declare an option with its twin in the environment, unless its name is one that has none."""
    long = next(name for name in names if name.startswith("--")).split("/")[0]
    envvar = twin_of(long) if twin else None
    return click.option(*names, cls=TwinOption, envvar=envvar, show_envvar=False, **settings)


CLUSTER = option(
    "--cluster",
    metavar="URL",
    help="Keep the run in this PostgreSQL and share its work among all workers there: postgresql://...",
)


def run_dir_option(function: F) -> F:
    """Declare where runs are kept."""
    return option(
        "--run-dir", type=EXISTING, default=DEFAULT_RUN_DIR, show_default=True, help="Where runs are kept."
    )(function)

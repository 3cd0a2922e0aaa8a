"""The options that several commands share, and how their texts become values."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from bulkip.policy import ReportSpec
from bulkip.quantities import parse_duration_s, parse_rate, parse_share
from bulkip.run.options import DEFAULT_RUN_DIR

F = TypeVar("F", bound=Callable[..., Any])
FILE_FORMATS = ("jsonl", "csv", "json", "text")


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


def report_spec(text: str) -> ReportSpec:
    """Read `FORMAT=PATH`, or `FORMAT` alone for stdout; raises ValueError."""
    name, _, path = text.partition("=")
    if name not in FILE_FORMATS:
        raise ValueError(f"`{name}` is no report format; there are: {', '.join(FILE_FORMATS)}")
    return ReportSpec(name, path or "-")


RATE = Quantity("RATE", parse_rate)
DURATION = Quantity("DURATION", parse_duration_s)
SHARE = Quantity("N|N%", parse_share)
REPORT = Quantity("FORMAT=PATH", report_spec)
EXISTING = click.Path(path_type=Path)


def option(*names: str, twin: bool = True, **settings: Any) -> Callable[[F], F]:
    """Declare an option with its twin in the environment: `--run-dir` is also `BULKIP_RUN_DIR`."""
    long = next(name for name in names if name.startswith("--")).split("/")[0]
    envvar = "BULKIP_" + long.removeprefix("--").replace("-", "_").upper() if twin else None
    return click.option(*names, envvar=envvar, show_envvar=False, **settings)


def run_dir_option(function: F) -> F:
    """Declare where runs are kept."""
    return option(
        "--run-dir", type=EXISTING, default=DEFAULT_RUN_DIR, show_default=True, help="Where runs are kept."
    )(function)

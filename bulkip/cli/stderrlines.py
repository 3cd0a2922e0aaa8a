"""In which form a command tells its errors on stderr, before and after there is a desk to tell them."""

import os
import sys
import traceback
from collections.abc import Callable, Sequence
from types import TracebackType

import click

from bulkip.logs import JsonLog

OPTION, TWIN, JSON = "--log-format", "BULKIP_LOG_FORMAT", "json"


def wants_json(arguments: Sequence[str]) -> bool:
    """Say whether a command line, or else the environment, asks for JSON on stderr."""
    chosen = os.environ.get(TWIN, "")
    for place, word in enumerate(arguments):
        name, sign, value = word.partition("=")
        if name == OPTION:
            chosen = value if sign else "".join(arguments[place + 1 : place + 2])
    return chosen == JSON


def error_writer(arguments: Sequence[str]) -> Callable[[str], None]:
    """Return what tells an error in the form that the command line asks for."""
    if not wants_json(arguments):
        return lambda text: click.echo(text, err=True)
    return JsonLog().error


def tell_bugs_as_json(arguments: Sequence[str]) -> None:
    """Let a bug, too, be one JSON object, where that is asked for."""
    if wants_json(arguments):
        sys.excepthook = _told


def _told(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    told = "".join(traceback.format_exception(kind, error, trace))
    JsonLog().error("a bug in bulkip", exception=told)

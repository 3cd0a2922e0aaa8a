"""What the commands that execute a run share: their options, and how a run is shown while it goes on."""

from collections.abc import Callable
from typing import Any, TypeVar

import click

from bulkip.cli.desk import Answers, TerminalDesk
from bulkip.cli.options import (
    DURATION,
    FILE_FORMATS,
    RATE,
    REPORT,
    SHARE,
    Word,
    option,
    run_dir_option,
)
from bulkip.progress import progress_view
from bulkip.run.carry import Desk
from bulkip.run.ending import Conclusion
from bulkip.run.options import Overrides, RunOptions

F = TypeVar("F", bound=Callable[..., Any])
VIEWS = ("auto", "tty", "plain", "none")
OPTIONS = (
    option("-y", "--yes", is_flag=True, twin=False, help="Answer the question before the first write."),
    option("--confirm", type=click.IntRange(min=0), twin=False, help="Go on only with exactly N writes."),
    option("--rate", type=RATE, multiple=True, help="Calls per time, such as 5/s or 60/m; repeatable."),
    option("--concurrency", type=click.IntRange(1, 1000), help="How many calls may be in flight."),
    option("--retries", type=click.IntRange(0, 100), help="How often a failed call is tried again."),
    option("--max-retry-after", type=DURATION, help="The longest Retry-After to wait for."),
    option("--connect-timeout", type=DURATION, help="How long a connection may take."),
    option("--timeout", type=DURATION, help="How long one attempt may take."),
    option("--grace", type=DURATION, default="20s", show_default=True, help="What calls get after Ctrl-C."),
    option("--max-changes", type=SHARE, help="The most PTR records to write: a count or a percentage."),
    option("--max-clears", type=click.IntRange(min=0), twin=False, help="The most PTR records to clear."),
    option(
        "--report", "reports", type=REPORT, multiple=True, help="Write FORMAT=PATH in the end; repeatable."
    ),
    option("--format", "form", type=Word(FILE_FORMATS), help="Write a report in this format to stdout."),
    option("--progress", type=Word(VIEWS), default="auto", show_default=True, help="How to show it."),
    option("--no-color", is_flag=True, help="No colours, as NO_COLOR does."),
    option("-q", "--quiet", is_flag=True, help="Only errors, warnings and what was asked for."),
    run_dir_option,
)


def execution_options(function: F) -> F:
    """Declare the options of every command that executes a run."""
    for declare in reversed(OPTIONS):
        function = declare(function)
    return function


def shown(given: dict[str, Any], work: Callable[[Desk], Conclusion]) -> int:
    """Do the work before the user's eyes, tell how it ended, and return its exit code."""
    view = progress_view(
        "none" if given["quiet"] else given["progress"],
        lambda text: click.echo(text, err=True),
        colour=not given["no_color"],
    )
    desk = TerminalDesk(view, Answers(given["yes"], given["confirm"]), quiet=given["quiet"])
    with view:
        conclusion = work(desk)
    desk.recap(conclusion)
    return conclusion.exit_code


def run_options(given: dict[str, Any]) -> RunOptions:
    """Return what the options of `execution_options` ask for."""
    return RunOptions(
        run_dir=given["run_dir"],
        simulate=given.get("simulate", False) or given.get("faults") is not None,
        faults=given.get("faults"),
        grace_s=given["grace"],
        overrides=_overrides(given),
        reports=given["reports"] or None,
        shown=given["form"],
    )


def _overrides(given: dict[str, Any]) -> Overrides:
    return Overrides(
        rate=given["rate"] or None,
        concurrency=given["concurrency"],
        retries=given["retries"],
        max_retry_after_s=given["max_retry_after"],
        connect_s=given["connect_timeout"],
        attempt_s=given["timeout"],
        max_changes=given["max_changes"],
        max_clears=given["max_clears"],
    )

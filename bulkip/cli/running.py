"""What the commands that execute a run share: their options, and how a run is shown while it goes on."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from types import MappingProxyType
from typing import Any, TypeVar

import click

from bulkip.cli.desk import Answers, TerminalDesk
from bulkip.cli.jsondesk import JsonDesk
from bulkip.cli.masks import mask_secrets
from bulkip.cli.options import (
    CLUSTER,
    DURATION,
    ON_EXISTS,
    RATE,
    REPORT,
    SHARE,
    Quantity,
    Word,
    on_exists_of,
    option,
    run_dir_option,
)
from bulkip.cli.reckoning import reckoning_of
from bulkip.errors import StoreError, UsageError
from bulkip.policy import REPORT_FORMATS
from bulkip.progress import progress_view
from bulkip.run.alarms import Case, heard
from bulkip.run.carry import Desk
from bulkip.run.ending import Conclusion
from bulkip.run.options import Overrides, RunOptions
from bulkip.run.planning import Prepared
from bulkip.run.retention import sweep
from bulkip.tolerance import parse_tolerance

F = TypeVar("F", bound=Callable[..., Any])
R = TypeVar("R")
ALONE: Mapping[str, str] = MappingProxyType(
    {
        "--simulate": "a rehearsal is one process; point `api.url` at `bulkip simulate` to try a cluster",
        "--faults": "they are for a rehearsal, which is one process",
        "--limiter": "a cluster shares the rate of each account by itself",
        "--shard": "a cluster divides the work by itself",
        "--keep": "it removes folders; `bulkip cluster remove` removes runs of a cluster",
    }
)
"""What has its place in one process alone, and why."""
VIEWS = ("auto", "tty", "plain", "none")
ANSWERING = (
    option("-y", "--yes", is_flag=True, twin=False, help="Answer the question before the first write."),
    option("--confirm", type=click.IntRange(min=0), twin=False, help="Go on only with exactly N writes."),
)
CALLING = (
    option(
        "--rate",
        type=RATE,
        multiple=True,
        help="Calls per time of each account, such as 5/s or 60/m; repeatable.",
    ),
    option(
        "--concurrency", type=click.IntRange(1, 1000), help="How many calls of each account may be in flight."
    ),
    option("--retries", type=click.IntRange(0, 100), help="How often a failed call is tried again."),
    option("--max-retry-after", type=DURATION, help="The longest Retry-After to wait for."),
    option("--connect-timeout", type=DURATION, help="How long a connection may take."),
    option("--timeout", type=DURATION, help="How long one attempt may take."),
    option("--item-timeout", type=DURATION, help="How long one item may take, retries included."),
    option("--max-duration", type=DURATION, help="How long the run may take before it halts."),
    option("--grace", type=DURATION, default="20s", show_default=True, help="What calls get after Ctrl-C."),
    option(
        "--lock-timeout",
        type=DURATION,
        default="0s",
        show_default=True,
        help="How long to wait for another run of the account.",
    ),
    option(
        "--limiter",
        metavar="URL",
        help="Share the rate with every process that names this PostgreSQL: postgresql://...",
    ),
    option("--progress", type=Word(VIEWS), default="auto", show_default=True, help="How to show it."),
    option(
        "--log-format",
        type=Word(("text", "json")),
        default="text",
        show_default=True,
        help="How stderr is written: json is one object a line.",
    ),
    option("--no-color", is_flag=True, help="No colours, as NO_COLOR does."),
    option("-q", "--quiet", is_flag=True, help="Only errors, warnings and what was asked for."),
    run_dir_option,
)
CLUSTERING = (
    CLUSTER,
    option("--no-work", is_flag=True, help="With --cluster: leave all shards to other workers."),
)
LIMITING = (
    option("--max-changes", type=SHARE, help="The most PTR records to write: a count or a percentage."),
    option("--max-failed", type=SHARE, help="Halt when more items fail: a count or a percentage."),
    option(
        "--canary", type=click.IntRange(min=1), help="Write N addresses first; if all goes well, the rest."
    ),
    option("--max-clears", type=click.IntRange(min=0), twin=False, help="The most PTR records to clear."),
)
KEEPING = option(
    "--keep",
    type=click.IntRange(min=1),
    metavar="N",
    help="Afterwards remove older runs of this job but N; never one that may still be needed.",
)
FAILING = option(
    "--fail-on",
    type=Quantity("LIST", parse_tolerance),
    help="Fail for these statuses only, such as failed>1%,unknown,mismatch; the others are tolerated.",
)
REPORTING = (
    option(
        "--report", "reports", type=REPORT, multiple=True, help="Write FORMAT=PATH in the end; repeatable."
    ),
    option("--format", "form", type=Word(REPORT_FORMATS), help="Write a report in this format to stdout."),
    option("--on-exists", type=Word(ON_EXISTS), help="What to do with a file that a report would replace."),
)


allow_unread_option = option(
    "--allow-unread", is_flag=True, help="Write even where the present value cannot be read; no undo there."
)


def execution_options(function: F) -> F:
    """Declare the options of every command that executes a run."""
    return _declared(function, (*ANSWERING, *LIMITING, *CALLING, KEEPING, FAILING, *REPORTING))


def cluster_options(function: F) -> F:
    """Declare the options of a command whose work a cluster may share."""
    return _declared(function, CLUSTERING)


def calling_options(function: F) -> F:
    """Declare the options of every command that calls the API and writes nothing there."""
    return _declared(function, CALLING)


def reporting_options(function: F) -> F:
    """Declare the options of a command that writes reports of items."""
    return _declared(function, REPORTING)


def _declared(function: F, options: Sequence[Callable[[Any], Any]]) -> F:
    for declare in reversed(options):
        function = declare(function)
    return function


def shown(given: dict[str, Any], work: Callable[[Desk], Conclusion]) -> int:
    """Do the work before the user's eyes, tell how it ended, and return its exit code."""
    desk, conclusion = _watched(given, work)
    desk.recap(conclusion)
    if given.get("keep") is not None:
        _sweep(conclusion.prepared, given["keep"], desk, verbose=bool(given.get("verbose")))
    return conclusion.exit_code


def _sweep(prepared: Prepared, keep: int, desk: TerminalDesk, *, verbose: bool) -> None:
    """Remove older runs of the job, and tell how many when that is wanted."""
    try:
        swept = sweep(prepared.run_dir.parent.parent, prepared.header, keep, time.time(), desk.warn)
    except StoreError as error:
        desk.warn(f"--keep: nothing was removed: {error}")
        return
    if verbose:
        desk.say(f"--keep {keep}: runs of {prepared.header.job_name}: {swept}")


def told(given: dict[str, Any], case: Case, work: Callable[[Desk], Conclusion]) -> int:
    """Do the work before the user's eyes, and let the job's hooks hear how it ended."""
    mask_secrets(given.get("form"), case.job)
    return shown(given, lambda desk: heard(case, desk, lambda: work(desk)))


def watched(given: dict[str, Any], work: Callable[[Desk], int]) -> int:
    """Do the work before the user's eyes, and return what it returns."""
    return _watched(given, work)[1]


def _watched(given: dict[str, Any], work: Callable[[Desk], R]) -> tuple[TerminalDesk, R]:
    answers = Answers(yes=given.get("yes", False), confirm=given.get("confirm"))
    if given["log_format"] == "json":
        logging = JsonDesk(answers, quiet=given["quiet"])
        return logging, work(logging)
    view = progress_view(
        "none" if given["quiet"] else given["progress"],
        lambda text: click.echo(text, err=True),
        colour=not given["no_color"],
    )
    with ExitStack() as showing:
        showing.enter_context(view)
        desk = TerminalDesk(view, answers, quiet=given["quiet"], clear=showing.close)
        done = work(desk)
    return desk, done


def run_options(given: dict[str, Any]) -> RunOptions:
    """Return what the options of `execution_options` or `calling_options` ask for."""
    return RunOptions(
        run_dir=given["run_dir"],
        simulate=given.get("simulate", False) or given.get("faults") is not None,
        faults=given.get("faults"),
        grace_s=given["grace"],
        lock_timeout_s=given["lock_timeout"],
        overrides=_overrides(given),
        reports=given.get("reports") or None,
        shown=given.get("form"),
        allow_unread=given.get("allow_unread", False),
        on_exists=on_exists_of(given.get("on_exists")),
        reckoning=reckoning_of(given),
        fail_on=given.get("fail_on"),
        limiter=given["limiter"] or None,
        **_clustered(given),
    )


def _clustered(given: dict[str, Any]) -> dict[str, Any]:
    """Return what a command says about a cluster; raises UsageError for what does not go together."""
    cluster = given.get("cluster") or None
    if cluster is None:
        if given.get("no_work"):
            raise UsageError("--no-work leaves the work to the workers of a cluster; name it with --cluster")
        return {}
    for option_, why in ALONE.items():
        if given.get(option_.removeprefix("--").replace("-", "_")):
            raise UsageError(f"--cluster and {option_} do not go together: {why}")
    return {"cluster": cluster, "works": not given.get("no_work")}


def _overrides(given: dict[str, Any]) -> Overrides:
    return Overrides(
        rate=given["rate"] or None,
        concurrency=given["concurrency"],
        retries=given["retries"],
        max_retry_after_s=given["max_retry_after"],
        connect_s=given["connect_timeout"],
        attempt_s=given["timeout"],
        item_s=given["item_timeout"],
        job_s=given["max_duration"],
        max_changes=given.get("max_changes"),
        max_clears=given.get("max_clears"),
        max_failed=given.get("max_failed"),
        canary=given.get("canary"),
    )

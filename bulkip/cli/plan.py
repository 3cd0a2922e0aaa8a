"""`bulkip plan`: what would a job change?"""

import json
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from bulkip.cli.filters import filter_options, filters_of
from bulkip.cli.options import EXISTING, Word, option
from bulkip.cli.reckoning import reckoning_options
from bulkip.cli.running import allow_unread_option, calling_options, cluster_options, run_options, watched
from bulkip.exitcode import ExitCode
from bulkip.model import JsonValue
from bulkip.progress import in_pipeline
from bulkip.quantities import counted
from bulkip.reports.changes import change_rows, csv_changes, diff_lines, jsonl_changes
from bulkip.reports.markdown import markdown_plan
from bulkip.reports.output import STDOUT, write_report
from bulkip.run.carry import Desk
from bulkip.run.plans import MadePlan, made_plan
from bulkip.settings import load_job, narrowed
from bulkip.settings.written import duration_text
from bulkip.store import RunReader

FORMATS = ("text", "json", "jsonl", "csv", "md")
SHOWN = 20
"""So many lines of each group are shown on a terminal; all of them elsewhere, and in a pipeline."""
EPILOG = """\b
Examples:
  bulkip plan jobs/ptr-migration.yaml
  bulkip plan jobs/ptr-migration.yaml -o ptr.plan.json
  bulkip plan jobs/ptr-migration.yaml --expect-no-changes
  bulkip plan jobs/ptr-migration.yaml --format csv > changes.csv
  bulkip plan jobs/ptr-migration.yaml --format md > comment.md
\b
+ set   ~ change   - clear   > send without a look   ? read   = as wanted   ! not to be done
Exit codes: 0 planned, 3 some values could not be read, 4 --expect-no-changes is not met.
"""


@click.command(epilog=EPILOG)
@click.argument("job", type=EXISTING)
@option("-o", "--out", type=EXISTING, help="Keep the plan in this file, for `bulkip apply`.")
@option("--format", "form", type=Word(FORMATS), default="text", twin=False, show_default=True,
        help="How to write the plan to stdout.")  # fmt: skip
@option("--expect-no-changes", is_flag=True, help="Fail with 4 when anything would be written.")
@option("--simulate", is_flag=True, help="Rehearse against a simulator that knows this job's targets.")
@option("--faults", type=EXISTING, help="Faults for the simulator (implies --simulate).")
@allow_unread_option
@filter_options
@reckoning_options
@calling_options
@cluster_options
def plan(job: Path, out: Path | None, form: str, **given: Any) -> int:
    """Read every present PTR and show what the job would change; nothing is written to the API."""
    loaded = narrowed(load_job(job), filters_of(given))

    def work(desk: Desk) -> int:
        with made_plan(loaded, run_options(given), desk, None if out is None else str(out)) as made:
            if not made.is_whole:
                desk.warn(f"no plan was made: {made.conclusion.stop.reason if made.conclusion.stop else ''}")
                return made.conclusion.exit_code
            if str(out) != STDOUT:  # there the plan itself is
                with RunReader(made.conclusion.prepared.home) as reader:
                    write_report(STDOUT, _lines(form, reader, made))
            _tell(desk, made, out)
            return _code(made, expect_none=given["expect_no_changes"], desk=desk)

    return watched(given, work)


def _lines(form: str, reader: RunReader, made: MadePlan) -> Iterator[str]:
    match form:
        case "json":
            whole: dict[str, JsonValue] = {"digest": made.head.digest, **made.head.facts}
            whole["items"] = [*change_rows(reader)]
            yield json.dumps(whole, ensure_ascii=False, indent=2) + "\n"
        case "jsonl":
            yield from jsonl_changes(reader)
        case "csv":
            yield from csv_changes(reader)
        case "md":
            yield from markdown_plan(reader)
        case _:
            terminal = sys.stdout is not None and sys.stdout.isatty() and not in_pipeline()
            yield from diff_lines(reader, SHOWN if terminal else None)


def _tell(desk: Desk, made: MadePlan, out: Path | None) -> None:
    facts = made.head.facts
    estimate = facts["estimated_s"]
    took = duration_text(float(estimate)) if isinstance(estimate, int | float) else ""
    calls = facts["calls"] if isinstance(facts["calls"], int) else 0
    items = facts["items"] if isinstance(facts["items"], int) else 0
    mark = "SIMULATED " if made.head.simulated else ""
    desk.say(
        f"{mark}plan: {counted(made.changes, 'write')} of {counted(items, 'item')}; "
        f"{counted(calls, 'call')} to apply, {facts['calls_per_write']} per write: "
        f"about {took} at the rate of the job"
    )
    desk.say(f"digest: {made.head.digest}")
    for doubt in made.doubts:
        desk.warn(doubt)
    for objection in made.against:
        desk.warn(f"apply will refuse this: {objection}")
    if out is not None and str(out) != STDOUT:
        desk.say(f"kept in {out}; next: {shlex.join(['bulkip', 'apply', str(out)])}")


def _code(made: MadePlan, *, expect_none: bool, desk: Desk) -> int:
    if made.conclusion.exit_code:
        return made.conclusion.exit_code
    if expect_none and made.changes:
        desk.warn(f"--expect-no-changes: the plan has {counted(made.changes, 'write')}")
        return ExitCode.EXPECTATION
    return ExitCode.OK

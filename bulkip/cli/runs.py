"""`bulkip runs`: which runs are kept, and how did they end?"""

import json
from datetime import UTC, datetime
from pathlib import Path

import click

from bulkip.characters import FORBIDDEN
from bulkip.cli.options import Word, option, run_dir_option
from bulkip.model import JsonValue, Status
from bulkip.reports.output import STDOUT, write_report
from bulkip.reports.rows import iso
from bulkip.reports.text import outcome
from bulkip.run.runs import DamagedRun, KeptRun, kept_runs

NEVER, OPEN, ENDED, DAMAGED = "never started", "not ended", "ended", "damaged"
WIDTH_OF_ID = 22
EPILOG = """\b
Examples:
  bulkip runs
  bulkip runs --run-dir /var/lib/bulkip
  bulkip runs --format jsonl
"""


@click.command(epilog=EPILOG)
@option("--format", "form", type=Word(("text", "json", "jsonl")), default="text", show_default=True,
        twin=False, help="How to print them.")  # fmt: skip
@run_dir_option
def runs(form: str, run_dir: Path) -> int:
    """List the kept runs and plans, the newest first: when, how it ended, which job, its items by status.

    Times are in UTC. "not ended": it is still running, or it was killed.
    """
    kept = kept_runs(run_dir)
    match form:
        case "json":
            lines = iter([json.dumps([_fields(run) for run in kept], ensure_ascii=False, indent=2) + "\n"])
        case "jsonl":
            lines = (json.dumps(_fields(run), ensure_ascii=False) + "\n" for run in kept)
        case _:
            lines = (_line(run) for run in kept)
    write_report(STDOUT, lines)
    if not kept:
        click.echo(f"no runs in {run_dir}; `bulkip run JOB` makes one", err=True)
    return 0


def _fields(run: KeptRun | DamagedRun) -> dict[str, JsonValue]:
    """Return a run as programs read it; every field is always there."""
    if isinstance(run, DamagedRun):
        return {**dict.fromkeys(_FIELDS), "run": run.folder.name, "state": DAMAGED, "problem": run.reason}
    header, counts, start = run.header, run.counts, run.last_start
    return {
        "run": run.folder.name,
        "state": state_of(run),
        "job": header.job_name,
        "simulated": header.simulated,
        "planned_at": iso(header.created_at),
        "started_at": iso(run.at) if start else None,
        "exit_code": start.get("exit_code"),
        "reason": start.get("reason"),
        "total": counts.total,
        "by_status": {status.value: counts.of(status) for status in Status if counts.of(status)},
        "problem": None,
    }


_FIELDS = ("run", "state", "job", "simulated", "planned_at", "started_at", "exit_code", "reason", "total",
           "by_status", "problem")  # fmt: skip


def state_of(run: KeptRun) -> str:
    """Return how far a run has come, in words."""
    if not run.last_start:
        return NEVER
    return OPEN if run.last_start.get("exit_code") is None else ENDED


def _line(run: KeptRun | DamagedRun) -> str:
    when = f"{datetime.fromtimestamp(run.at, UTC):%Y-%m-%d %H:%M}" if run.at else "-"
    if isinstance(run, DamagedRun):
        state, told = DAMAGED, run.reason
    else:
        fields = _fields(run)
        state = f"exit {fields['exit_code']}" if fields["state"] == ENDED else str(fields["state"])
        told = f"{fields['job']}: {outcome(fields)}"
    return FORBIDDEN.sub("?", f"{run.folder.name:<{WIDTH_OF_ID}}  {when:<16}  {state:<13}  {told}") + "\n"

"""`bulkip diff`: what is different between two runs?"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import click

from bulkip.characters import FORBIDDEN
from bulkip.cli import suggestions
from bulkip.cli.options import Word, option, run_dir_option
from bulkip.model import JsonValue
from bulkip.reports.csv_rows import csv_table
from bulkip.reports.differences import FIELDS, Comparison, Kind, Mover, Movers, amount_text
from bulkip.reports.output import STDOUT, write_report
from bulkip.reports.pairs import BY_ADDRESS, pairs_of
from bulkip.reports.rows import Row, iso
from bulkip.run.runs import find_run
from bulkip.store import RunHeader, RunHistory

TITLES = {
    Kind.FAILED: "newly failed",
    Kind.FIXED: "newly fixed",
    Kind.PTR: "PTR changed",
    Kind.STATUS: "other status",
    Kind.ONLY_A: "only in the first run",
    Kind.ONLY_B: "only in the second run",
}
EPILOG = """\b
Examples:
  bulkip diff last~1 last
  bulkip diff last~7 last --top 25
  bulkip diff 20260901T0315 20260902T0315 --format csv > moved.csv
  bulkip diff last~1 last --format jsonl
\b
Traffic is in + out of all rows of an address, in GB as the provider reports them, exact to the
last digit; an address of which either run has no answer is not weighed. "no traffic" is what the
server said, and is not 0. text shows the first of each kind, the other formats show all of them;
of the traffic every format shows the --top movers: by GB, and for what they had before.
"""


@click.command(epilog=EPILOG)
@click.argument("run_a", shell_complete=suggestions.runs)
@click.argument("run_b", shell_complete=suggestions.runs)
@option("--top", type=click.IntRange(min=1), default=10, show_default=True, twin=False,
        help="How many addresses that moved most are shown, and how many lines of each kind.")  # fmt: skip
@option("--format", "form", type=Word(("text", "json", "jsonl", "csv")), default="text", show_default=True,
        twin=False, help="How to print it.")  # fmt: skip
@run_dir_option
def diff(run_a: str, run_b: str, top: int, form: str, run_dir: Path) -> int:
    """Compare two runs: traffic, PTR names, what failed or works by now, and which addresses are new.

    Each RUN is an id, a unique prefix, `last` or `last~1`; the first is the
    earlier one. Items are matched by address and step, names compared as DNS
    names. It exits 0 when it could print, whatever the difference.
    """
    with (
        RunHistory(find_run(run_dir, run_a), BY_ADDRESS) as a,
        RunHistory(find_run(run_dir, run_b), BY_ADDRESS) as b,
    ):
        notes = [*_notes(a.header(), b.header())]
        if form != "json":
            for note in notes:
                click.echo(f"note: {note}", err=True)
        write_report(STDOUT, FORMS[form](a, b, Comparison(Movers(top))))
    return 0


def _notes(a: RunHeader, b: RunHeader) -> Iterator[str]:
    """Yield in what way the runs are not of one kind, so that a difference may come from that."""
    if a.id == b.id:
        yield f"both are run {_clean(a.id)}"
    if a.job_name != b.job_name:
        yield f"the runs are of different jobs: {_clean(a.job_name)} and {_clean(b.job_name)}"
    elif a.job_digest != b.job_digest:
        yield f"the job file of {_clean(a.job_name)} was changed between the runs"
    if a.simulated != b.simulated:
        yield f"the {'first' if a.simulated else 'second'} run was SIMULATED, the other one was real"
    if a.is_check != b.is_check:
        yield f"the {'first' if a.is_check else 'second'} run is a check, the other one is not"
    if a.url != b.url:
        yield f"the runs asked different APIs: {_clean(a.url)} and {_clean(b.url)}"
    if a.created_at > b.created_at:
        yield "the first run is the newer one"


def _jsonl(a: RunHistory, b: RunHistory, comparison: Comparison) -> Iterator[str]:
    for row in _all_rows(a, b, comparison):
        yield json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n"


def _csv(a: RunHistory, b: RunHistory, comparison: Comparison) -> Iterator[str]:
    yield from csv_table(FIELDS, _all_rows(a, b, comparison))


def _all_rows(a: RunHistory, b: RunHistory, comparison: Comparison) -> Iterator[Row]:
    yield from comparison.rows(pairs_of(a, b))
    yield from (mover.row() for mover in comparison.movers.both())


def _json(a: RunHistory, b: RunHistory, comparison: Comparison) -> Iterator[str]:
    """Yield one object, its differences as they are found, so that no run is too large for it."""
    head = {"a": _identity(a), "b": _identity(b), "notes": [*_notes(a.header(), b.header())]}
    yield json.dumps(head, ensure_ascii=False)[:-1] + ', "differences": ['
    separator = "\n"
    for row in comparison.rows(pairs_of(a, b)):
        yield separator + json.dumps(row, ensure_ascii=False)
        separator = ",\n"
    counts = {kind.value: comparison.counts[kind] for kind in TITLES}
    tail = {"counts": counts, "traffic": _traffic(comparison.movers)}
    yield "\n], " + json.dumps(tail, ensure_ascii=False)[1:] + "\n"


def _identity(run: RunHistory) -> dict[str, JsonValue]:
    header, start = run.header(), run.last_start()
    return {
        "run": header.id,
        "job": header.job_name,
        "simulated": header.simulated,
        "planned_at": iso(header.created_at),
        "exit_code": start.get("exit_code"),
    }


def _traffic(movers: Movers) -> dict[str, JsonValue]:
    return {
        "unit": "GB",
        "addresses": movers.seen,
        "moved": movers.moved,
        "total_before": amount_text(movers.total_a),
        "total_after": amount_text(movers.total_b),
        "by_amount": [mover.row() for mover in movers.farthest()],
        "by_percent": [mover.row() for mover in movers.widest()],
    }


def _text(a: RunHistory, b: RunHistory, comparison: Comparison) -> Iterator[str]:
    shown: dict[Kind, list[Row]] = {kind: [] for kind in TITLES}
    for row in comparison.rows(pairs_of(a, b)):
        rows = shown[Kind(str(row["kind"]))]
        if len(rows) < comparison.movers.most:
            rows.append(row)
    yield f"{_clean(a.header().id)} -> {_clean(b.header().id)} ({_clean(b.header().job_name)})\n"
    yield from _traffic_lines(comparison.movers)
    for kind, rows in shown.items():
        yield from _kind_lines(kind, rows, comparison.counts[kind])
    if not comparison.counts.total() and not comparison.movers.moved:
        yield "no difference\n"


def _traffic_lines(movers: Movers) -> Iterator[str]:
    if not movers.seen:
        return
    whole = Mover("", movers.total_a, movers.total_b)
    yield f"traffic: {_moved(whole)}; {movers.moved:,} of {movers.seen:,} addresses moved\n"
    if movers.moved:
        yield "  by amount\n"
        yield from (_mover_line(mover) for mover in movers.farthest())
        yield "  by percentage\n"
        yield from (_mover_line(mover) for mover in movers.widest())


def _mover_line(mover: Mover) -> str:
    return f"    {mover.ip:<15}  {_moved(mover)}\n"


def _moved(mover: Mover) -> str:
    a, b = _amount(amount_text(mover.a)), _amount(amount_text(mover.b))
    share = mover.share
    percent = f", {share * 100:+.1f} %" if share.is_finite() else ""
    return f"{a} -> {b} ({mover.change:+f} GB{percent})"


def _amount(text: str) -> str:
    return f"{text} GB" if text[:1].isdigit() else text


def _kind_lines(kind: Kind, rows: list[Row], count: int) -> Iterator[str]:
    if not count:
        return
    yield f"{TITLES[kind]}: {count:,}\n"
    for row in rows:
        told = " -> ".join(str(row[side]) for side in ("before", "after") if row[side] is not None)
        why = f"  {row['message']}" if row["message"] else ""
        yield _clean(f"  {row['ip'] or '-':<15}  {row['action']:<11}  {told}{why}") + "\n"
    if count > len(rows):
        yield f"  ... and {count - len(rows):,} more\n"


def _clean(text: str) -> str:
    return FORBIDDEN.sub("?", text)


FORMS: dict[str, Callable[[RunHistory, RunHistory, Comparison], Iterator[str]]] = {
    "text": _text,
    "json": _json,
    "jsonl": _jsonl,
    "csv": _csv,
}

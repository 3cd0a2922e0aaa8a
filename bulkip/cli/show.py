"""`bulkip show`: what is known of one run?"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TypeAlias

import click

from bulkip.characters import FORBIDDEN
from bulkip.cli import suggestions
from bulkip.cli.homes import home_of
from bulkip.cli.options import CLUSTER, Word, option, run_dir_option
from bulkip.model import JsonValue, Rate, Status
from bulkip.policy import ACCOUNTS
from bulkip.progress.figures import lasted, rate_text
from bulkip.progress.lines import wrapped
from bulkip.quantities import counted
from bulkip.reports import FILES, FORMATS
from bulkip.reports.commands import command, lifting
from bulkip.reports.nextsteps import Left, next_steps
from bulkip.reports.output import STDOUT, write_report
from bulkip.reports.rows import iso
from bulkip.reports.summary import summary
from bulkip.reports.text import outcome
from bulkip.run.hints import HINTS
from bulkip.store import Home, Proofs, RunHeader, RunHistory, StoredRow, unlooked

Told: TypeAlias = dict[str, JsonValue]
WIDTH = 80
LABEL = 10
SHOWN_ASTRAY = 5
EPILOG = """\b
Examples:
  bulkip show last
  bulkip show 20260901T0315
  bulkip show last~1 --format json
"""


@click.command(epilog=EPILOG)
@click.argument("run", shell_complete=suggestions.runs)
@option("--format", "form", type=Word(("text", "json")), default="text", show_default=True, twin=False,
        help="How to print it.")  # fmt: skip
@run_dir_option
@CLUSTER
def show(run: str, form: str, run_dir: Path, cluster: str | None) -> int:
    """Show a run: job, settings, starts, counts, calls, waits, reports, and the next command.

    RUN is an id, a unique prefix, `last` or `last~1`. Times are in UTC.
    """
    place = home_of(run_dir, run, cluster)
    with RunHistory(place) as history:
        told, left = summary(history), _left(history)
        if form == "json":
            whole = _told_as_json(history, told, left)
            lines = [json.dumps(whole, ensure_ascii=False, indent=2) + "\n"]
        else:
            lines = [line for label, fact in _facts(history, told, left) for line in _lines(label, fact)]
    write_report(STDOUT, lines)
    return 0


def _told_as_json(history: RunHistory, told: Told, left: Left) -> dict[str, JsonValue]:
    header = history.header()
    place = history.home
    return {
        **told,
        "planned_at": iso(header.created_at),
        "version": header.version,
        "settings": header.settings,
        "proofs": _proof_fields(place),
        "starts": [_start_fields(start) for start in history.starts()],
        "next": [step.command for step in next_steps(left, place)],
    }


def _proof_fields(place: Home) -> list[JsonValue]:
    with Proofs(place) as proofs:
        return [{**asdict(tally), "last_at": iso(tally.last_at)} for tally in proofs.tallies()]


def _start_fields(start: StoredRow) -> dict[str, JsonValue]:
    times = {"started_at": iso(start["started_at"]), "finished_at": iso(start["finished_at"])}
    return {"number": start["number"], **times, "exit_code": start["exit_code"], "reason": start["reason"]}


def _facts(history: RunHistory, told: Told, left: Left) -> Iterator[tuple[str, str]]:
    """Yield what is known of a run, as labels and texts; the label of a fact like the one before is empty."""
    place = history.home
    yield from _header_facts(history.header(), place)
    yield from _labelled("starts", map(_start, history.starts()), "never started")
    yield "items", outcome({**told, "simulated": False})
    yield from _labelled("errors", _troubles(history))
    yield from _labelled("proofs", _proofs(history))
    pace = f", {told['rate_reached_per_s']}/s reached" if told["rate_reached_per_s"] else ""
    yield "calls", f"{told['calls']:,}{pace}"
    yield from _labelled("waits", _waits(told["waits"]))
    yield "reports", command("report", place, "-f", "text")
    yield "", f"-f FORMAT or FORMAT=PATH: {', '.join((*FORMATS, *FILES))}"
    yield from _labelled("next", _next(history.last_start(), left, place))


def _header_facts(header: RunHeader, place: Home) -> Iterator[tuple[str, str]]:
    yield "run", f"{place.name}{'  SIMULATED' if header.simulated else ''}"
    yield "place", str(place)
    yield "job", f"{header.job_name} ({header.job_path})"
    yield "digest", header.job_digest
    yield "api", header.url
    yield "planned", f"{_moment(header.created_at)} by bulkip {header.version}"
    yield from _labelled("settings", _settings(header.settings))


def _labelled(label: str, texts: Iterator[str], otherwise: str | None = None) -> Iterator[tuple[str, str]]:
    """Yield texts below one label, and what stands there when there are none."""
    for text in texts:
        yield label, text
        label, otherwise = "", None
    if otherwise is not None:
        yield label, otherwise


def _settings(settings: Mapping[str, JsonValue]) -> Iterator[str]:
    """Yield each block of the settings with what stands in it: `limits: rate 5/s, concurrency 4`."""
    for block, value in settings.items():
        if block == "api" and ACCOUNTS in settings:
            continue  # each account has its own
        if block == ACCOUNTS and isinstance(value, list):
            yield from _accounts(value)
        elif isinstance(value, dict):
            yield f"{block}: {', '.join(f'{name} {_setting(one)}' for name, one in value.items())}"
        else:
            yield f"{block}: {_setting(value)}"


def _accounts(accounts: list[JsonValue]) -> Iterator[str]:
    """Yield each account with what is its own."""
    for one in accounts:
        own = one if isinstance(one, dict) else {}
        blocks = [block for block in own.values() if isinstance(block, dict)]
        told = ", ".join(f"{name} {_setting(value)}" for block in blocks for name, value in block.items())
        yield f"account {_setting(own.get('name'))}: {told}"


def _setting(value: JsonValue) -> str:
    match value:
        case {"calls": int(calls), "period_s": int() | float() as period_s}:
            return rate_text(Rate(calls, period_s))
        case {"value": int() | float() as percent}:
            return f"{percent:g}%"
        case list():
            return f"[{', '.join(_setting(one) for one in value)}]"
        case None | str():
            return value or "none"
        case _:
            return json.dumps(value, ensure_ascii=False).removesuffix(".0")


def _start(start: StoredRow) -> str:
    begun, ended = start["started_at"], start["finished_at"]
    if ended is None:
        return f"{start['number']}: {_moment(begun)}, not ended: still running, or killed"
    reason = f": {start['reason']}" if start["reason"] else ""
    took = lasted(max(0.0, ended - begun))
    return (
        f"{start['number']}: {_moment(begun)} to {_moment(ended)}, {took}, exit {start['exit_code']}{reason}"
    )


def _troubles(history: RunHistory) -> Iterator[str]:
    for name, times, ip, message in history.troubles():
        hint = f" -- {HINTS[name]}" if name in HINTS else ""
        yield f"{name}: {counted(times, 'item')}, e.g. {f'{ip}: ' if ip else ''}{message}{hint}"


def _proofs(history: RunHistory) -> Iterator[str]:
    """Yield what was looked at again, and the first addresses that are not as they should be."""
    with Proofs(history.home) as proofs:
        tallies, (astray, total) = proofs.tallies(), proofs.astray(SHOWN_ASTRAY)
    for tally in tallies:
        yield f"{tally} (last {_moment(tally.last_at)})"
    for one in astray:
        yield f"{one.source}: {one.ip}: {one.found}"
    if total > len(astray):
        yield f"... and {total - len(astray):,} more"


def _waits(waits: JsonValue) -> Iterator[str]:
    for row in waits if isinstance(waits, list) else []:
        match row:
            case {"reason": reason, "times": int(times), "seconds": int() | float() as seconds}:
                yield f"{lasted(seconds)} in {counted(times, 'pause')}: {reason}"
            case _:
                pass


def _next(start: Mapping[str, object], left: Left, place: Home) -> Iterator[str]:
    if start and start["finished_at"] is None:
        yield "when it is not running any more:"
    for step in next_steps(left, place):
        yield step.command
        yield f"  {step.purpose}"
    if left.counts.of(Status.FAILED, Status.CONFLICT, Status.UNKNOWN, Status.NOT_RUN):
        yield command("report", place, "-f", "failed-csv=failed.csv")
        yield "  what is left, as input of another job"


def _left(history: RunHistory) -> Left:
    counts = history.counts()
    doubtful = counts.of(Status.UNKNOWN) > 0
    ip = history.first_address(Status.UNKNOWN) if doubtful else None
    unproved = unlooked(history.home)
    return Left(
        counts, lifting=lifting(history), doubtful_ip=ip, unproved=unproved, merged=history.header().is_merged
    )


def _moment(seconds: float) -> str:
    return str(iso(seconds)).replace("T", " ")[:19] + "Z"


def _lines(label: str, fact: str) -> Iterator[str]:
    """Yield a fact behind its label in lines that fit, commands whole, nothing that lies to the reader."""
    text = FORBIDDEN.sub("?", fact)
    for line in [text] if text.startswith("bulkip ") else wrapped(text, WIDTH - LABEL) or [""]:
        yield f"{label:<{LABEL}}{line}".rstrip() + "\n"
        label = ""

"""`bulkip explain`: what exactly happened to one address?"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap

import click

from bulkip.addresses import canonical_ip
from bulkip.characters import FORBIDDEN
from bulkip.cli import suggestions
from bulkip.cli.findings import proof_fields, proof_lines
from bulkip.cli.homes import home_of
from bulkip.cli.options import CLUSTER, Word, option, run_dir_option
from bulkip.cli.timeline import Entry, timeline
from bulkip.errors import UsageError
from bulkip.exactjson import exact_text
from bulkip.model import JsonValue, Status
from bulkip.reports.commands import command
from bulkip.reports.output import STDOUT, write_report
from bulkip.reports.rows import Row, report_rows
from bulkip.store import RunHistory, of_address

WIDTH = 80
LONGEST_ANSWER = 400
CHECKED = frozenset({Status.MATCH, Status.MISMATCH})
EPILOG = """\b
Examples:
  bulkip explain last 203.0.113.7
  bulkip explain 20260901T0315 203.0.113.7 --format json
"""


@dataclass(frozen=True, slots=True)
class Story:
    """One item of an address: its report row, the name of its step, its calls, and its proof."""

    row: Row
    step: str
    calls: list[Entry]
    proof: dict[str, JsonValue] | None = None


@click.command(epilog=EPILOG)
@click.argument("run", shell_complete=suggestions.runs)
@click.argument("ip")
@option("--format", "form", type=Word(("text", "json")), default="text", show_default=True, twin=False,
        help="How to print it.")  # fmt: skip
@run_dir_option
@CLUSTER
def explain(run: str, ip: str, form: str, run_dir: Path, cluster: str | None) -> int:
    """Tell what happened to one address: its items, and every call on a time line.

    RUN is an id, a unique prefix, `last` or `last~1`. Times count from the
    address's first call; a gap is told with its reason where that is known.
    """
    address = _address(ip)
    place = home_of(run_dir, run, cluster)
    with RunHistory(place, of_address(address)) as history:
        stories = _stories(history)
        if not stories:
            raise UsageError(_not_there(history, address))
        simulated = history.header().simulated
        head: dict[str, JsonValue] = {"run": place.name, "simulated": simulated, "ip": address}
        if len(history.accounts) > 1:
            head["account"] = history.accounts[next(history.rows())["account"]]
        if form == "json":
            items: list[JsonValue] = [_fields(story) for story in stories]
            lines = iter([exact_text({**head, "items": items}, indent=2) + "\n"])
        else:
            lines = _text(head, stories)
        write_report(STDOUT, lines)
    return 0


def _address(text: str) -> str:
    try:
        return canonical_ip(text.strip(), allow_ipv6=True)
    except ValueError as error:
        raise UsageError(f"{error}; name one address, such as 203.0.113.7") from error


def _not_there(history: RunHistory, address: str) -> str:
    place = history.home
    near = history.neighbours(address)
    hint = f"it has {', '.join(near)}; " if near else ""
    return (
        f"{address} is not in run {place.name}; {hint}all are in `{command('report', place, '-f', 'text')}`"
    )


def _stories(history: RunHistory) -> list[Story]:
    found = list(history.rows())
    calls = [history.attempts_of(row["number"]) for row in found]
    first = min((call["sent_at"] for one in calls for call in one), default=0.0)
    return [
        Story(row, stored["step"], timeline(one, first), proof_fields(stored))
        for row, stored, one in zip(report_rows(history), found, calls, strict=True)
    ]


def _fields(story: Story) -> dict[str, JsonValue]:
    calls: list[JsonValue] = [entry.fields() for entry in story.calls]
    return {**story.row, "step": story.step, "proof": story.proof, "calls": calls}


def _text(head: Mapping[str, JsonValue], stories: list[Story]) -> Iterator[str]:
    """Yield the stories in lines that fit a terminal, without characters that lie to the reader."""
    mark = f" of account {head['account']}" if "account" in head else ""
    mark += " (SIMULATED)" if head["simulated"] else ""
    yield f"{head['ip']} in run {head['run']}{mark}\n"
    for story in stories:
        for line in ["", *_story_lines(story)]:
            yield from _fitting(FORBIDDEN.sub("?", line))


def _fitting(line: str) -> Iterator[str]:
    """Yield a line in parts that fit, each as far in as its text."""
    indent = " " * (len(line) - len(line.lstrip()))
    for part in wrap(line, WIDTH, subsequent_indent=f"{indent}  ", break_on_hyphens=False) or [""]:
        yield f"{part}\n"


def _story_lines(story: Story) -> Iterator[str]:
    row = story.row
    yield f"{row['action']} (action `{story.step}`): {row['status']}"
    for name, text in _facts(row):
        yield f"  {name:<8} {text}"
    for place, text in enumerate(proof_lines(story.proof) if story.proof else ()):
        yield f"  {'' if place else 'proof':<8} {text}"
    if not story.calls:
        yield "  calls    none"
    for entry in story.calls:
        yield from entry.lines()


def _facts(row: Row) -> Iterator[tuple[str, str]]:
    """Yield what is known of an item besides its calls."""
    params = row["params"]
    if isinstance(params, dict) and params:
        yield "params", "  ".join(f"{name}={_one_line(value)}" for name, value in params.items())
    yield "source", str(row["source"])
    if row["status"] in CHECKED:
        yield "found", _names(row["before"])
    elif row["before"] is not None or row["after"] is not None:
        yield "before", _names(row["before"])
        yield "after", _names(row["after"]) if row["after"] is not None else "not known"
    if row["data"] is not None:
        yield "answer", _shortened(exact_text(row["data"]))
    if row["error_class"] or row["message"]:
        told = [str(row[name]) for name in ("error_class", "error_code", "message") if row[name] is not None]
        yield "reason", _one_line(": ".join(told))
    if row["note"]:
        yield "note", _one_line(row["note"])
    yield "key", str(row["key"])


def _names(value: JsonValue) -> str:
    return ", ".join(str(name) for name in value) if isinstance(value, list) else str(value or "no PTR")


def _one_line(value: JsonValue) -> str:
    return " ".join(str(value).split())


def _shortened(text: str) -> str:
    if len(text) <= LONGEST_ANSWER:
        return text
    return f"{text[:LONGEST_ANSWER]}... ({len(text):,} characters; --format json has them all)"

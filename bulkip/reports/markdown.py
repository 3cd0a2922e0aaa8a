"""The report for a job summary or a merge request: Markdown in which no text from outside is markup."""

import re
from collections.abc import Iterable, Iterator

from bulkip.model import JsonValue, Status
from bulkip.quantities import counted
from bulkip.reports.changes import MARKS, change_counts, diff_lines, plan_digest
from bulkip.reports.rows import Row, report_rows
from bulkip.reports.summary import summary
from bulkip.reports.text import outcome, told_of
from bulkip.reports.troubles import NOT_FINE, groups_of, troubled_rows
from bulkip.store import RunReader

MOST_BYTES = 1_000_000
"""A job summary of GitHub may have 1 MiB."""
MOST_OF_A_COMMENT = 60_000
"""A comment of GitHub may have 65,536 characters."""
LONGEST = 500
SPECIAL = re.compile(r"[^\w ,;/()=+\"'.:-]|(?<=www)\.|:(?=//)|_")
"""What may mean something to a Markdown renderer or to a forge: everything but the plainest characters."""


def markdown_lines(reader: RunReader) -> Iterator[str]:
    """Yield what a run came to, what is not fine, and what was changed, in less than a mebibyte."""
    told, counts = summary(reader), reader.counts()
    budget = _Budget(MOST_BYTES, f"`bulkip report {told['run']} -f csv`")
    yield from budget.all(_head(told))
    yield from budget.all(_groups(reader))
    troubled = map(_trouble, troubled_rows(reader))
    yield from budget.rows(_TROUBLE_HEAD, troubled, counts.of(*NOT_FINE), "not fine")
    changed = map(_change, report_rows(reader, Status.CHANGED))
    yield from budget.rows(_CHANGE_HEAD, changed, counts.of(Status.CHANGED), "changed")


def markdown_plan(reader: RunReader) -> Iterator[str]:
    """Yield a plan as a comment for whoever reviews it: counts, digest, and the diff as far as it fits."""
    counts = change_counts(reader)
    yield f"### bulkip plan: {code(str(reader.header().job_name))}\n\n"
    if reader.header().simulated:
        yield "**SIMULATED**\n\n"
    yield "| | what | items |\n| --- | --- | ---: |\n"
    for change in counts:
        mark, meaning = MARKS[change]
        yield f"| {code(mark)} | {meaning} | {counts[change]:,} |\n"
    yield f"\ndigest {code(plan_digest(reader))}\n\n"
    yield "```diff\n"  # each line begins with its mark, so none ends the block
    left = MOST_OF_A_COMMENT
    for line in diff_lines(reader):
        left -= len(line)
        if left < 0:
            yield "! ... and more; the whole plan is what `bulkip plan` prints\n"
            break
        yield line.removeprefix("  ")
    yield "```\n"


def code(text: str) -> str:
    """Return a text as Markdown shows it and nobody interprets it: no markup, mention, link or reference."""
    shown = " ".join(text.split())
    shown = shown if len(shown) <= LONGEST else f"{shown[: LONGEST - 1]}…"
    return f"<code>{SPECIAL.sub(lambda found: f'&#{ord(found[0])};', shown)}</code>" if shown else ""


class _Budget:
    """Owns the bytes that are left of a document; `rest` is where to find what has no room in it."""

    def __init__(self, most: int, rest: str) -> None:
        self._left = most
        self._rest = rest

    def all(self, lines: Iterable[str]) -> Iterator[str]:
        """Yield lines, and count them."""
        for line in lines:
            self._left -= len(line.encode())
            yield line

    def rows(self, head: str, rows: Iterable[str], count: int, what: str) -> Iterator[str]:
        """Yield a table of so many rows as far as it fits, and say what is left out; nothing for no rows."""
        shown = 0
        for row in rows:
            size = len(row.encode())
            if size > self._left - 2000:
                break
            if not shown:
                yield from self.all([f"\n#### {what.capitalize()}\n\n", head])
            shown, self._left = shown + 1, self._left - size
            yield row
        if shown < count:
            yield from self.all([f"\n… and {counted(count - shown, 'more row')} {what}: {self._rest}\n"])


_TROUBLE_HEAD = "| where | address | status | what |\n| --- | --- | --- | --- |\n"
_CHANGE_HEAD = "| where | address | before → after |\n| --- | --- | --- |\n"


def _head(told: dict[str, JsonValue]) -> Iterator[str]:
    mark = "SIMULATED " if told["simulated"] else ""
    yield f"### bulkip: {mark}{code(str(told['job']))}\n\n"
    yield f"{outcome(told | {'simulated': False})}; exit code **{told['exit_code']}**\n"
    if told["reason"]:
        yield f"\nstopped: {code(str(told['reason']))}\n"
    if told["resume"]:
        yield f"\nto go on: {code(str(told['resume']))}\n"
    by_status = told["by_status"]
    if isinstance(by_status, dict) and by_status:
        yield "\n| status | items |\n| --- | ---: |\n"
        yield from (f"| {status} | {count:,} |\n" for status, count in by_status.items())


def _groups(reader: RunReader) -> Iterator[str]:
    groups = groups_of(reader)
    if groups:
        yield "\n| trouble | items | for example |\n| --- | ---: | --- |\n"
    for group in groups:
        example = f"{group.first['ip'] or '-'}: {group.first['message'] or group.first['note'] or '-'}"
        name = group.status.value if group.error_class is None else f"{group.status}, {group.error_class}"
        yield f"| {name} | {group.count:,} | {code(example)} |\n"


def _trouble(row: Row) -> str:
    where, ip, told = (code(str(cell or "-")) for cell in (row["source"], row["ip"], told_of(row)))
    return f"| {where} | {ip} | {row['status']} | {told} |\n"


def _change(row: Row) -> str:
    cells = (code(str(cell or "-")) for cell in (row["source"], row["ip"], told_of(row)))
    return f"| {' | '.join(cells)} |\n"

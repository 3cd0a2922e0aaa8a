"""The report for a pipeline on GitHub: workflow commands that put a mark on the very line of a file.

https://docs.github.com/actions/reference/workflow-commands-for-github-actions
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from bulkip.model import Problem
from bulkip.quantities import counted
from bulkip.reports.rows import Row
from bulkip.reports.summary import summary
from bulkip.reports.text import outcome
from bulkip.reports.troubles import Group, groups_of, place_of_row
from bulkip.store import RunReader

MOST_MARKS = 10
"""GitHub shows no more of each kind in one step."""
LONGEST = 1000


def github_lines(reader: RunReader) -> Iterator[str]:
    """Yield a mark for each kind of trouble, on the line of its first item, and a notice with the counts."""
    groups = groups_of(reader)
    for kind, found in (
        ("error", [one for one in groups if one.is_error]),
        ("warning", [one for one in groups if not one.is_error]),
    ):
        shown = found if len(found) <= MOST_MARKS else found[: MOST_MARKS - 1]
        yield from (_mark(kind, group) for group in shown)
        if rest := found[len(shown) :]:
            items = counted(sum(group.count for group in rest), "item")
            yield command(kind, f"{', '.join(group.name for group in rest)}: {items}", {"title": "and more"})
    told = summary(reader)
    reason = f"; {told['reason']}" if told["reason"] else ""
    yield command("notice", f"{outcome(told)}{reason}", {"title": f"bulkip: {told['job']}"})


def problem_lines(problems: tuple[Problem, ...], total: int) -> Iterator[str]:
    """Yield a mark for each mistake of a job and its files, as far as GitHub shows them."""
    shown = problems if total <= MOST_MARKS else problems[: MOST_MARKS - 1]
    for one in shown:
        place = {"file": from_here(one.place.file), "line": str(one.place.line), "col": str(one.place.column)}
        yield command("error", one.message, {**place, "title": "bulkip validate"})
    if total > len(shown):
        yield command(
            "error", f"and {counted(total - len(shown), 'problem')} more", {"title": "bulkip validate"}
        )


def command(name: str, text: str, properties: Mapping[str, str]) -> str:
    """Return a workflow command as one line, whatever its texts hold; a long text is cut."""
    given = ",".join(f"{key}={_property(value[:LONGEST])}" for key, value in properties.items())
    return f"::{name}{' ' if given else ''}{given}::{_data(text[:LONGEST])}\n"


def _mark(kind: str, group: Group) -> str:
    row = group.first
    place = place_of_row(row)
    where = {} if place is None else {"file": from_here(place[0]), "line": str(place[1])}
    kind_of = f"{group.status}, {group.name}" if group.error_class else group.status.value
    title = f"bulkip: {kind_of}: {counted(group.count, 'item')}"
    more = f" (and {group.count - 1:,} more)" if group.count > 1 else ""
    return command(kind, f"{_subject(row)}{more}", {**where, "title": title})


def from_here(file: str) -> str:
    """Return a file as a pipeline knows it: by its path below the working directory, if it is there."""
    path, here = Path(file), Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else file


def _subject(row: Row) -> str:
    return f"{row['ip'] or row['action']}: {row['message'] or row['note'] or row['status']}"


def _data(text: str) -> str:
    """Escape what would end a command, as GitHub's own toolkit does."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")

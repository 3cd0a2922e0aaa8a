"""The report for code scanners: SARIF 2.1.0, each finding on the line of its row.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from urllib.parse import quote

from bulkip.model import JsonValue, Problem, Status
from bulkip.reports.github import from_here
from bulkip.reports.rows import Row
from bulkip.reports.summary import summary
from bulkip.reports.troubles import ERRORS, Group, groups_of, place_of_row, troubled_rows
from bulkip.store import RunReader
from bulkip.version import __version__

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
MOST_RESULTS = 25_000
"""GitHub takes no more results of one run."""
INVALID = "invalid-input"
_Json = dict[str, JsonValue]


def sarif_lines(reader: RunReader) -> Iterator[str]:
    """Yield a finding for each item that is not fine; the rules are its status and its error class."""
    groups, told = groups_of(reader), summary(reader)
    total = sum(group.count for group in groups)
    about: _Json = {name: told[name] for name in ("run", "job", "simulated", "total", "exit_code", "reason")}
    about["left_out"] = max(0, total - MOST_RESULTS)
    rules = {_rule_id(one.status, one.error_class): _rule_of(one) for one in groups}
    yield from _document(rules, (_finding(row) for row in islice(troubled_rows(reader), MOST_RESULTS)), about)


def sarif_of_problems(problems: Iterable[Problem], total: int) -> Iterator[str]:
    """Yield the mistakes of jobs and their files as findings; `total` counts those beyond the first, too."""
    shown = [*problems]
    rule = _rule(INVALID, "A job, or a file that it names, is wrong; nothing would be sent.")
    found = (_of_problem(one) for one in shown)
    yield from _document({INVALID: rule} if shown else {}, found, {"left_out": total - len(shown)})


def _document(rules: Mapping[str, _Json], results: Iterable[_Json], about: _Json) -> Iterator[str]:
    """Yield a log with one run, a result a line, so that no run is too large for it."""
    driver = {"name": "bulkip", "version": __version__, "rules": [*rules.values()]}
    head = {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "properties": about}],
    }
    text = json.dumps(head, ensure_ascii=False)
    yield text.removesuffix("}]}") + ', "results": ['
    separator = "\n"
    for result in results:
        yield separator + json.dumps(result, ensure_ascii=False)
        separator = ",\n"
    yield "\n]}]}\n"


def _rule_id(status: str, error_class: JsonValue) -> str:
    return f"{status}/{error_class}" if error_class else str(status)


def _rule_of(group: Group) -> _Json:
    why = f" with error class {group.error_class}" if group.error_class else ""
    return _rule(_rule_id(group.status, group.error_class), f"An item ended as {group.status}{why}.")


def _rule(name: str, text: str) -> _Json:
    return {"id": name, "shortDescription": {"text": text}}


def _finding(row: Row) -> _Json:
    what = row["message"] or row["note"] or f"ended as {row['status']}"
    place = place_of_row(row)
    return {
        "ruleId": _rule_id(str(row["status"]), row["error_class"]),
        "level": "error" if Status(str(row["status"])) in ERRORS else "warning",
        "message": {"text": f"{row['ip'] or row['action']}: {what}"},
        "locations": [] if place is None else [_location(place[0], {"startLine": place[1]})],
        "partialFingerprints": {"item/v1": str(row["key"])},
        "properties": {name: row[name] for name in ("ip", "action", "status", "attempts")},
    }


def _of_problem(one: Problem) -> _Json:
    region: _Json = {"startLine": one.place.line, "startColumn": one.place.column}
    return {
        "ruleId": INVALID,
        "level": "error",
        "message": {"text": one.message},
        "locations": [_location(one.place.file, region)],
    }


def _location(file: str, region: _Json) -> _Json:
    path = from_here(file)
    if Path(path).is_absolute():
        where: _Json = {"uri": Path(path).as_uri()}
    else:
        where = {"uri": quote(path), "uriBaseId": "%SRCROOT%"}
    return {"physicalLocation": {"artifactLocation": where, "region": region}}

"""The report for code scanners: SARIF 2.1.0, each finding on the line of its row.

https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html
"""

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from urllib.parse import quote

from bulkip.model import JsonValue, Problem, Status
from bulkip.reports.github import from_here
from bulkip.reports.rows import Row, report_rows
from bulkip.reports.summary import summary
from bulkip.reports.troubles import ERRORS, NOT_FINE, Group, groups_of, place_of_row
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
    job = reader.header().job_path
    shown = islice(_gravest_first(reader), MOST_RESULTS)
    yield from _document(rules, (_finding(row, job) for row in shown), about)


def _gravest_first(reader: RunReader) -> Iterator[Row]:
    """Yield the errors before what was not run, which may be too much to leave them a place."""
    yield from report_rows(reader, *ERRORS)
    yield from report_rows(reader, *(status for status in NOT_FINE if status not in ERRORS))


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


def _finding(row: Row, job: str) -> _Json:
    """Return the finding of an item; one whose target came from no file is shown at its job."""
    what = row["message"] or row["note"] or f"ended as {row['status']}"
    file, line = place_of_row(row) or (job, 1)
    return {
        "ruleId": _rule_id(str(row["status"]), row["error_class"]),
        "level": "error" if Status(str(row["status"])) in ERRORS else "warning",
        "message": {"text": _plain(f"{row['ip'] or row['action']}: {what}")},
        "locations": [_location(file, {"startLine": max(1, line)})],
        "partialFingerprints": {"item/v1": str(row["key"])},
        "properties": {name: row[name] for name in ("ip", "action", "status", "attempts")},
    }


def _of_problem(one: Problem) -> _Json:
    region: _Json = {"startLine": one.place.line, "startColumn": one.place.column}
    return {
        "ruleId": INVALID,
        "level": "error",
        "message": {"text": _plain(one.message)},
        "locations": [_location(one.place.file, region)],
    }


def _plain(text: str) -> str:
    """Return a text in which no link stands: SARIF reads `[words](address)` as one, in plain text too."""
    return text.replace("](", "] (")


def _location(file: str, region: _Json) -> _Json:
    path = from_here(os.path.normpath(Path.cwd() / file))
    if Path(path).is_absolute():
        where: _Json = {"uri": Path(path).as_uri()}
    else:
        where = {"uri": quote(path, errors="replace"), "uriBaseId": "%SRCROOT%"}
    return {"physicalLocation": {"artifactLocation": where, "region": region}}

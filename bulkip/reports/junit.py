"""The report for test viewers: JUnit XML, a test case for each item, with the file and line of its row."""

import re
from collections.abc import Iterator
from xml.sax.saxutils import quoteattr

from junitparser import Attr, Error, Failure, Skipped, TestCase

from bulkip.model import JsonValue, Status
from bulkip.reports.github import from_here
from bulkip.reports.rows import Row, report_rows
from bulkip.reports.summary import summary
from bulkip.reports.text import told_of
from bulkip.reports.troubles import place_of_row
from bulkip.store import RunReader

NO_CHARACTER = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What no XML 1.0 document may hold, however it is escaped."""
LONGEST = 4000
FAILURES = (Status.MISMATCH, Status.CONFLICT, Status.UNVERIFIED)
ERRORS = (Status.FAILED, Status.UNKNOWN)
COMMON = frozenset({"ip", "id", "ptr"})
"""Parameters that tell no two items of one action and address apart."""
SKIPPED = (Status.SKIPPED, Status.NOT_RUN)


class _Placed(TestCase):
    """A test case that says where its row stands, as viewers read it."""

    file = Attr()
    line = Attr()


def junit_lines(reader: RunReader) -> Iterator[str]:
    """Yield a suite with a case for each item, one a line, so that no run is too large for it.

    What is not as it should be is a failure, what the provider or the way to it
    did is an error, what was left out is skipped.
    """
    told, counts = summary(reader), reader.counts()
    tallies = {
        "tests": counts.total,
        "failures": counts.of(*FAILURES),
        "errors": counts.of(*ERRORS),
        "skipped": counts.of(*SKIPPED),
        "time": _seconds(reader),
    }
    numbers = " ".join(f'{name}="{number}"' for name, number in tallies.items())
    started = str(told["started_at"] or "").removesuffix("Z")
    stamp = f" timestamp={_attribute(started)}" if started else ""
    name = _attribute(f"SIMULATED {told['job']}" if told["simulated"] else told["job"])
    yield '<?xml version="1.0" encoding="UTF-8"?>\n'
    yield f"<testsuites name={name} {numbers}>\n<testsuite name={name} {numbers}{stamp}>\n<properties>\n"
    for key in ("run", "job_digest", "url", "simulated", "exit_code", "reason"):
        if told[key] is not None:
            yield f"<property name={_attribute(key)} value={_attribute(told[key])}/>\n"
    yield "</properties>\n"
    for row in report_rows(reader):
        yield _case(row, str(told["job"])).tostring().decode() + "\n"
    yield "</testsuite>\n</testsuites>\n"


def _seconds(reader: RunReader) -> float:
    start = reader.last_start()
    began, ended = start.get("started_at"), start.get("finished_at")
    if isinstance(began, int | float) and isinstance(ended, int | float):
        return round(max(0.0, ended - began), 3)
    return 0.0


def _case(row: Row, job: str) -> TestCase:
    """Return the case of an item; one that went well after several tries says so."""
    duration = row["duration_ms"]
    seconds = duration / 1000 if isinstance(duration, int) else 0.0
    case = _Placed(_text(_name(row)), _text(f"{job}.{row['action']}"), seconds)
    if place := place_of_row(row):
        case.file = _text(from_here(place[0]))
        case.line = str(place[1])
    told, status = _text(told_of(row)), Status(str(row["status"]))
    if outcome := _outcome(status, row, told):
        case.result = [outcome]
    elif isinstance(row["attempts"], int) and row["attempts"] > 1:
        case.system_out = f"passed after {row['attempts']} attempts"
    return case


def _name(row: Row) -> str:
    """Return what an item is called from run to run: address, action, and what tells it from its like."""
    params = row["params"] if isinstance(row["params"], dict) else {}
    known = COMMON | {"location"} if row["ip"] else COMMON
    asked = [f"{name}={value}" for name, value in params.items() if name not in known]
    return " ".join([*([str(row["ip"])] if row["ip"] else []), str(row["action"]), *asked])


def _outcome(status: Status, row: Row, told: str) -> Failure | Error | Skipped | None:
    message = _text(row["message"] or row["note"] or status)
    if status in SKIPPED:
        return Skipped(message, status.value)
    if status not in FAILURES and status not in ERRORS:
        return None
    kind = Failure if status in FAILURES else Error
    found = kind(message, str(row["error_class"] or status))
    found.text = told
    return found


def _attribute(value: JsonValue) -> str:
    return quoteattr(_text(value))


def _text(value: JsonValue) -> str:
    return NO_CHARACTER.sub("?", str(value))[:LONGEST]

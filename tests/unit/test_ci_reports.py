"""JUnit, SARIF and TAP: what each says of an item, and that no text breaks the document around it."""

import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from anyio import run
from junitparser import JUnitXml, TestCase

from bulkip.model import ErrorClass, Result, Status
from bulkip.reports import FORMATS
from bulkip.reports.sarif import MOST_RESULTS, sarif_of_problems
from bulkip.store import RunReader, open_writer
from tests.storedruns import attempt, frozen, item, outcome, settled

HOSTILE = "\x00\x1b[31m]]><x a=\"'&quot;\ufffe\uffff ::error::# TODO\n...\n1..9\nnot ok\u2028\u202e&"
OUTCOMES = {
    Status.CHANGED: None,
    Status.UNCHANGED: None,
    Status.FAILED: "error",
    Status.UNKNOWN: "error",
    Status.CONFLICT: "failure",
    Status.SKIPPED: "skipped",
}


def rendered(folder: Path, form: str) -> str:
    """Render a report of a run."""
    with RunReader(folder) as reader:
        return "".join(FORMATS[form](reader))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Store a run with an item of each outcome, and one that was not run."""
    plan = [item(number) for number in range(1, len(OUTCOMES) + 2)]
    frozen(tmp_path, plan)
    name = {Status.FAILED: ErrorClass.SERVER, Status.UNKNOWN: ErrorClass.TIMEOUT}
    results = [Result(status, name.get(status), message=f"was {status}") for status in OUTCOMES]
    settled(tmp_path, *zip(plan, results, strict=False))
    return tmp_path


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """Store a run with an item whose texts attack their reader."""
    one = replace(item(1), source="a & b.csv:7:2")
    frozen(tmp_path, [one])
    settled(tmp_path, (one, Result(Status.FAILED, ErrorClass.SERVER, message=HOSTILE, note=HOSTILE)))
    return tmp_path


def kind_of(case: TestCase) -> str | None:
    """Return what a case ended as: error, failure, skipped, or None."""
    return type(case.result[0]).__name__.lower() if case.result else None


def test_junit_has_a_case_for_each_item(folder: Path) -> None:
    """What is not as it should be is a failure, trouble with the provider an error, the rest is skipped."""
    suites = JUnitXml.fromstring(rendered(folder, "junit").encode())

    (suite,) = suites
    kinds = [kind_of(case) for case in suite]
    assert kinds == [*OUTCOMES.values(), "skipped"]
    assert (suite.tests, suite.failures, suite.errors, suite.skipped) == (7, 1, 2, 2)


def test_junit_names_file_and_line(folder: Path) -> None:
    """A viewer can lead to the row of the list."""
    case = ET.fromstring(rendered(folder, "junit")).find(".//testcase")  # noqa: S314 -- our own

    assert case is not None
    assert (case.get("file"), case.get("line")) == ("rows.csv", "2")
    assert (case.get("name"), case.get("classname")) == ("203.0.0.1 update_ptr", "ptr-migration.update_ptr")


def test_junit_marks_a_success_that_took_several_tries(tmp_path: Path) -> None:
    """What went well in the end says how often it was tried."""
    frozen(tmp_path, [item(1)])
    settled(tmp_path, (item(1), Result(Status.CHANGED)))
    again(tmp_path)

    assert "<system-out>passed after 2 attempts</system-out>" in rendered(tmp_path, "junit")


def again(folder: Path) -> None:
    """Note a second call of the only item."""

    async def note() -> None:
        async with open_writer(folder) as writer:
            await writer.record_attempt(attempt(1, 2), outcome())

    run(note)


def test_junit_is_xml_whatever_texts_say(hostile: Path) -> None:
    """Two parsers read it, and no character stands in it that XML 1.0 forbids."""
    text = rendered(hostile, "junit")

    root = ET.fromstring(text)  # noqa: S314 -- our own
    assert len(list(JUnitXml.fromstring(text.encode()))) == 1
    assert len(root.findall(".//testcase")) == 1
    assert not re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", text)


def findings(text: str) -> list[dict[str, Any]]:
    """Return the results of a SARIF log of one run."""
    (log,) = json.loads(text)["runs"]
    known = {rule["id"] for rule in log["tool"]["driver"]["rules"]}
    assert {one["ruleId"] for one in log["results"]} <= known
    return list(log["results"])


def test_sarif_finds_what_is_not_fine(folder: Path) -> None:
    """Each has rule, level, text and the line of its row; what went well is no finding."""
    found = findings(rendered(folder, "sarif"))

    assert [(one["ruleId"], one["level"]) for one in found] == [
        ("failed/server", "error"),
        ("unknown/timeout", "error"),
        ("conflict", "error"),
        ("not_run", "warning"),
    ]
    place = found[0]["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {"uri": "rows.csv", "uriBaseId": "%SRCROOT%"}
    assert place["region"] == {"startLine": 4}


def test_sarif_keeps_hostile_texts_in_their_strings(hostile: Path) -> None:
    """A path is a URI reference, and a text is data."""
    (one,) = findings(rendered(hostile, "sarif"))

    assert one["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "a%20%26%20b.csv"
    assert one["message"]["text"].startswith("203.0.0.1: ")


def test_sarif_of_a_run_that_went_well_is_empty(tmp_path: Path) -> None:
    """No finding is a document, too."""
    frozen(tmp_path, [item(1)])
    settled(tmp_path, (item(1), Result(Status.CHANGED)))

    assert findings(rendered(tmp_path, "sarif")) == []


def test_sarif_stays_within_what_is_taken(tmp_path: Path) -> None:
    """Of more results than GitHub takes the first are told, and how many are left out."""
    frozen(tmp_path, (item(number) for number in range(1, MOST_RESULTS + 6)))

    text = rendered(tmp_path, "sarif")

    assert len(findings(text)) == MOST_RESULTS
    assert json.loads(text)["runs"][0]["properties"]["left_out"] == 5


def test_sarif_of_no_problem_is_a_document() -> None:
    """Jobs that are right give a log without findings."""
    assert findings("".join(sarif_of_problems([], 0))) == []


def test_tap_has_a_point_for_each_item(folder: Path) -> None:
    """The plan says how many; what is left out says why."""
    lines = rendered(folder, "tap").splitlines()

    points = [line for line in lines if re.match(r"(not )?ok \d", line)]
    assert lines[:2] == ["TAP version 14", "1..7"]
    assert [line.startswith("ok") for line in points] == [True, True, False, False, False, True, True]
    assert points[5].endswith("# SKIP was skipped")


def test_tap_tells_why_in_yaml(folder: Path) -> None:
    """The block below a point that is not fine is YAML."""
    (block, *_) = re.findall(r"(?s)  ---\n(.*?)  \.\.\.\n", rendered(folder, "tap"))

    told = yaml.safe_load(block)
    assert (told["status"], told["error_class"], told["source"]) == ("failed", "server", "rows.csv:4")


def test_tap_has_no_line_but_its_own(hostile: Path) -> None:
    """No text begins a line, a directive or another plan."""
    lines = rendered(hostile, "tap").split("\n")

    own = re.compile(r"TAP version 14|1\.\.1|not ok 1 - [^#]*|  (---|\.\.\.|[a-z_]+: .*)|")
    assert [line for line in lines if not own.fullmatch(line)] == []


def test_tap_is_yaml_for_strict_readers(tmp_path: Path) -> None:
    """A character beyond the first plane stays one, and what YAML forbids is replaced."""
    frozen(tmp_path, [item(1)])
    settled(tmp_path, (item(1), Result(Status.FAILED, ErrorClass.SERVER, message="\U0001f600\x85\x7f")))

    (block,) = re.findall(r"(?s)  ---\n(.*?)  \.\.\.\n", rendered(tmp_path, "tap"))

    assert yaml.safe_load(block)["message"] == "\U0001f600\ufffd\ufffd"


def test_junit_tells_two_questions_about_one_address_apart(tmp_path: Path) -> None:
    """Viewers follow a case by its name, so each has its own."""
    forms = [{"ip": "203.0.113.7", "period": str(number)} for number in (1, 2)]
    plan = [
        replace(item(n), step=str(n), action="get_traffic", ip="203.0.113.7", form=form)
        for n, form in enumerate(forms, 1)
    ]
    frozen(tmp_path, plan)

    (suite,) = JUnitXml.fromstring(rendered(tmp_path, "junit").encode())
    assert [case.name for case in suite] == [
        "203.0.113.7 get_traffic period=1", "203.0.113.7 get_traffic period=2",
    ]  # fmt: skip


def test_sarif_tells_errors_before_what_was_not_run(tmp_path: Path) -> None:
    """Where not all fit, what was left out is what is cut."""
    last = item(2)
    frozen(tmp_path, [item(1), last])
    settled(tmp_path, (last, Result(Status.FAILED, ErrorClass.SERVER)))

    first, *_ = findings(rendered(tmp_path, "sarif"))

    assert (first["ruleId"], first["partialFingerprints"]) == ("failed/server", {"item/v1": last.key})


def place_in_sarif(folder: Path, source: str) -> dict[str, Any]:
    """Return where the finding of an item from this source is shown."""
    frozen(folder, [replace(item(1), source=source)])
    (one,) = findings(rendered(folder, "sarif"))
    place: dict[str, Any] = one["locations"][0]["physicalLocation"]["artifactLocation"]
    return place


def test_sarif_shows_what_has_no_file_at_its_job(tmp_path: Path) -> None:
    """A finding without a place would be refused, so it has the job's."""
    assert place_in_sarif(tmp_path, "free_ips") == {"uri": "jobs/ptr.yaml", "uriBaseId": "%SRCROOT%"}


def test_sarif_names_a_file_outside_the_repository_by_its_whole_path(tmp_path: Path) -> None:
    """What is not below the working directory is not relative to the repository either."""
    uri = Path.cwd().parent.joinpath("rows.csv").as_uri()

    assert place_in_sarif(tmp_path, "../rows.csv:7") == {"uri": uri}


def test_sarif_text_holds_no_link(tmp_path: Path) -> None:
    """A text from outside leads nobody anywhere."""
    frozen(tmp_path, [item(1)])
    settled(tmp_path, (item(1), Result(Status.FAILED, ErrorClass.SERVER, message="[a](http://x.example)")))

    (one,) = findings(rendered(tmp_path, "sarif"))

    assert one["message"]["text"].endswith("[a] (http://x.example)")

"""Whatever a list of targets holds: targets and problems, one way for each line, and a whole plan of them."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkip.addresses import canonical_ip
from bulkip.characters import FORBIDDEN
from bulkip.errors import JobError
from bulkip.model import Place, Problem, Target
from bulkip.policy import Safety
from bulkip.run.planning import check_job
from bulkip.settings import load_job
from bulkip.sources import CsvSource, JsonlSource, Source, TextSource
from bulkip.targets import Doors, TargetReader
from tests.chaos.length import patient
from tests.chaos.mutations import examples, spoiled

NOW = datetime(2026, 9, 1, 3, 15, tzinfo=UTC)
JOB = Place("job.yaml", 3, 5)
CSV = """\
ip,id,location,ptr,comment
203.0.113.1,4711,NL,mail.example.net,"says ""hi"", twice"
203.0.113.2,4711,NL,web.example.net,
203.0.113.3,4712,DE,db.example.net,"two
lines"

203.0.113.4,4712,DE,mx.example.net,=SUM(A1)
"""
SEMICOLONS = "ip;id;ptr\r\n203.0.113.1;4711;a.example.net\r\n203.0.113.2;4711;b.example.net\r\n"
JSONL = """\
{"ip": "203.0.113.1", "id": 4711, "ptr": "a.example.net", "on": true}
{"ip": "203.0.113.2", "id": 4711, "ptr": "\\u00e9.example.net", "note": null, "share": 0.25}

{"ip": "203.0.113.3", "id": "4711", "ptr": "c.example.net"}
"""
TEXT = """\
# servers in rack 7
203.0.113.1
203.0.113.16/29   # a network
203.0.113.32-203.0.113.35
!203.0.113.17
"""
SPLINTERS = [
    *['"', '""', '"""', ",", ",,,", ";", "\t", "|", "\n", "\r", "\r\n", "\n\n", "#", "!", "-", "/", " "],
    *["\\", "\x00", "\x1a", "\x1b[31m", "\x1f", "\x7f", "\x85", "\u2028", "\u202e", "\ufeff", "\ud800"],
    *["é", "٣", "\U0001f600", "ip", "IP", "id", "", "null", "NaN", "{", "}", "[", "]", "[" * 2000, "{}"],
    *['{"ip": "203.0.113.9"}', "\\u0000", "203.0.113.1", "203.0.113.01", "0203.0.113.1", "203.0.113.256"],
    *["203.0.113.1/32", "203.0.113.1/33", "::1", "::ffff:203.0.113.1", "0.0.0.0/0"],
    *["203.0.113.9-203.0.113.1", "1e5", "-1", "9" * 400, "x" * 5000, "=cmd|' /C calc'!A0", "{{ row }}"],
    *["{{ 7 * 7 }}", "%s%s%n", "../../etc/passwd", "<script>", "a..b", "-a.example"],
]  # fmt: skip
KINDS: dict[str, tuple[str, Callable[[Path], Source]]] = {
    "csv": (CSV, lambda path: CsvSource(path, JOB)),
    "semicolons": (SEMICOLONS, lambda path: CsvSource(path, JOB, ";")),
    "jsonl": (JSONL, lambda path: JsonlSource(path, JOB)),
    "text": (TEXT, lambda path: TextSource(path, JOB)),
}
LISTS = st.sampled_from(sorted(KINDS)).flatmap(
    lambda kind: st.tuples(st.just(kind), spoiled({kind: KINDS[kind][0]}, SPLINTERS))
)
PLAN = """\
version: 1
targets: [{csv: list.csv}, {jsonl: list.jsonl}, {text: list.txt}]
actions:
  - {action: update_ptr, with: {id: "{{ row.id or 1 }}", ptr: "{{ row.ptr or ip.dashed }}.example.net"}}
"""

pytestmark = [patient, pytest.mark.usefixtures("empty_folder")]


def found_in(kind: str, content: bytes) -> list[Target | Problem]:
    """Return everything that a list with this content gives."""
    path = Path("list")
    path.write_bytes(content)
    return list(TargetReader([KINDS[kind][1](path)], safety=Safety(max_targets=2000, allow_ipv6=True)))


def is_fit(problem: Problem, lines: int) -> bool:
    """Say whether a problem can be shown, and stands where the file has something."""
    place = problem.place
    inside = place.file != "list" or (1 <= place.line <= lines + 1 and place.column >= 1)
    return inside and not FORBIDDEN.search(problem.message) and "\n" not in problem.message


@given(LISTS)
@examples(100, 3_000)
def test_spoiled_list_gives_targets_and_problems(one: tuple[str, bytes]) -> None:
    """A spoiled list gives clean targets, and problems that name a line of it in one clean line."""
    kind, content = one

    found = found_in(kind, content)

    lines = content.count(b"\n") + content.count(b"\r")
    assert [problem for problem in found if isinstance(problem, Problem) and not is_fit(problem, lines)] == []
    targets = [target for target in found if isinstance(target, Target)]
    assert [one.ip for one in targets if canonical_ip(one.ip, allow_ipv6=True) != one.ip] == []
    fields = [text for target in targets for pair in target.fields.items() for text in pair]
    assert [text for text in fields if FORBIDDEN.search(text)] == []


@given(LISTS)
@examples(40, 1_500)
def test_reading_a_list_again_gives_the_same(one: tuple[str, bytes]) -> None:
    """Whatever a list holds, it means the same when it is read once more."""
    kind, content = one

    assert found_in(kind, content) == found_in(kind, content)


@given(
    spoiled({"csv": CSV}, SPLINTERS), spoiled({"jsonl": JSONL}, SPLINTERS), spoiled({"text": TEXT}, SPLINTERS)
)
@examples(30, 1_000)
def test_spoiled_lists_are_planned_or_told(csv: bytes, jsonl: bytes, text: bytes) -> None:
    """A job of spoiled lists gives a plan or problems in clean lines, and nothing else."""
    for name, content in (("list.csv", csv), ("list.jsonl", jsonl), ("list.txt", text)):
        Path(name).write_bytes(content)
    Path("job.yaml").write_text(PLAN)
    problems: tuple[Problem, ...] = ()

    try:
        check_job(load_job("job.yaml"), NOW, Doors())
    except JobError as error:
        problems = error.problems

    assert [problem for problem in problems if FORBIDDEN.search(str(problem)) or "\n" in str(problem)] == []

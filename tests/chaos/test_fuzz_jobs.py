"""Whatever a job file holds: a plan or problems in plain words, with either YAML parser, and nothing else."""

from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from bulkip.characters import FORBIDDEN
from bulkip.errors import JobError, UsageError
from bulkip.run.planning import check_job
from bulkip.selection import Filters
from bulkip.settings import LoadedJob, load_job, narrowed
from bulkip.simulator import read_faults
from bulkip.targets import Doors
from tests.chaos.length import patient
from tests.chaos.mutations import examples, spoiled
from tests.program import ROOT

NOW = datetime(2026, 9, 1, 3, 15, tzinfo=UTC)
SECRET = "tok-4f3c2b1a9d8e7f60"
API = f"api:\n  url: http://127.0.0.1/\n  token: {SECRET}\n"
FULL = """\
version: 1
name: full
api: {url: "http://127.0.0.1:8080/ip.php", token: env:HOSTKEY_TOKEN}
vars: {zone: example.net, n: 3}
timezone: Europe/Amsterdam
targets:
  - 203.0.113.7
  - {ip: 198.51.100.7, id: 4711, role: web}
  - {cidr: 198.51.100.16/28, hosts: usable, id: 4711, role: mail}
  - {csv: rows.csv}
  - {jsonl: more.jsonl}
  - {text: ips.txt}
  - "!203.0.113.40"
actions:
  - action: update_ptr
    name: ptr
    with: {id: "{{ row.id or 4711 }}", ptr: "{{ ip.dashed }}.{{ vars.zone }}", location: NL}
    when: "{{ row.role != 'retired' }}"
    tags: [ptr]
    allow_empty: true
  - {action: get_traffic, period: 2026-09-01..2026-09-30, with: {summary: 1}}
limits: {rate: [5/s, 200/m], headroom: 3%, concurrency: 4, max_retry_after: 10m}
retry: {attempts: 5, base: 300ms, max: 20s}
timeouts: {connect: 10s, attempt: 30s}
safety: {max_changes: 30%, max_clears: 0, max_targets: 500, read_again_after: 5m}
verify: {settle: 5s}
reports: [csv=out.csv, jsonl=out.jsonl]
"""
FAULTS = "faults.yaml"
FILES = {path.name: path.read_text("utf-8") for path in sorted((ROOT / "jobs").glob("*.yaml"))}
JOBS = {name: text for name, text in FILES.items() if name != FAULTS} | {"full": FULL}
SPLINTERS = [
    *["null", "true", "-1", "0", "99999999999999999999", "1e309", ".nan", "0x10", "010", "3:30", "NO", "~"],
    *["''", "{", "}", "[", "]", "[" * 24, ": ", "- ", "? ", "&a ", "*a", "!!python/none ", "<<: ", "%YAML"],
    *['"', "'", "|", ">-\n", "#", " #", "\\", "\t", "\n", "\r", "\r\n", "---\n", "...\n", "a: b"],
    *["\x00", "\x1b[2J", "\u2028", "\u202e", "\ud800", "\ufeff", "é", "٣", "\U0001f600", "x" * 3000],
    *["get_ip", "set_main", "csv=out.csv", "file:/dev/zero", "env:", "/dev/stdin", "..", "/", "9999d"],
    *["203.0.113.0/33", "10.0.0.0/8", "0.0.0.0/0", "203.0.113.9-203.0.113.1", "2001:db8::/120", "::"],
    *["!203.0.113.7", "http://example.net/", "5/0s", "101%", "last-0-days", "{{", "}}", "{{ row }}"],
    *["{% for i in range(999999999) %}x{% endfor %}", "{{ ip * 99999999 }}", "{{ 9 ** 9 ** 9 }}"],
    *['"\\UFFFFFFFF"', '"\\ud800"', "{b:[1]}", "[b?]", "|#", "{a: b:c}", "[a,b]", "? [a]\n: b"],
    *["{{ self }}", "{{ row.__class__.__mro__ }}", "{{ vars.zone | upper }}", "{{ '%99999999d' % 1 }}"],
]  # fmt: skip
WORDS = [
    "version",
    "targets",
    "actions",
    "limits",
    "rate",
    "safety",
    "api",
    "url",
    "with",
    "ip",
    "csv",
    "reports",
]
NODES = st.recursive(
    st.sampled_from(["1", "null", "true", "get_ip", "1.2.3.4/8", "'!1'", "5/s", "'{{ x'", "-3", "env:A"]),
    lambda node: (
        st.lists(node, max_size=3).map(lambda entries: f"[{', '.join(entries)}]")
        | st.dictionaries(st.sampled_from(WORDS), node, max_size=4).map(
            lambda entries: f"{{{', '.join(f'{key}: {value}' for key, value in entries.items())}}}"
        )
    ),
    max_leaves=12,
)
TREES = st.dictionaries(st.sampled_from(WORDS[1:]), NODES, max_size=6).map(
    lambda entries: "version: 1\n" + "".join(f"{key}: {value}\n" for key, value in entries.items())
)
FUZZ = spoiled(JOBS, SPLINTERS) | TREES.map(str.encode)

pytestmark = patient


@pytest.fixture(autouse=True)
def desk(empty_folder: Path) -> None:
    """Lay the lists that the jobs name into the current folder."""
    row = "203.0.113.1,4711,NL,web,\n203.0.113.2,4711,NL,retired,mail\n"
    (empty_folder / "ptr-migration.csv").write_text("ip,id,location,role,name\n" + row)
    (empty_folder / "rows.csv").write_text("ip,id,role\n203.0.113.9,4711,web\n")
    (empty_folder / "more.jsonl").write_text('{"ip": "203.0.113.10", "id": 4711}\n')
    (empty_folder / "ips.txt").write_text("203.0.113.11 # one\n!203.0.113.12\n")


def planned(content: bytes) -> LoadedJob | list[str]:
    """Return the job of these bytes after a whole plan was made of it, or what is wrong with it."""
    Path("job.yaml").write_bytes(content)
    try:
        loaded = narrowed(load_job("job.yaml"), Filters())
        check_job(loaded, NOW, Doors())
    except JobError as error:
        return [str(problem) for problem in error.problems]
    return loaded


def without_c(content: bytes) -> LoadedJob | list[str]:
    """Do the same in an installation of PyYAML that has no C loader."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(yaml, "__with_libyaml__", False)
        return planned(content)


def is_syntax_error(problems: LoadedJob | list[str]) -> bool:
    """Say whether the parser itself gave up, which either does in words of its own."""
    return isinstance(problems, list) and any("not valid YAML" in problem for problem in problems)


@given(FUZZ)
@examples(120, 1_500)
def test_spoiled_job_is_planned_or_told(content: bytes) -> None:
    """A spoiled job gives a plan or problems, each in one line that a terminal can show."""
    found = planned(content)

    if isinstance(found, list):
        assert found
        assert [problem for problem in found if FORBIDDEN.search(problem) or "\n" in problem] == []
    else:
        assert found.job is not None


@given(FUZZ)
@examples(120, 1_500)
def test_both_yaml_parsers_give_the_same_job(content: bytes) -> None:
    """With and without the C loader a file gives the same job or the same problems, or neither reads it."""
    fast, pure = planned(content), without_c(content)

    if is_syntax_error(fast) or is_syntax_error(pure):
        assert isinstance(fast, list)
        assert isinstance(pure, list)
    else:
        assert fast == pure


@given(spoiled({FAULTS: FILES[FAULTS]}, SPLINTERS))
@examples(30, 500)
def test_spoiled_fault_file_is_read_or_told(content: bytes) -> None:
    """A spoiled fault file gives faults or problems, and nothing else."""
    Path(FAULTS).write_bytes(content)

    with suppress(UsageError):
        assert read_faults(Path(FAULTS)) is not None


@given(
    spoiled(
        {"secret": f"{API}version: 1\ntargets: [203.0.113.7]\nactions: [{{action: get_ip}}]\n"}, SPLINTERS
    )
)
@examples(30, 500)
def test_secret_in_a_spoiled_job_is_not_repeated(content: bytes) -> None:
    """Who writes the token itself into a job is told so without the token, whatever else is wrong there."""
    assume(content.startswith(API.encode()))

    found = planned(content)

    assert SECRET not in str(found)

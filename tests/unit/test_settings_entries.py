"""Which actions and targets a job may list, and how mistakes in them are told."""

from pathlib import Path

import pytest

from bulkip.model import Place, Status
from bulkip.settings import load_job
from bulkip.sources import (
    LEFT_BEHIND,
    Format,
    FreeIpsSource,
    JsonlSource,
    RunSource,
    StdinSource,
    TextSource,
)
from tests.jobtexts import told

pytestmark = pytest.mark.usefixtures("empty_folder")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("actions: [{action: update_prt}]", "did you mean `update_ptr`?", id="unknown-action"),
        pytest.param(
            "actions: [{action: update_ptr, with: {ptrr: x}}]",
            "2:39: unknown parameter `ptrr` of update_ptr; did you mean `ptr`?",
            id="unknown-parameter",
        ),
        pytest.param(
            "actions: [{action: get_ip, with: {ip: 1.2.3.4}}]", "the address comes from `targets`", id="ip"
        ),
        pytest.param("actions: [{action: get_client_ip, with: {a: 1}}]", "it takes none", id="no-parameters"),
        pytest.param("actions: [{action: get_ip, period: today}]", "get_ip takes no `period`", id="period"),
        pytest.param(
            "actions: [{action: get_traffic, period: today, with: {period: today}}]",
            "`period` is set twice",
            id="period-twice",
        ),
        pytest.param(
            "actions: [{action: get_ip, whit: {}}]", "unknown key `whit`; did you mean `with`?", id="key"
        ),
        pytest.param(
            "actions: [{action: get_ip, with: x}]", "must be a mapping of parameters", id="with-text"
        ),
        pytest.param(
            "actions: [{action: update_ptr, with: {ptr: {a: b}}}]",
            "`ptr` must be a single value",
            id="with-mapping",
        ),
        pytest.param("actions: [{action: get_ip, tags: 'a, b'}]", "has a comma; write several", id="tags"),
        pytest.param("actions: [{name: x}]", "the key `action` is missing; write it like", id="no-action"),
        pytest.param("actions: [get_ip]", "`actions.1`: must be a mapping", id="action-as-text"),
        pytest.param("actions: {action: get_ip}", "`actions`: must be a list", id="actions-as-mapping"),
        pytest.param("actions: []", "the job has no `actions`", id="no-actions"),
        pytest.param("name: x", "the job has no `actions`", id="actions-missing"),
        pytest.param(
            "actions: [{action: get_ip, name: a}, {action: get_ptr, name: a}]",
            "action name `a` stands twice; the first is in line 2",
            id="same-name",
        ),
        pytest.param(
            "actions: [{action: get_ip, name: '2'}, {action: get_ptr}]",
            "action name `2` stands twice",
            id="name-that-is-an-ordinal",
        ),
    ],
)
def test_wrong_action_is_told(text: str, expected: str) -> None:
    """An action that is wrong is the one problem told."""
    problems = told(f"version: 1\n{text}\ntargets: [203.0.113.7]\n")

    assert len(problems) == 1
    assert expected in problems[0]


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        pytest.param("{x: 1}", "target has no key that says what it is; known: ip, cidr", id="no-kind"),
        pytest.param("{csw: 1}", "did you mean `csv`?", id="misspelt-kind"),
        pytest.param("{csv: a.csv, delimeter: ';'}", "did you mean `delimiter`?", id="misspelt-key"),
        pytest.param("{csv: a.csv, delimiter: ab}", "cannot separate columns", id="long-delimiter"),
        pytest.param("{csv: [a.csv]}", "`targets.1.csv`: must be a single value", id="csv-list"),
        pytest.param("{cidr: 10.0.0.0/30, hosts: usabel}", "did you mean `usable`?", id="hosts"),
        pytest.param("{stdin: cvs}", "did you mean `csv`?", id="stdin-format"),
        pytest.param("{run: last, status: faild}", "did you mean `failed`?", id="run-status"),
        pytest.param("{free_ips: {locaton: NL}}", "did you mean `location`?", id="free-ips-key"),
        pytest.param("{ip: 1.2.3.4, id: [1]}", "`targets.1.id`: must be a single value", id="field-list"),
        pytest.param("[1.2.3.4]", "`targets.1`: must be a single value, not a list", id="nested-list"),
        pytest.param("", "`targets.1`: is empty", id="nothing"),
        pytest.param("{stdin: text, delimiter: ';'}", "`delimiter` belongs to csv, not to text", id="sign"),
        pytest.param("{free_ips: {id: 010}}", "`free_ips.id`: '010' is no id", id="free-ips-id"),
        pytest.param("{free_ips: {exclude_special: 2}}", "is neither 1 nor 0", id="free-ips-flag"),
        pytest.param("{run: last, status: []}", "names no status", id="run-no-status"),
        pytest.param("{run: ../x}", "`../x` is no run; write `last`", id="run-path"),
        pytest.param("{run: newest}", "`newest` is no run; write `last`", id="run-word"),
    ],
)
def test_wrong_target_is_told(entry: str, expected: str) -> None:
    """A target entry that is wrong is the one problem told."""
    problems = told(f"version: 1\nactions: [{{action: get_ip}}]\ntargets:\n  - {entry}\n")

    assert len(problems) == 1
    assert expected in problems[0]


def test_stdin_is_read_by_one_target_only() -> None:
    """A second target from stdin is told, because a pipe can be read once."""
    problems = told(
        "version: 1\nactions: [{action: get_ip}]\ntargets:\n  - {stdin: csv}\n  - {stdin: text}\n"
    )

    assert problems == ["job.yaml:5:13: stdin can be read by one target only; the first is in line 4"]


def test_every_kind_of_list_is_a_source() -> None:
    """Lists, stdin, earlier runs and free addresses are sources, with their files beside the job."""
    Path("jobs").mkdir()
    Path("jobs/job.yaml").write_text(
        "version: 1\nname: nightly\nactions: [{action: get_ip}]\ntargets:\n"
        "  - {jsonl: a.jsonl}\n"
        "  - {text: a.txt}\n"
        "  - {stdin: csv, delimiter: ';'}\n"
        "  - {run: 20260901, status: failed}\n"
        "  - {run: last~1}\n"
        "  - {free_ips: {id: 15, location: nl, exclude_special: true}}\n"
    )

    loaded = load_job("jobs/job.yaml")

    file = "jobs/job.yaml"
    assert loaded.problems == ()
    assert loaded.sources == (
        JsonlSource(Path("jobs/a.jsonl"), Place(file, 5, 13)),
        TextSource(Path("jobs/a.txt"), Place(file, 6, 12)),
        StdinSource(Format.CSV, Place(file, 7, 13), ";"),
        RunSource("20260901", (Status.FAILED,), "nightly", Place(file, 8, 11)),
        RunSource("last~1", LEFT_BEHIND, "nightly", Place(file, 9, 11)),
        FreeIpsSource({"exclude_special": "1", "location": "NL", "id": "15"}, Place(file, 10, 16)),
    )

"""Which actions and targets a job may list, and how mistakes in them are told."""

from pathlib import Path

import pytest

from bulkip.settings import load_job


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stand in an empty folder, so that paths are shown as the user writes them."""
    monkeypatch.chdir(tmp_path)


def told(text: str) -> list[str]:
    """Return what is wrong with a job of this text, as it is shown."""
    Path("job.yaml").write_text(text, encoding="utf-8")
    return [str(problem) for problem in load_job("job.yaml").problems]


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
        pytest.param("{jsonl: a.jsonl}", "`jsonl` is not built yet", id="jsonl-not-yet"),
        pytest.param("{text: a.txt}", "`text` is not built yet", id="text-not-yet"),
        pytest.param("{stdin: csv}", "`stdin` is not built yet", id="stdin-not-yet"),
        pytest.param("{free_ips: {id: 15}}", "`free_ips` is not built yet", id="free-ips-not-yet"),
        pytest.param("{run: last, status: [failed]}", "`run` is not built yet", id="run-not-yet"),
    ],
)
def test_wrong_target_is_told(entry: str, expected: str) -> None:
    """A target entry that is wrong is the one problem told."""
    problems = told(f"version: 1\nactions: [{{action: get_ip}}]\ntargets:\n  - {entry}\n")

    assert len(problems) == 1
    assert expected in problems[0]

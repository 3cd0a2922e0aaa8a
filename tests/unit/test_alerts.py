"""Hooks and messages as a job file states them, and what is kept of them with a run."""

import json
from pathlib import Path

import pytest

from bulkip.alerts import COMMAND_TIMEOUT_S, URL_TIMEOUT_S, Hook, WrittenUrl
from bulkip.policy import SecretRef, SecretSource
from bulkip.settings import Job, frozen_settings, load_job, thawed_job
from bulkip.settings.jsonschema import job_schema
from tests.jobtexts import told
from tests.schemacheck import faults

HEAD = "version: 1\ntargets: [203.0.113.7]\nactions: [{action: get_ip}]\n"
SECRET = "p4th-of-the-hook"

pytestmark = pytest.mark.usefixtures("empty_folder")


def job_of(hooks: str) -> Job:
    """Return the job with these hooks, from the current folder."""
    assert told(f"{HEAD}{hooks}") == []
    job = load_job("job.yaml").job
    assert job is not None
    return job


def test_each_form_of_a_hook_is_read() -> None:
    """A URL, where a URL is kept, a command, and a list of them; each kind has its own patience."""
    job = job_of(
        f"hooks:\n  start: https://hc.example.net/{SECRET}?x=1\n"
        "  failure: [{command: [/bin/alert, '--job', 7], required: true}, {url: 'env:URL', timeout: 2s}]\n"
    )

    assert job.hooks.start == (
        Hook(WrittenUrl(f"https://hc.example.net/{SECRET}?x=1", "https://hc.example.net"), URL_TIMEOUT_S),
    )
    assert job.hooks.failure == (
        Hook(("/bin/alert", "--job", "7"), COMMAND_TIMEOUT_S, required=True),
        Hook(SecretRef(SecretSource.ENV, "URL"), 2.0),
    )


def test_files_and_programs_are_found_from_the_folder_of_the_job(tmp_path: Path) -> None:
    """What the job file names lies beside it; a bare name is looked for on PATH."""
    (tmp_path / "job.yaml").write_text(
        f"{HEAD}hooks:\n  success: file:hook.url\n  always: [{{command: [./alert]}}, {{command: [logger]}}]\n"
    )
    job = load_job(tmp_path / "job.yaml").job
    assert job is not None

    assert job.hooks.success[0].target == SecretRef(SecretSource.FILE, str(tmp_path / "hook.url"))
    assert [hook.target for hook in job.hooks.always] == [(str(tmp_path / "alert"),), ("logger",)]


def test_kept_hooks_hold_no_url() -> None:
    """The run store keeps where a URL is, and of one in the job file only what may be shown."""
    job = job_of(f"hooks: {{start: 'https://hc.example.net/{SECRET}', always: 'env:URL'}}\n")

    settings = json.loads(json.dumps(frozen_settings(job)))
    thawed = thawed_job("n", "job.yaml", "d", settings)

    assert SECRET not in json.dumps(settings)
    assert SECRET not in repr(job)
    assert thawed.hooks.start[0].target == WrittenUrl("", "https://hc.example.net")
    assert thawed.hooks.always == job.hooks.always


def test_plan_from_before_there_were_hooks_has_none() -> None:
    """Settings that were kept without hooks are still good."""
    settings = frozen_settings(job_of(""))
    for name in ("hooks", "notify"):
        del settings[name]

    thawed = thawed_job("n", "job.yaml", "d", settings)

    assert not any(thawed.hooks.all())


WRONG = [
    pytest.param(
        f"hooks: {{start: 'http://hc.example.net/{SECRET}'}}", "must be an https URL", id="plain-http"
    ),
    pytest.param(f"hooks: {{start: '{SECRET}'}}", "must be an https URL", id="no-url"),
    pytest.param(
        f"hooks: {{start: 'https://me:{SECRET}@hc.example.net/'}}", "must be an https URL", id="user"
    ),
    pytest.param(
        f"hooks: {{start: 'https://hc.example.net/{SECRET} x'}}", "must be an https URL", id="blank"
    ),
    pytest.param(f"hooks: {{start: {{command: '{SECRET}'}}}}", "must be a list", id="command-as-text"),
    pytest.param("hooks: {start: {command: []}}", "must be a list", id="no-command"),
    pytest.param("hooks: {start: {timeout: 3s}}", "needs either `url` or `command`", id="neither"),
    pytest.param("hooks: {start: {url: 'env:A', command: [a]}}", "needs either", id="both"),
    pytest.param("hooks: {start: {url: 'env:A', timeout: 11m}}", "at most 10m", id="long"),
    pytest.param("hooks: {start: {url: 'env:A', timeuot: 1s}}", "did you mean `timeout`?", id="typing-error"),
    pytest.param(
        "hooks: {start: {url: 'env:A', required: 'yes'}}", "neither `true` nor `false`", id="required"
    ),
    pytest.param("hooks: {faliure: 'env:A'}", "did you mean `failure`?", id="moment"),
    pytest.param(f"notify: ['json://{SECRET}']", "must be `env:NAME` or `file:PATH`", id="notify-secret"),
    pytest.param("notify: {url: 'env:A', on: [faliure]}", "did you mean `failure`?", id="notify-moment"),
    pytest.param("notify: {on: [failure]}", "needs `url`", id="notify-without-url"),
]


@pytest.mark.parametrize(("text", "message"), WRONG)
def test_wrong_hook_is_told_without_its_secret(text: str, message: str) -> None:
    """Each mistake has its place and its way out, and no address is shown."""
    (problem,) = told(f"{HEAD}{text}\n")

    assert problem.startswith("job.yaml:4:")
    assert message in problem
    assert SECRET not in problem


@pytest.mark.parametrize(
    "value",
    [
        pytest.param({"start": "https://hc.example.net/a?b=c"}, id="url"),
        pytest.param({"always": ["env:A", {"command": ["/bin/a", 1], "timeout": "3s"}]}, id="list"),
        pytest.param(
            {"failure": {"url": "file:a", "required": True, "timeout": 5}, "start": None}, id="mapping"
        ),
    ],
)
def test_schema_takes_what_the_loader_takes(value: object) -> None:
    """An editor marks no hook that is right."""
    whole = {"version": 1, "targets": ["203.0.113.7"], "actions": [{"action": "get_ip"}], "hooks": value}

    assert faults(whole, job_schema()) == []
    assert told(HEAD + "hooks: " + json.dumps(value)) == []


@pytest.mark.parametrize(
    "value",
    [
        pytest.param({"start": "http://hc.example.net/a"}, id="plain-http"),
        pytest.param({"start": {"command": "a"}}, id="command-as-text"),
        pytest.param({"start": {"timeout": 3}}, id="neither"),
        pytest.param({"begin": "env:A"}, id="moment"),
    ],
)
def test_schema_refuses_what_is_wrong(value: object) -> None:
    """An editor marks what the loader would refuse."""
    whole = {"version": 1, "targets": ["203.0.113.7"], "actions": [{"action": "get_ip"}], "hooks": value}

    assert faults(whole, job_schema()) != []

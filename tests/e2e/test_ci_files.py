"""The ready-made files of `jobs/ci` are valid, safe, and name only commands that exist."""

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import click
import pytest
import yaml

from bulkip.cli.commands import bulkip as commands
from tests.program import ROOT
from tests.workflows import CI, commands_in, github_steps, gitlab_scripts, play, tree_of

SCHEMAS = MappingProxyType(
    {"github-actions.yml": "vendor.github-workflows", "gitlab-ci.yml": "vendor.gitlab-ci"}
)
SCRIPTS = [*(step.script for step in github_steps()), *gitlab_scripts()]
README = [
    line.strip() for line in (ROOT / "README.md").read_text("utf-8").splitlines() if line[:4] == " " * 4
]
COMMANDS = list(
    {
        tuple(words): words
        for script in [*SCRIPTS, *README]
        for words in commands_in(script)
        if not words[0].startswith("-")
    }.values()
)
INSTRUCTIONS = frozenset({"FROM", "WORKDIR", "COPY", "RUN", "ENV", "USER", "ENTRYPOINT", "CMD"})


def verdict(path: Path, schema: str) -> int:
    """Return how a linter that knows a service's own schema judges a file; 0 is good."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(path)]
    return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode


@pytest.mark.parametrize(("name", "schema"), SCHEMAS.items(), ids=list(SCHEMAS))
def test_pipeline_fits_the_schema_of_its_service(name: str, schema: str) -> None:
    """GitHub and GitLab would take their files."""
    assert verdict(CI / name, schema) == 0


@pytest.mark.parametrize(("name", "schema"), SCHEMAS.items(), ids=list(SCHEMAS))
def test_linter_sees_a_mistake(tmp_path: Path, name: str, schema: str) -> None:
    """The verdict means something: a file with a foreign kind of value is refused."""
    tree = tree_of(name)
    tree["jobs" if "jobs" in tree else "validate"] = ["nonsense"]
    (tmp_path / name).write_text(yaml.safe_dump(tree))

    assert verdict(tmp_path / name, schema) != 0


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_command_that_can_be_copied_is_one_of_ours(command: list[str]) -> None:
    """Every `bulkip` that a ready-made file or the README calls parses, with its options and their values."""
    name, *arguments = command
    with commands.make_context("bulkip", [], resilient_parsing=True) as context:
        known = commands.get_command(context, name)
        if isinstance(known, click.Group):
            name, *arguments = arguments
            known = known.get_command(context, name)
        assert isinstance(known, click.Command), name

        made = known.make_context(name, arguments, parent=context)

    assert made.args == []


def test_every_stage_of_the_story_is_played() -> None:
    """Both services validate, plan, apply with the digest, and check."""
    for scripts in ([step.script for step in github_steps()], gitlab_scripts()):
        called = [command for script in scripts for command in commands_in(script)]

        assert {command[0] for command in called} >= {"validate", "plan", "apply", "check"}
        assert [
            command for command in called if command[0] == "apply" and "--expect-plan" not in command
        ] == []


def test_no_foreign_text_becomes_part_of_a_script() -> None:
    """What GitHub would paste into a script before its shell reads it goes through the environment."""
    scripts = [step["run"] for job in github_jobs() for step in job["steps"] if "run" in step]

    assert [script for script in scripts if "${{" in script] == []


def test_workflow_may_do_no_more_than_it_needs() -> None:
    """A workflow reads the repository; only jobs that upload findings may write those."""
    tree = tree_of("github-actions.yml")
    writing = {
        name
        for name, job in tree["jobs"].items()
        if any(right == "write" for right in job.get("permissions", {}).values())
    }
    uploading = {
        name
        for name, job in tree["jobs"].items()
        if any("upload-sarif" in step.get("uses", "") for step in job["steps"])
    }

    assert tree["permissions"] == {"contents": "read"}
    assert writing == uploading


def test_actions_are_pinned_to_a_major_version() -> None:
    """A step of somebody else's is named with the version it was written for."""
    used = [step["uses"] for job in github_jobs() for step in job["steps"] if "uses" in step]

    assert used
    assert [name for name in used if not re.fullmatch(r"[\w-]+/[\w/-]+@v[0-9]+", name)] == []


def github_jobs() -> list[Mapping[str, Any]]:
    """Return the jobs of the GitHub workflow."""
    return list(tree_of("github-actions.yml")["jobs"].values())


def instructions() -> Iterator[tuple[str, str]]:
    """Yield the instructions of the Containerfile; a line that is none fails."""
    for line in (CI / "Containerfile").read_text().splitlines():
        if line and not line.startswith("#"):
            word, _, rest = line.partition(" ")
            assert word in INSTRUCTIONS, line
            assert rest == rest.strip() != "", line
            yield word, rest


def test_container_runs_bulkip_and_not_as_root() -> None:
    """What stands last decides: a numbered user that is not root, and bulkip as the entry point."""
    last = dict(instructions())

    assert re.fullmatch(r"[1-9][0-9]*:[1-9][0-9]*", last["USER"])
    assert last["ENTRYPOINT"] == '["bulkip"]'
    known = [place for place, (word, _) in enumerate(instructions()) if word in {"USER", "ENTRYPOINT"}]
    assert known == sorted(known)


def test_container_is_built_from_slim_images_of_one_version() -> None:
    """The images are pinned to a version, slim, and named without the host they come from."""
    images = [rest.split(" AS ")[0] for word, rest in instructions() if word == "FROM"]

    assert [image for image in images if not re.fullmatch(r"python:3\.[0-9]+-slim", image)] == []
    assert len(set(images)) == 1


def test_container_copies_what_is_there() -> None:
    """Every COPY names files of this repository, or a place of an earlier stage."""
    copies = [rest.split() for word, rest in instructions() if word == "COPY"]
    ours = [source for words in copies if not words[0].startswith("--from=") for source in words[:-1]]

    assert [source for source in ours if not (ROOT / source).exists()] == []
    assert {"pyproject.toml", "bulkip"} <= set(ours)
    assert [words[0] for words in copies if words[0].startswith("--")] == ["--from=build"]


def hook() -> Mapping[str, Any]:
    """Return the hook that pre-commit finds at the root of the repository."""
    hooks: list[Mapping[str, Any]] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    (only,) = hooks
    return only


def test_hook_is_what_the_example_asks_for() -> None:
    """The example for pre-commit names the hook that is there, which has what pre-commit requires."""
    ((repository,),) = (tree_of("pre-commit-config.yaml")["repos"],)
    ((wanted,),) = (repository["hooks"],)

    assert {"id", "name", "entry", "language"} <= hook().keys()
    assert (wanted["id"], hook()["language"]) == (hook()["id"], "python")


@pytest.mark.parametrize("name", ["ptr.yaml", "dns/ptr.yml", "ptr.csv", "more.jsonl", "ips.txt"])
def test_hook_runs_for_jobs_and_for_their_lists(name: str) -> None:
    """A list that changed is a reason to check the job that reads it."""
    assert re.search(hook()["files"], name)


def test_hook_refuses_a_commit_that_breaks_the_job(tmp_path: Path) -> None:
    """With the example's arguments the hook passes a right list and stops a wrong one."""
    (tmp_path / "ptr.yaml").write_text(
        "version: 1\ntargets: [{csv: ptr.csv}]\nactions: [{action: update_ptr}]\n"
    )
    arguments = tree_of("pre-commit-config.yaml")["repos"][0]["hooks"][0]["args"]
    script = " ".join([hook()["entry"], *arguments])

    codes = []
    for name in ("mail.example.net", "not a name"):
        (tmp_path / "ptr.csv").write_text(f"ip,id,ptr\n203.0.113.7,4711,{name}\n")
        codes.append(play(script, tmp_path, {}).code)

    assert codes == [0, 2]

"""Filters of the caller: which steps are kept, and what variables may be set."""

from pathlib import Path

import pytest

from bulkip.errors import UsageError
from bulkip.selection import Filters
from bulkip.settings import LoadedJob, load_job, narrowed

JOB = """
version: 1
vars: {zone: example.net, empty: null}
targets: [203.0.113.7]
actions:
  - {action: get_ip, name: a, tags: [read, both]}
  - {action: get_ptr, name: b, tags: both, with: {id: "{{ vars.server }}"}}
  - {action: get_traffic, name: c, period: "{{ vars['days'] }}", when: "vars.on == 'yes'"}
  - {action: update_ptr, name: d, tags: write, with: {id: 5, ptr: ["a.{{ vars . zone }}", "{{vars.other}}"]}}
"""


def loaded(folder: Path, text: str = JOB) -> LoadedJob:
    """Return a job of this text, loaded."""
    (folder / "job.yaml").write_text(text)
    return load_job(folder / "job.yaml")


@pytest.mark.parametrize(
    ("tags", "names"),
    [
        pytest.param((), ["a", "b", "c", "d"], id="no-tags-keep-all"),
        pytest.param(("both",), ["a", "b"], id="one"),
        pytest.param(("read", "write"), ["a", "d"], id="any-of-them"),
    ],
)
def test_tags_choose_steps(tmp_path: Path, tags: tuple[str, ...], names: list[str]) -> None:
    """A step is kept when it has any of the tags; the job itself and what is planned agree."""
    found = narrowed(loaded(tmp_path), Filters(tags=tags))

    assert found.job is not None
    assert [step.name for step in found.steps] == [step.name for step in found.job.steps] == names


def test_step_keeps_its_number_and_name(tmp_path: Path) -> None:
    """A step without a name is called by its place in the file, whatever else is left out: keys stay."""
    text = "version: 1\ntargets: [1.0.0.1]\nactions: [{action: get_ip}, {action: get_ip, tags: x}]\n"

    (step,) = narrowed(loaded(tmp_path, text), Filters(tags=("x",))).steps

    assert (step.index, step.name) == (1, "2")


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        pytest.param(Filters(tags=("raed",)), "no tag `raed`; did you mean `read`?", id="tag"),
        pytest.param(Filters(tags=("x",)), "no tag `x`; known: both, read, write", id="hopeless-tag"),
        pytest.param(Filters(variables={"zne": ""}), "variable `zne`; did you mean `zone`?", id="variable"),
    ],
)
def test_unknown_word_is_refused(tmp_path: Path, filters: Filters, expected: str) -> None:
    """A tag or a variable that the job does not have is a usage error with what was probably meant."""
    with pytest.raises(UsageError, match="the job has no") as raised:
        narrowed(loaded(tmp_path), filters)

    assert expected in str(raised.value)


def test_job_without_tags_says_so(tmp_path: Path) -> None:
    """Where no step has a tag, there is nothing to choose from."""
    text = "version: 1\ntargets: [1.0.0.1]\nactions: [{action: get_ip}]\n"

    with pytest.raises(UsageError, match="no tag `x`; it has none"):
        narrowed(loaded(tmp_path, text), Filters(tags=("x",)))


@pytest.mark.parametrize("name", ["zone", "server", "days", "on", "other"])
def test_variable_that_is_declared_or_used_can_be_set(tmp_path: Path, name: str) -> None:
    """A variable may be set when the job declares it or a template of the job names it."""
    found = narrowed(loaded(tmp_path), Filters(variables={name: "x"}))

    assert found.job is not None
    assert found.vars == found.job.vars == {"zone": "example.net", name: "x"}


def test_job_with_problems_is_told_before_its_filters(tmp_path: Path) -> None:
    """A tag may belong to the part of a job that is wrong, so the job's problems come first."""
    found = loaded(tmp_path, JOB.replace("action: get_ip", "action: get_pi"))

    assert narrowed(found, Filters(tags=("read",))).problems == found.problems != ()

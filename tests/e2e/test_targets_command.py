"""Targets and filters of a run as a user starts it: pipes, earlier runs, and plans that are shaped."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bulkip.simulator import EmbeddedSimulator, Fault, Seed, Simulator, SimulatorSettings
from tests.program import bulkip

TOKEN = {"HOSTKEY_TOKEN": "simulated"}
READ = "actions: [{action: get_ip}]\n"
WRITE = (
    "vars: {zone: example.net}\n"
    "actions:\n"
    "  - {action: get_ip, tags: [look]}\n"
    "  - {action: update_ptr, tags: [change], with: {ptr: '{{ ip.dashed }}.{{ vars.zone }}'}}\n"
)


@pytest.fixture
def api() -> Iterator[Simulator]:
    """Serve a provider with eight addresses on one server."""
    seeds = [Seed(f"203.0.113.{host}", 4711, "NL", f"old-{host}.example.org") for host in range(8)]
    with EmbeddedSimulator(seeds, SimulatorSettings()) as running:
        yield running


def job(folder: Path, targets: str, rest: str = READ, api: Simulator | None = None) -> str:
    """Write a job with these targets, and return its name."""
    where = f"api: {{url: '{api.url}'}}\n" if api else ""
    head = f"version: 1\nname: job\n{where}limits: {{rate: 500/s}}\n"
    (folder / "job.yaml").write_text(f"{head}targets: {targets}\n{rest}")
    return "job.yaml"


@pytest.mark.parametrize(
    ("form", "content"),
    [
        pytest.param("csv", "ip\n203.0.113.1\n203.0.113.2\n", id="csv"),
        pytest.param("jsonl", '{"ip": "203.0.113.1"}\n{"ip": "203.0.113.2"}\n', id="jsonl"),
        pytest.param("text", "203.0.113.0/30\n!203.0.113.0\n!203.0.113.3\n", id="text"),
    ],
)
def test_targets_can_be_piped_into_a_run(tmp_path: Path, form: str, content: str) -> None:
    """A rehearsal of piped targets ends with a row for each."""
    name = job(tmp_path, f"[{{stdin: {form}}}]")

    ended = bulkip("run", name, "--simulate", "-q", "--format", "jsonl", cwd=tmp_path, stdin=content)

    assert ended.code == 0, ended.err
    assert [json.loads(row)["ip"] for row in ended.out.splitlines()] == ["203.0.113.1", "203.0.113.2"]


def test_several_jobs_are_validated_with_the_same_pipe(tmp_path: Path) -> None:
    """What is piped in is there for every job that is checked, and a sample reads it twice."""
    name = job(tmp_path, "[{stdin: text}]")

    ended = bulkip("validate", name, name, "--sample", "1", cwd=tmp_path, stdin="1.0.0.1\n1.0.0.2\n")

    assert ended.code == 0, ended.err
    assert ended.out.count("valid, 1 item, 0 writes") == 2


def test_rehearsal_invents_free_addresses(tmp_path: Path) -> None:
    """A rehearsal of a job for free addresses asks nobody and has some."""
    name = job(tmp_path, "[{free_ips: {id: 15}}]")

    valid = bulkip("validate", name, cwd=tmp_path)
    listed = bulkip("targets", name, cwd=tmp_path)
    run = bulkip("run", name, "--simulate", "-q", "--format", "json", cwd=tmp_path)

    assert (
        valid.out == "job.yaml: valid, nothing planned yet; free_ips (job.yaml:4): asked when the job runs\n"
    )
    assert (listed.out, listed.code) == ("", 0)
    assert "free_ips (job.yaml:4): asked when the job runs" in listed.err
    assert json.loads(run.out)["by_status"] == {"ok": 14}


def test_next_run_takes_what_the_last_one_left(tmp_path: Path, api: Simulator) -> None:
    """`{run: last}` is a job's way to carry on with what failed, fields included."""
    api.fault(Fault(action="update_ptr", ip="203.0.113.3", json={"code": -1, "message": "access denied"}))
    write = "actions: [{action: update_ptr, with: {ptr: '{{ ip.dashed }}.example.net'}}]\n"
    bulkip("run", job(tmp_path, "[{cidr: 203.0.113.0/29, id: 4711}]", write, api), "--yes",
           cwd=tmp_path, env=TOKEN)  # fmt: skip

    name = job(tmp_path, "[{run: last}]", "actions: [{action: update_ptr}]\n", api)
    listed = bulkip("targets", name, cwd=tmp_path)
    ended = bulkip("run", name, "--yes", "--format", "jsonl", cwd=tmp_path, env=TOKEN)

    (row,) = [json.loads(line) for line in ended.out.splitlines()]
    assert listed.out == "203.0.113.3\n"
    assert row["params"] == {"ip": "203.0.113.3", "id": "4711", "ptr": "203-0-113-3.example.net"}


def test_filters_shape_the_run(tmp_path: Path, api: Simulator) -> None:
    """Only the chosen step is carried out, on the chosen addresses, with the given variable."""
    name = job(tmp_path, "[{cidr: 203.0.113.0/29, id: 4711}]", WRITE, api)
    filters = ["--limit", "203.0.113.2,203.0.113.3,!203.0.113.3", "--tags", "change", "--var", "zone=a.test"]

    ended = bulkip("run", name, "--yes", "--format", "jsonl", *filters, cwd=tmp_path, env=TOKEN)

    assert ended.code == 0, ended.err
    (row,) = [json.loads(line) for line in ended.out.splitlines()]
    assert (row["ip"], row["after"]) == ("203.0.113.2", "203-0-113-2.a.test")
    assert (api.state.count("get_ip"), api.state.count("update_ptr")) == (0, 1)


def test_filtered_plan_has_the_keys_of_the_whole_one(tmp_path: Path) -> None:
    """A filter does not change what an item is: its key stays."""
    name = job(tmp_path, "[{cidr: 203.0.113.0/30, id: 4711}]", WRITE)
    options = ["--simulate", "--yes", "-q", "--format", "jsonl"]

    whole = bulkip("run", name, *options, cwd=tmp_path)
    part = bulkip("run", name, *options, "--sample", "2", "--tags", "change", cwd=tmp_path)

    keys = {json.loads(line)["key"] for line in whole.out.splitlines()}
    chosen = {json.loads(line)["key"] for line in part.out.splitlines()}
    assert len(chosen) == 2
    assert chosen < keys


def test_empty_plan_is_nothing_to_do(tmp_path: Path, api: Simulator) -> None:
    """Filters that leave nothing end well, with nothing sent and no question."""
    name = job(tmp_path, "[{cidr: 203.0.113.0/29, id: 4711}]", WRITE, api)

    ended = bulkip("run", name, "--limit", "198.51.100.1", cwd=tmp_path, env=TOKEN)

    assert ended.code == 0
    assert "nothing to do" in ended.err
    assert api.state.count("get_ptr") == 0

"""Every job of `jobs/` runs as it is, and does what its comment says."""

import json
from pathlib import Path

import pytest

from bulkip.settings import load_job
from bulkip.simulator import EmbeddedSimulator, Seed, SimulatorSettings
from tests.program import ROOT, bulkip

JOBS = sorted((ROOT / "jobs").glob("*.yaml"))
RUNNABLE = [path for path in JOBS if path.stem != "faults"]


@pytest.mark.parametrize("path", RUNNABLE, ids=lambda path: path.stem)
def test_example_runs_against_its_rehearsal(tmp_path: Path, path: Path) -> None:
    """Each example ends with exit code 0 and a row for every item."""
    options = ["--simulate", "--yes", "--rate", "1000/s", "--format", "json", "--report", "jsonl=rows.jsonl"]

    ended = bulkip("run", str(path), *options, cwd=tmp_path)

    assert ended.code == 0, ended.err
    rows = (tmp_path / "rows.jsonl").read_text().splitlines()
    assert json.loads(ended.out)["total"] == len(rows) > 0


@pytest.mark.parametrize("path", RUNNABLE, ids=lambda path: path.stem)
def test_example_keeps_the_default_rate(path: Path) -> None:
    """Examples do not teach a rate that the provider may not like."""
    loaded = load_job(path)

    assert loaded.job is not None, loaded.problems
    assert [str(rate) for rate in loaded.job.limits.rate] == ["5/s"]


def test_demo_heals_every_fault(tmp_path: Path) -> None:
    """The migration with the faults of jobs/ ends as if nothing had happened: 500 changed, exit 0."""
    job, faults = str(ROOT / "jobs" / "ptr-migration.yaml"), str(ROOT / "jobs" / "faults.yaml")
    options = ["--yes", "--rate", "500/s", "--format", "json", "--report", "jsonl=rows.jsonl"]

    ended = bulkip("run", job, "--faults", faults, *options, cwd=tmp_path)

    assert ended.code == 0, ended.err
    assert json.loads(ended.out)["by_status"] == {"changed": 500}
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text().splitlines()]
    assert sum(row["note"] == "confirmed by read-back" for row in rows) > 0


def test_reads_and_writes_leave_the_state_and_data_of_the_server(tmp_path: Path) -> None:
    """A job of all six everyday actions gives the data the server has, and leaves what it wrote."""
    (tmp_path / "job.yaml").write_text(
        "version: 1\n"
        "targets: [{cidr: 198.51.100.0/29, id: 4711, location: NL}]\n"
        "actions:\n"
        "  - action: get_client_ip\n"
        "  - {action: list_free_ip, with: {id: 15, location: NL}}\n"
        "  - action: get_ip\n"
        "  - action: get_ptr\n"
        "  - {action: get_traffic, with: {period_start: 1790000000, period_stop: 1790007200}}\n"
        "  - {action: update_ptr, with: {ptr: '{{ ip.dashed }}.example.net'}}\n"
    )
    addresses = [f"198.51.100.{host}" for host in range(8)]
    seeds = [Seed(ip, 4711, "NL", f"{ip.replace('.', '-')}.example.org") for ip in addresses]
    with EmbeddedSimulator(seeds, SimulatorSettings()) as api:
        text = (tmp_path / "job.yaml").read_text() + f"api: {{url: '{api.url}'}}\n"
        (tmp_path / "job.yaml").write_text(text)

        options = ["--yes", "--rate", "1000/s", "--format", "jsonl"]
        ended = bulkip("run", "job.yaml", *options, cwd=tmp_path, env={"HOSTKEY_TOKEN": "simulated"})

        left = [api.state.ptr_of(ip) for ip in addresses]
        calls = {action: api.state.count(action) for action in ("get_client_ip", "list_free_ip", "get_ip")}
    assert ended.code == 0, ended.err
    rows = [json.loads(line) for line in ended.out.splitlines()]
    assert calls == {"get_client_ip": 1, "list_free_ip": 1, "get_ip": 8}
    assert left == [(f"{ip.replace('.', '-')}.example.net",) for ip in addresses]
    ptrs = [row["data"]["ptr"] for row in rows if row["action"] == "get_ptr"]
    assert ptrs == [f"{ip.replace('.', '-')}.example.org" for ip in addresses]
    assert rows[0]["data"] == {"ip": "127.0.0.1"}
    assert [free["location"] for free in rows[1]["data"]["ips"]] == ["NL"] * len(rows[1]["data"]["ips"])
    assert {row["data"]["network"] for row in rows if row["action"] == "get_ip"} == {"198.51.100.0"}
    traffic = [row for row in rows if row["action"] == "get_traffic" and not row["empty"]]
    assert all(len(row["data"]["traffic"]) == 2 for row in traffic)


def test_set_main_leaves_what_the_job_asks_for(tmp_path: Path) -> None:
    """set_main makes exactly the named addresses the main ones of their servers."""
    (tmp_path / "job.yaml").write_text(
        "version: 1\n"
        "targets: [{ip: 203.0.113.10, id: 4711}, {ip: 203.0.113.40, id: 4712}]\n"
        "actions: [{action: set_main, with: {main: 1, description: 'main of {{ row.id }}'}}]\n"
    )
    seeds = [Seed(f"203.0.113.{host}", 4711 + host // 30, "NL") for host in (9, 10, 39, 40)]
    with EmbeddedSimulator(seeds, SimulatorSettings()) as api:
        text = (tmp_path / "job.yaml").read_text() + f"api: {{url: '{api.url}'}}\n"
        (tmp_path / "job.yaml").write_text(text)

        ended = bulkip("run", "job.yaml", "--yes", cwd=tmp_path, env={"HOSTKEY_TOKEN": "simulated"})

        assert ended.code == 0, ended.err
        assert (api.state.main_of(4711), api.state.main_of(4712)) == ("203.0.113.10", "203.0.113.40")
        assert len(api.state.writes()) == 2


MISTAKES = """\
version: 1
naem: twelve
api: {url: "http://api.example.com/ip.php", token: my-secret}
timezone: Mars/Olympus
targets:
  - 203.0.113.9/28
  - 10.0.0.0/8
  - {csv: rows.csv}
actions:
  - action: update_ptr
    with: {ptr: "{{ row.name }}.example.net", loction: NL}
  - action: update_prt
limits: {rate: fast}
"""
ROWS = "ip,id,name\n203.0.113.300,4711,a\n203.0.113.1,0x10,b\n203.0.113.2,4711\n203.0.113.3,4711,-c\n"


def test_twelve_mistakes_give_twelve_problems(tmp_path: Path) -> None:
    """All mistakes of a job and its CSV are shown at once, each with file:line:column; nothing is sent."""
    (tmp_path / "job.yaml").write_text(MISTAKES)
    (tmp_path / "rows.csv").write_text(ROWS)

    ended = bulkip("run", "job.yaml", "--yes", cwd=tmp_path, env={"HOSTKEY_TOKEN": "x"})

    assert (ended.code, ended.out) == (2, "")
    places = [":".join(line.split(":")[:2]) for line in ended.err.splitlines() if line[0] in "jr"]
    assert sorted(places) == sorted(
        [
            *(f"job.yaml:{line}" for line in (2, 3, 3, 4, 6, 7, 11, 12, 13)),
            *(f"rows.csv:{line}" for line in (2, 3, 4, 5)),
        ]
    )
    assert ended.err.splitlines()[-1] == "13 problems; nothing was sent"
    assert "my-secret" not in ended.err
    assert not (tmp_path / ".bulkip").exists() or not any((tmp_path / ".bulkip").rglob("run.db"))

"""What is found out before the first write, as a user sees it: servers, new names, copied values."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bulkip.simulator import DnsSettings, EmbeddedSimulator, Fault, Seed, Simulator, SimulatorSettings
from tests.program import Ended, bulkip, clean_environment

ENV = {"HOSTKEY_TOKEN": "simulated"}
COUNT = 60
FORWARD = {f"new-{number}.example.net": (f"198.51.100.{number}",) for number in range(2, COUNT)}
UPDATE = "{action: update_ptr, with: {id: lookup}}"


@pytest.fixture
def api() -> Iterator[Simulator]:
    """Serve sixty addresses, each on a server of its own; the first two new names lead nowhere."""
    seeds = [Seed(f"198.51.100.{n}", 1000 + n, "NL", f"old-{n}.example.org") for n in range(COUNT)]
    with EmbeddedSimulator(seeds, SimulatorSettings(dns=DnsSettings(forward=FORWARD))) as running:
        yield running


def write_job(folder: Path, api: Simulator, *, action: str = UPDATE, more: str = "", ptr: str = "") -> None:
    """Write a migration of all addresses."""
    rows = "".join(f"198.51.100.{n},{ptr or f'new-{n}.example.net'}\n" for n in range(COUNT))
    (folder / "rows.csv").write_text("ip,ptr\n" + rows)
    (folder / "job.yaml").write_text(
        f"version: 1\nname: job\napi: {{url: '{api.url}'}}\ntargets: [{{csv: rows.csv}}]\n"
        f"actions: [{action}]\nlimits: {{rate: 300/s, concurrency: 8}}\nretry: {{base: 20ms}}\n{more}"
    )


def resolved_by(api: Simulator, forward: str) -> str:
    """Return the settings that resolve new names in the simulator's DNS."""
    return f'verify: {{resolvers: ["{api.dns}"]}}\nsafety: {{forward: {forward}}}\n'


def rows(ended: Ended) -> list[dict[str, Any]]:
    """Return what a command printed as JSON lines."""
    return [json.loads(line) for line in ended.out.splitlines()]


def ids_sent(api: Simulator) -> dict[str | None, str]:
    """Return the id that was sent with each written address."""
    return {one.ip: one.form["id"] for one in api.log.entries("update_ptr")}


def test_validate_tells_how_many_servers_are_to_be_looked_up(tmp_path: Path, api: Simulator) -> None:
    """Nothing is asked, and the count is told."""
    write_job(tmp_path, api)

    ended = bulkip("validate", "job.yaml", cwd=tmp_path)

    assert "60 items, 60 writes, 60 server ids to look up" in ended.out
    assert api.log.total == 0


def test_saved_plan_is_applied_with_the_servers_that_were_found(tmp_path: Path, api: Simulator) -> None:
    """What the plan shows is what is sent; applying it looks nothing up, and the store keeps its laws."""
    write_job(tmp_path, api)
    planned = rows(bulkip("plan", "job.yaml", "-o", "p.json", "--format", "jsonl", cwd=tmp_path, env=ENV))
    lookups = len(api.log.entries("list"))

    applied = bulkip("apply", "p.json", "--yes", cwd=tmp_path, env=ENV)

    assert applied.code == 0, applied.err
    assert ids_sent(api) == {row["ip"]: row["params"]["id"] for row in planned}
    assert (lookups, len(api.log.entries("list"))) == (1 + COUNT, 1 + COUNT)
    assert bulkip("doctor", "last", cwd=tmp_path).code == 0


def test_resume_asks_only_for_the_servers_that_are_left(tmp_path: Path, api: Simulator) -> None:
    """Killed while servers are looked up, the run goes on and asks for no address twice."""
    write_job(tmp_path, api)
    command = [sys.executable, "-m", "bulkip", "run", "job.yaml", "--yes", "-q", "--rate", "40/s"]
    with subprocess.Popen(command, cwd=tmp_path, env=clean_environment() | ENV) as program:
        deadline = time.monotonic() + 30
        while api.state.count("list") < COUNT // 2 and time.monotonic() < deadline:
            os.sched_yield()
        program.send_signal(signal.SIGKILL)

    ended = bulkip("resume", "last", "--yes", cwd=tmp_path, env=ENV)

    assert ended.code == 0, ended.err
    assert ids_sent(api) == {f"198.51.100.{n}": str(1000 + n) for n in range(COUNT)}
    asked = [one.ip for one in api.log.entries("list") if one.ip]
    assert len(asked) <= COUNT + 8 + 8  # those whose answers were on their way or not committed yet
    assert bulkip("doctor", "last", cwd=tmp_path).code == 0


def test_retry_looks_again_where_no_server_was_found(tmp_path: Path, api: Simulator) -> None:
    """An address that was on no server is asked for again, once its owner has seen to that."""
    write_job(tmp_path, api, more="safety: {max_failed: none}\n")
    api.fault(Fault(action="list", ip="198.51.100.7", json={"result": "OK", "servers": []}, times=1))
    ran = bulkip("run", "job.yaml", "--yes", cwd=tmp_path, env=ENV)

    retried = bulkip("retry", "last", "--yes", cwd=tmp_path, env=ENV)

    assert (ran.code, retried.code) == (3, 0), retried.err
    assert ids_sent(api)["198.51.100.7"] == "1007"


def test_changed_job_keeps_the_servers_that_were_found(tmp_path: Path, api: Simulator) -> None:
    """`resume --rebase` matches by key, and what has the same key is not looked up again."""
    write_job(tmp_path, api, more="safety: {max_failed: none}\n")
    bulkip("run", "job.yaml", cwd=tmp_path, env=ENV)  # nobody agrees to it
    asked = len(api.log.entries("list"))
    with (tmp_path / "job.yaml").open("a") as job:
        job.write("timeouts: {item: 4m}\n")

    ended = bulkip("resume", "last", "--rebase", "--yes", cwd=tmp_path, env=ENV)

    assert ended.code == 0, ended.err
    assert (len(api.log.entries("list")), len(ids_sent(api))) == (asked, COUNT)


def test_rehearsal_finds_servers_too(tmp_path: Path, api: Simulator) -> None:
    """With --simulate every address is on some server, and an index of them is cheaper."""
    write_job(tmp_path, api)

    ended = bulkip("run", "job.yaml", "--simulate", "--yes", "--report", "attempts=a.jsonl", cwd=tmp_path)

    calls = [json.loads(line) for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert ended.code == 0, ended.err
    assert sum(call["purpose"] == "lookup" for call in calls) < COUNT // 4


def test_plan_marks_names_that_do_not_lead_back(tmp_path: Path, api: Simulator) -> None:
    """The text marks them, the rows say where each leads, and stderr counts them."""
    write_job(tmp_path, api, more=resolved_by(api, "warn"))

    text = bulkip("plan", "job.yaml", cwd=tmp_path, env=ENV)
    told = rows(bulkip("plan", "job.yaml", "--format", "jsonl", cwd=tmp_path, env=ENV))

    marked = [line for line in text.out.splitlines() if line.endswith("leads nowhere)")]
    assert (text.code, len(marked)) == (0, 2)
    assert "2 IPs would get a name that does not lead back" in text.err
    assert [row["forward"] for row in told] == ["nowhere", "nowhere", *["here"] * (COUNT - 2)]


def test_names_that_do_not_lead_back_are_counted_before_the_question(tmp_path: Path, api: Simulator) -> None:
    """Whoever is asked knows how many there are; nothing is written without an answer."""
    write_job(tmp_path, api, more=resolved_by(api, "warn"))

    ended = bulkip("run", "job.yaml", cwd=tmp_path, env=ENV)

    assert ended.code == 5
    assert "2 IPs would get a name that does not lead back" in ended.err
    assert api.state.writes() == []


def test_plan_leaves_out_what_does_not_lead_back_where_that_is_required(
    tmp_path: Path, api: Simulator
) -> None:
    """With `require` such a row is left out with its reason, in the plan and where that is applied."""
    write_job(tmp_path, api, more=resolved_by(api, "require"))
    planned = bulkip("plan", "job.yaml", "-o", "p.json", cwd=tmp_path, env=ENV)

    applied = bulkip("apply", "p.json", "--yes", cwd=tmp_path, env=ENV)

    assert (planned.code, applied.code) == (3, 3)
    assert "`new-1.example.net` leads nowhere" in planned.out
    assert len(ids_sent(api)) == COUNT - 2


def test_rehearsed_names_lead_back(tmp_path: Path, api: Simulator) -> None:
    """A rehearsal knows the planned names, so that `require` can be rehearsed anywhere."""
    write_job(tmp_path, api, more="safety: {forward: require}\n")

    ended = bulkip("run", "job.yaml", "--simulate", "--yes", cwd=tmp_path)

    assert ended.code == 0, ended.err


def test_copied_value_is_refused_before_anything_is_sent(tmp_path: Path, api: Simulator) -> None:
    """One value for sixty addresses is no plan; the message says what allows it."""
    write_job(tmp_path, api, ptr="mail.example.net")

    ended = bulkip("run", "job.yaml", "--yes", cwd=tmp_path, env=ENV)

    assert (ended.code, api.log.total) == (2, 0)
    assert "rows.csv:12:1" in ended.err
    assert "allow_same: true" in ended.err

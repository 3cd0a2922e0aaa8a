"""A run that goes on: after Ctrl-C, after kill -9, and once more for what failed."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bulkip.model import JsonValue
from bulkip.simulator import EmbeddedSimulator, Fault, Seed, Simulator, SimulatorSettings
from tests.program import bulkip, clean_environment

COUNT = 500
ENV = {"HOSTKEY_TOKEN": "simulated"}
DENIED: JsonValue = {"code": -1, "message": "access denied"}
MISSING: JsonValue = {"code": -1, "message": "no such address"}


@pytest.fixture
def api() -> Iterator[Simulator]:
    """Serve 500 addresses of one server."""
    seeds = [Seed(address(n), 4711, "NL", f"old-{n}.example.org") for n in range(COUNT)]
    with EmbeddedSimulator(seeds, SimulatorSettings()) as running:
        yield running


def address(number: int) -> str:
    """Return one of the addresses."""
    return f"198.51.{100 + number // 250}.{number % 250}"


def write_job(folder: Path, api: Simulator, count: int = COUNT) -> None:
    """Write a migration of so many addresses."""
    rows = "".join(f"{address(n)},new-{n}.example.net\n" for n in range(count))
    (folder / "rows.csv").write_text("ip,ptr\n" + rows)
    (folder / "job.yaml").write_text(
        f"version: 1\nname: job\napi: {{url: '{api.url}'}}\ntargets: [{{csv: rows.csv}}]\n"
        "actions: [{action: update_ptr, with: {id: 4711}}]\n"
        "limits: {rate: 300/s, concurrency: 8}\nverify: {settle: 50ms}\nretry: {base: 20ms}\n"
    )


def stopped(folder: Path, api: Simulator, how: signal.Signals, *, after: int, action: str) -> int:
    """Start the job and send it a signal once the server saw so many calls of an action."""
    command = [sys.executable, "-m", "bulkip", "run", "job.yaml", "--yes", "-q"]
    with subprocess.Popen(command, cwd=folder, env=clean_environment() | ENV) as program:
        deadline = time.monotonic() + 30
        while api.state.count(action) < after and time.monotonic() < deadline:
            os.sched_yield()
        program.send_signal(how)
    return program.returncode


def rows(folder: Path) -> list[dict[str, Any]]:
    """Return the rows of the last run."""
    return [json.loads(line) for line in bulkip("report", "last", "-f", "jsonl", cwd=folder).out.splitlines()]


def writes_by_address(api: Simulator) -> Counter[str]:
    """Count what the server carried out, by address."""
    return Counter(effect.ip for effect in api.state.writes())


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=lambda how: how.name)
def test_resume_finishes_with_every_address_written_once(
    tmp_path: Path, api: Simulator, how: signal.Signals
) -> None:
    """Stopped half-way, `resume last` ends the 500 rows, and the server wrote every address exactly once."""
    write_job(tmp_path, api)
    stopped(tmp_path, api, how, after=200, action="update_ptr")
    assert {row["status"] for row in rows(tmp_path)} >= {"changed", "not_run"}

    ended = bulkip("resume", "last", cwd=tmp_path, env=ENV)

    assert ended.code == 0, ended.err
    assert {row["status"] for row in rows(tmp_path)} == {"changed"}
    assert writes_by_address(api) == {address(n): 1 for n in range(COUNT)}


def test_plan_cut_short_is_finished_and_asks(tmp_path: Path, api: Simulator) -> None:
    """Killed while it read the values before, a run resumes with those it has, and asks."""
    write_job(tmp_path, api)
    stopped(tmp_path, api, signal.SIGKILL, after=100, action="get_ptr")
    assert api.state.writes() == []

    unasked = bulkip("resume", cwd=tmp_path, env=ENV)
    ended = bulkip("resume", "--yes", cwd=tmp_path, env=ENV)

    assert (unasked.code, ended.code) == (5, 0), ended.err
    assert writes_by_address(api) == {address(n): 1 for n in range(COUNT)}
    assert api.state.count("get_ptr") < COUNT + 20  # what was read and stored is not read again


def test_unknown_write_is_settled_by_reading(tmp_path: Path, api: Simulator) -> None:
    """A write that stayed unknown, because the reading failed too, is read back by a resume and not sent."""
    write_job(tmp_path, api, 5)
    lost = address(2)
    api.fault(Fault(action="update_ptr", ip=lost, reset="after"))
    api.fault(Fault(action="get_ptr", ip=lost, attempts=(2, 3, 4, 5, 6), status=503))
    first = bulkip("run", "job.yaml", "--yes", cwd=tmp_path, env=ENV)
    assert (first.code, rows(tmp_path)[2]["status"]) == (9, "unknown")

    ended = bulkip("resume", cwd=tmp_path, env=ENV)

    assert ended.code == 0, ended.err
    assert (rows(tmp_path)[2]["status"], rows(tmp_path)[2]["note"]) == ("changed", "confirmed by read-back")
    assert writes_by_address(api)[lost] == 1


def test_retry_runs_what_failed_and_nothing_else(tmp_path: Path, api: Simulator) -> None:
    """A retry takes up the failed items, reads their values again, and leaves the others alone."""
    write_job(tmp_path, api, 5)
    api.fault(Fault(action="update_ptr", ip=address(1), attempts=(1,), json=DENIED))
    assert bulkip("run", "job.yaml", "--yes", cwd=tmp_path, env=ENV).code == 3

    ended = bulkip("retry", "--yes", cwd=tmp_path, env=ENV)

    assert ended.code == 0, ended.err
    assert {row["status"] for row in rows(tmp_path)} == {"changed"}
    assert api.state.count("update_ptr") == 6


def test_retry_of_a_class_leaves_the_other_failures(tmp_path: Path, api: Simulator) -> None:
    """`--only` takes up one error class."""
    write_job(tmp_path, api, 3)
    api.fault(Fault(action="update_ptr", ip=address(0), json=DENIED))
    api.fault(
        Fault(action="update_ptr", ip=address(1), attempts=(1,), json={"code": -1, "message": "no such"})
    )
    bulkip("run", "job.yaml", "--yes", cwd=tmp_path, env=ENV)

    ended = bulkip("retry", "--only", "not_found", "--yes", cwd=tmp_path, env=ENV)

    assert ended.code == 3
    assert [row["status"] for row in rows(tmp_path)] == ["failed", "changed", "changed"]
    assert api.state.count("update_ptr", address(0)) == 1


def test_changed_job_is_not_resumed(tmp_path: Path, api: Simulator) -> None:
    """A job file that was changed since the plan is refused, with the way out; nothing is sent."""
    write_job(tmp_path, api)
    stopped(tmp_path, api, signal.SIGINT, after=100, action="update_ptr")
    seen = api.log.total
    (tmp_path / "job.yaml").write_text((tmp_path / "job.yaml").read_text() + "# changed\n")

    ended = bulkip("resume", cwd=tmp_path, env=ENV)

    assert ended.code == 2
    assert "the job was changed since" in ended.err
    assert api.log.total == seen


def test_job_file_is_not_needed(tmp_path: Path, api: Simulator) -> None:
    """A resume needs the run store alone: job and CSV may be gone."""
    write_job(tmp_path, api)
    stopped(tmp_path, api, signal.SIGINT, after=100, action="update_ptr")
    (tmp_path / "job.yaml").unlink()
    (tmp_path / "rows.csv").unlink()

    ended = bulkip("resume", cwd=tmp_path, env=ENV)

    assert ended.code == 0, ended.err
    assert writes_by_address(api) == {address(n): 1 for n in range(COUNT)}


@pytest.mark.parametrize(("effect", "code", "status"), [(True, 0, "changed"), (False, 9, "unknown")])
def test_killed_set_main_is_never_sent_again_by_itself(
    tmp_path: Path,
    api: Simulator,
    effect: bool,  # noqa: FBT001 -- a column
    code: int,
    status: str,
) -> None:
    """A set_main that was under way at a kill is read back; it is unknown unless the server shows it."""
    (tmp_path / "job.yaml").write_text(
        f"version: 1\napi: {{url: '{api.url}'}}\ntargets: [{{ip: {address(1)}, id: 4711}}]\n"
        "actions: [{action: set_main, with: {main: 1}}]\n"
    )
    api.fault(Fault(action="set_main", hang_s=30, effect=effect))
    stopped(tmp_path, api, signal.SIGKILL, after=1, action="set_main")

    ended = bulkip("resume", cwd=tmp_path, env=ENV)

    assert ended.code == code, ended.err
    assert [row["status"] for row in rows(tmp_path)] == [status]
    assert len(api.log.entries("set_main")) == 1


def test_nothing_to_resume_or_retry_is_told(tmp_path: Path, api: Simulator) -> None:
    """A finished run has nothing to resume, one without failures nothing to retry: exit 2, one line."""
    write_job(tmp_path, api, 2)
    bulkip("run", "job.yaml", "--yes", cwd=tmp_path, env=ENV)

    resumed = bulkip("resume", cwd=tmp_path, env=ENV)
    retried = bulkip("retry", "--yes", cwd=tmp_path, env=ENV)

    assert (resumed.code, retried.code) == (2, 2)
    assert "left to do" in resumed.err
    assert "nothing failed" in retried.err


def test_failed_rows_come_back_as_they_were_written(tmp_path: Path, api: Simulator) -> None:
    """`failed-csv` gives back the author's own header, delimiter and cells, and is valid for the next job."""
    (tmp_path / "rows.csv").write_text(
        f'note;IP ;ptr\n"say; what";{address(0)};a.example.net\nümlaut; {address(1)} ;b.example.net\n'
    )
    (tmp_path / "job.yaml").write_text(
        f"version: 1\nname: job\napi: {{url: '{api.url}'}}\n"
        "targets: [{csv: rows.csv, delimiter: ';'}]\n"
        "actions: [{action: update_ptr, with: {id: 4711}}]\nlimits: {rate: 300/s}\n"
    )
    api.fault(Fault(action="update_ptr", ip=address(1), attempts=(1,), json=DENIED))
    bulkip("run", "job.yaml", "--yes", cwd=tmp_path, env=ENV)

    bulkip("report", "last", "-f", "failed-csv=rows.csv", cwd=tmp_path)
    left = (tmp_path / "rows.csv").read_text()
    again = bulkip("run", "job.yaml", "--yes", cwd=tmp_path, env=ENV)

    assert left.splitlines() == [
        "note;IP ;ptr;error_class;error_code;error_message;attempts",
        f"ümlaut; {address(1)} ;b.example.net;permission;-1;access denied;1",
    ]
    assert again.code == 0, again.err
    assert api.state.ptr_of(address(1)) == ("b.example.net",)


def test_rebase_finishes_a_run_with_its_changed_job(tmp_path: Path, api: Simulator) -> None:
    """`--rebase` keeps what has the same key, plans the rest anew, and asks for it again."""
    write_job(tmp_path, api, 40)
    api.fault(Fault(action="update_ptr", ip=address(39), attempts=(1,), hang_s=30))
    stopped(tmp_path, api, signal.SIGKILL, after=40, action="update_ptr")
    text = (tmp_path / "rows.csv").read_text().replace("new-7.", "newer-7.")
    (tmp_path / "rows.csv").write_text(text + f"{address(41)},new-41.example.net\n")
    (tmp_path / "job.yaml").write_text((tmp_path / "job.yaml").read_text() + "# changed\n")
    (before,) = {path.parent.name for path in (tmp_path / ".bulkip").rglob("run.db")}

    unasked = bulkip("resume", "--rebase", cwd=tmp_path, env=ENV)
    ended = bulkip("resume", "--yes", cwd=tmp_path, env=ENV)

    assert (unasked.code, ended.code) == (5, 0), ended.err
    assert {path.parent.name for path in (tmp_path / ".bulkip").rglob("run.db")} == {before}
    assert len(rows(tmp_path)) == 41
    assert api.state.ptr_of(address(7)) == ("newer-7.example.net",)
    assert writes_by_address(api)[address(7)] == 2
    assert writes_by_address(api)[address(3)] == 1


def test_rebase_forgets_no_write_in_doubt(tmp_path: Path, api: Simulator) -> None:
    """A write whose outcome is unknown cannot be dropped by a changed job: it is refused, nothing changes."""
    write_job(tmp_path, api, 5)
    api.fault(Fault(action="update_ptr", ip=address(2), attempts=(1,), hang_s=30, effect=True))
    stopped(tmp_path, api, signal.SIGKILL, after=5, action="update_ptr")
    lines = (tmp_path / "rows.csv").read_text().splitlines(keepends=True)
    (tmp_path / "rows.csv").write_text("".join(line for line in lines if address(2) not in line))

    refused = bulkip("resume", "--rebase", "--yes", cwd=tmp_path, env=ENV)
    settled = bulkip("resume", cwd=tmp_path, env=ENV)

    assert refused.code == 2
    assert "whose outcome is unknown" in refused.err
    assert settled.code == 0, settled.err
    assert writes_by_address(api)[address(2)] == 1


@pytest.mark.parametrize(
    ("how", "effect"),
    [
        pytest.param(signal.SIGINT, True, id="carried-out"),
        pytest.param(signal.SIGINT, False, id="not-carried-out"),
        pytest.param(signal.SIGKILL, True, id="killed"),
    ],
)
def test_refused_write_is_never_sent_again(
    tmp_path: Path, api: Simulator, how: signal.Signals, *, effect: bool
) -> None:
    """A write refused in unknown words, and stopped before its read-back, is read by a resume, not sent."""
    write_job(tmp_path, api, 1)
    text = (tmp_path / "job.yaml").read_text().replace("settle: 50ms", "settle: 3s")
    (tmp_path / "job.yaml").write_text(text)
    api.fault(Fault(action="update_ptr", json={"code": -1, "message": "zone reload"}, effect=effect))
    stopped(tmp_path, api, how, after=1, action="update_ptr")
    assert [row["status"] for row in rows(tmp_path)] == ["unknown"]

    bulkip("resume", cwd=tmp_path, env=ENV)

    assert [row["status"] for row in rows(tmp_path)] == ["changed" if effect else "failed"]
    assert api.state.count("update_ptr") == 1


def test_value_of_somebody_else_is_not_overwritten_by_a_resume(tmp_path: Path, api: Simulator) -> None:
    """A row that is unknown because a third value was seen stays so: a resume reads and does not write."""
    write_job(tmp_path, api, 1)
    api.fault(Fault(action="update_ptr", json={"code": -1, "message": "zone reload"}, effect=False))
    api.fault(Fault(action="get_ptr", attempts=(2, 3), json={"result": "OK", "message": "third.example.org"}))
    assert bulkip("run", "job.yaml", "--yes", cwd=tmp_path, env=ENV).code == 9

    ended = bulkip("resume", cwd=tmp_path, env=ENV)

    assert (ended.code, [row["status"] for row in rows(tmp_path)]) == (9, ["unknown"])
    assert api.state.count("update_ptr") == 1

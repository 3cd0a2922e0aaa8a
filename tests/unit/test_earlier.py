"""What an earlier run left: which run is meant, and which of its addresses."""

from dataclasses import replace
from pathlib import Path

import pytest
from anyio import run

from bulkip.model import Item, Place, Result, Status
from bulkip.run.earlier import left_behind
from bulkip.sources import LEFT_BEHIND, RunSource, SourceError
from bulkip.store import open_writer
from tests.storedruns import HEADER, frozen, item, settle

JOB = Place("job.yaml", 3, 5)


def source(name: str = "last", *statuses: Status) -> RunSource:
    """Return a source that takes what a run of the usual job left."""
    return RunSource(name, statuses or LEFT_BEHIND, HEADER.job_name, JOB)


def run_of(
    folder: Path, name: str, *results: Status | None, job: str = HEADER.job_name, simulated: bool = False
) -> None:
    """Store a run that executed, an item for each status; None leaves an item without a result."""
    run_dir = folder / "runs" / name
    items = [item(number) for number in range(1, len(results) + 1)]
    frozen(run_dir, items, replace(HEADER, id=name, job_name=job, simulated=simulated))

    async def execute() -> None:
        async with open_writer(run_dir) as writer:
            await writer.begin_start(float(name[:2]))
            for one, status in zip(items, results, strict=True):
                if status is not None:
                    await settle(writer, one, Result(status))

    run(execute)


def ips(folder: Path, wanted: RunSource) -> list[str]:
    """Return the addresses that a source gives."""
    return [target.ip for target in left_behind(folder, wanted)]


def test_what_is_not_done_is_taken(tmp_path: Path) -> None:
    """Without a status, what failed, is unknown, in conflict or was not run is taken."""
    run_of(tmp_path, "10-a", Status.CHANGED, Status.FAILED, None, Status.UNKNOWN, Status.SKIPPED)

    assert ips(tmp_path, source()) == ["203.0.0.2", "203.0.0.3", "203.0.0.4"]


def test_stated_statuses_are_taken(tmp_path: Path) -> None:
    """A status can be chosen, also one that is no failure."""
    run_of(tmp_path, "10-a", Status.CHANGED, Status.FAILED, Status.UNCHANGED)

    assert ips(tmp_path, source("last", Status.CHANGED, Status.UNCHANGED)) == ["203.0.0.1", "203.0.0.3"]


def test_parameters_are_the_fields(tmp_path: Path) -> None:
    """The parameters of what was left are the fields of the row, and the place is the job's entry."""
    run_of(tmp_path, "10-a", Status.FAILED)

    (target,) = left_behind(tmp_path, source())

    assert target.fields == {"id": "4711", "ptr": "host-1.example.net"}
    assert target.place == JOB


def test_address_with_several_items_is_taken_once(tmp_path: Path) -> None:
    """Of the items of one address those at the statuses give the fields, the first one first."""
    forms = [{"id": "1"}, {"id": "2", "location": "NL"}, {"id": "3", "ptr": "x.example.net"}]
    items = [
        Item(number, 1, f"key-{number}", str(number), "get_ptr", "1.0.0.1", {"ip": "1.0.0.1", **form}, "a:1")
        for number, form in enumerate(forms, start=1)
    ]
    run_dir = tmp_path / "runs" / "10-a"
    frozen(run_dir, items)

    async def execute() -> None:
        async with open_writer(run_dir) as writer:
            await writer.begin_start(10.0)
            for one, status in zip(items, (Status.OK, Status.FAILED, Status.FAILED), strict=True):
                await settle(writer, one, Result(status))

    run(execute)
    (target,) = left_behind(tmp_path, source())

    assert target.fields == {"id": "2", "location": "NL", "ptr": "x.example.net"}


def test_last_is_the_newest_run_of_this_job(tmp_path: Path) -> None:
    """Runs of other jobs, rehearsals and plans that were never started are passed over."""
    run_of(tmp_path, "10-a", Status.FAILED)
    run_of(tmp_path, "11-b", None, Status.FAILED)
    run_of(tmp_path, "12-c", job="other")
    run_of(tmp_path, "13-d", simulated=True)
    frozen(tmp_path / "runs" / "14-e", [])
    (tmp_path / "runs" / "15-f").mkdir()
    (tmp_path / "runs" / "15-f" / "run.db").write_bytes(b"no store")

    assert ips(tmp_path, source()) == ["203.0.0.1", "203.0.0.2"]
    assert ips(tmp_path, source("last~1")) == ["203.0.0.1"]


def test_run_can_be_named_by_the_beginning_of_its_id(tmp_path: Path) -> None:
    """An id or its beginning names a run, whatever its job was called."""
    run_of(tmp_path, "10-a", Status.FAILED, job="other")

    assert ips(tmp_path, source("10")) == ["203.0.0.1"]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        pytest.param("last~2", "1 executed run of a job named `ptr-migration`", id="too-far-back"),
        pytest.param("20", "no run `20`", id="no-such-run"),
        pytest.param("11", "run `11` was simulated", id="rehearsal"),
        pytest.param("12", "not a run store of bulkip|file is not a database", id="no-store"),
    ],
)
def test_run_that_cannot_be_a_source_is_told(tmp_path: Path, name: str, expected: str) -> None:
    """A run that is not there, was a rehearsal or is damaged gives an error instead of no targets."""
    run_of(tmp_path, "10-a", Status.FAILED)
    run_of(tmp_path, "11-b", Status.FAILED, simulated=True)
    (tmp_path / "runs" / "12-c").mkdir()
    (tmp_path / "runs" / "12-c" / "run.db").write_bytes(b"no store at all" * 99)

    with pytest.raises(SourceError, match=expected):
        ips(tmp_path, source(name))


def test_no_run_at_all_is_told(tmp_path: Path) -> None:
    """The first time a job runs there is nothing that an earlier run could have left."""
    with pytest.raises(SourceError, match="no executed run of a job named `ptr-migration`"):
        ips(tmp_path, source())

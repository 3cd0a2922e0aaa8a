"""How a plan is prepared when some of its targets are known only to the API."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from bulkip.errors import JobError
from bulkip.run.freeips import nobody_to_ask
from bulkip.run.options import RunOptions
from bulkip.run.planning import AskFreeIps, Prepared, now_utc, prepare
from bulkip.settings import load_job
from bulkip.sources import FreeIpsSource, SourceError
from bulkip.store import RunReader

FREE = "  - {free_ips: {id: 15, location: nl}}\n"


def prepared(folder: Path, targets: str, ask: AskFreeIps) -> Prepared:
    """Freeze the plan of a job with these targets."""
    path = folder / "job.yaml"
    path.write_text(f"version: 1\nactions: [{{action: get_ip}}]\ntargets:\n{targets}")
    return prepare(load_job(path), RunOptions(run_dir=folder / "runs"), now_utc(), ask)


def told(folder: Path, targets: str, ask: AskFreeIps) -> list[str]:
    """Return the problems that keep a job from being planned, without the folder's name."""
    with pytest.raises(JobError) as raised:
        prepared(folder, targets, ask)
    assert [*folder.rglob("*.db")] == []
    return [str(problem).removeprefix(f"{folder}/") for problem in raised.value.problems]


def refusing(source: FreeIpsSource) -> Sequence[str]:
    """Refuse like the vendor does."""
    raise SourceError(f"illegal IP subnet; check `id` {source.form['id']}")


def never(source: FreeIpsSource) -> Sequence[str]:
    """Fail the test: nobody was to ask."""
    pytest.fail(f"asked for {source}")


def test_free_addresses_are_frozen_into_the_plan(tmp_path: Path) -> None:
    """What the API names while planning is what the store holds."""
    plan = prepared(tmp_path, FREE, lambda _source: ("203.0.113.9", "203.0.113.4"))

    with RunReader(plan.run_dir) as reader:
        assert [item.ip for item, _names in reader.items_known()] == ["203.0.113.9", "203.0.113.4"]


def test_refused_subnet_is_one_problem_at_its_place(tmp_path: Path) -> None:
    """`illegal IP subnet` is a mistake of the entry that asks for it; no run is left."""
    assert told(tmp_path, FREE, refusing) == [
        "job.yaml:4:16: free_ips: illegal IP subnet; check `id` 15",
    ]


def test_api_is_not_asked_for_a_job_that_is_wrong(tmp_path: Path) -> None:
    """Everything else is checked first, so that a mistake behind the entry sends nothing."""
    assert told(tmp_path, f"{FREE}  - bad\n", never) == ["job.yaml:5:5: `bad` is not an IP address"]


def test_plan_never_leaves_its_targets_open(tmp_path: Path) -> None:
    """Where nobody can be asked, a plan that is to be carried out is refused."""
    (problem,) = told(tmp_path, FREE, nobody_to_ask)

    assert "nobody can be asked for free addresses (location NL, id 15)" in problem

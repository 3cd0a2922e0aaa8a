"""`bulkip schema` prints what editors and readers of reports need, and nothing else."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bulkip.reports.rowschema import plan_schema, row_schema
from tests.program import ROOT, bulkip
from tests.schemacheck import faults


@pytest.mark.parametrize("kind", ["job", "report", "plan"])
def test_schema_stands_on_stdout_alone(tmp_path: Path, kind: str) -> None:
    """The schema is valid JSON of the dialect that it names."""
    ended = bulkip("schema", kind, cwd=tmp_path)

    assert (ended.code, ended.err) == (0, "")
    assert json.loads(ended.out)["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def verdict(*arguments: str) -> int:
    """Return how a checker that others wrote, as editors have one, judges; 0 is good."""
    command = [sys.executable, "-m", "check_jsonschema", *arguments]
    return subprocess.run(command, capture_output=True, timeout=60, check=False).returncode


def test_schema_works_for_the_checkers_of_others(tmp_path: Path) -> None:
    """The schema is a valid one, and a checker that is not ours takes all examples and refuses a mistake."""
    (tmp_path / "job.schema.json").write_text(bulkip("schema", "job", cwd=tmp_path).out)
    (tmp_path / "wrong.yaml").write_text(
        "version: 1\ntargets: [203.0.113.7]\nactions: [{action: get_ip}]\nlimits: {rate: fast}\n"
    )
    examples = [*(ROOT / "jobs").glob("*.yaml"), *(ROOT / "bulkip" / "starters").glob("*.yaml")]
    jobs = [str(path) for path in examples if path.stem != "faults"]
    schema = str(tmp_path / "job.schema.json")

    verdicts = [
        verdict("--check-metaschema", schema),
        verdict("--schemafile", schema, *jobs),
        verdict("--schemafile", schema, str(tmp_path / "wrong.yaml")),
    ]

    assert verdicts == [0, 0, 1]


def test_rows_of_a_run_fit_their_schema(tmp_path: Path) -> None:
    """Every row that a run prints is as `schema report` says."""
    schema = row_schema()
    options = ["--simulate", "--yes", "--rate", "1000/s", "-q", "--format", "jsonl"]

    ended = bulkip("run", str(ROOT / "jobs" / "inventory.yaml"), *options, cwd=tmp_path)

    rows = [json.loads(line) for line in ended.out.splitlines()]
    assert len(rows) > 0
    assert [fault for row in rows for fault in faults(row, schema)] == []


@pytest.mark.parametrize("job", ["ptr-migration.yaml", "inventory.yaml", "set-main.yaml"])
def test_plan_file_fits_its_schema(tmp_path: Path, job: str) -> None:
    """A plan that is kept is as `schema plan` says, whatever is planned."""
    options = ["--simulate", "--rate", "1000/s", "-q", "-o", "plan.json"]

    bulkip("plan", str(ROOT / "jobs" / job), *options, cwd=tmp_path)

    plan = json.loads((tmp_path / "plan.json").read_text())
    assert plan["items"]
    assert faults(plan, plan_schema()) == []


def test_wrong_kind_is_answered_with_the_right_one(tmp_path: Path) -> None:
    """A typing error is a usage error that says which word was meant."""
    ended = bulkip("schema", "jbo", cwd=tmp_path)

    assert (ended.code, ended.out) == (2, "")
    assert "did you mean `job`?" in ended.err

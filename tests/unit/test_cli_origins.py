"""`-vv` says where each value of a run came from."""

from pathlib import Path

import pytest

from bulkip.cli.origins import OPTIONS, origin_lines
from bulkip.cli.run import run
from bulkip.settings import load_job
from bulkip.settings.schema import BLOCKS

JOB = """\
version: 1
vars: {zone: example.net}
targets: [203.0.113.7]
actions: [{action: get_ip}]
limits:
  rate: [60/m, 5/s]
  concurrency:
retry: {attempts: 3}
reports: [csv=a.csv]
api: {token: env:MY_TOKEN}
"""


@pytest.fixture
def job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Write a job, and stand in its folder."""
    monkeypatch.chdir(tmp_path)
    Path("job.yaml").write_text(JOB)
    return "job.yaml"


def lines_of(*arguments: str) -> list[str]:
    """Return what is told for a run of the job with these options."""
    loaded = load_job(arguments[0])
    assert loaded.job is not None
    return [*origin_lines(run.make_context("run", list(arguments)), loaded.job)]


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("limits.rate = 60/m, 5/s (job.yaml:6)", id="file"),
        pytest.param("retry.attempts = 3 (job.yaml:8)", id="file-number"),
        pytest.param("limits.concurrency = 4 (default)", id="null-says-nothing"),
        pytest.param("limits.max_retry_after = 10m (default)", id="default"),
        pytest.param("vars.zone = example.net (job.yaml:2)", id="variable"),
        pytest.param("reports = csv=a.csv (job.yaml:9)", id="reports"),
        pytest.param("api.token = env:MY_TOKEN (job.yaml:10)", id="where-the-secret-is"),
        pytest.param("name = job (default)", id="name"),
        pytest.param("safety.max_changes = none (default)", id="none"),
        pytest.param("--grace = 20s (default)", id="option"),
        pytest.param("--simulate = false (default)", id="switch"),
    ],
)
def test_job_file_and_defaults_are_told(job: str, line: str) -> None:
    """A value of the job file is told with its line, any other as the default."""
    assert line in lines_of(job)


def test_flag_is_told(job: str) -> None:
    """A flag stands above the job file, and is told by its name."""
    lines = lines_of(job, "--rate", "7/s", "--retries", "1", "--timeout", "90", "--grace", "1m")

    told = {"limits.rate = 7/s (--rate)", "retry.attempts = 2 (--retries)"}
    told |= {"timeouts.attempt = 1m30s (--timeout)", "--grace = 1m (--grace)"}
    assert told <= set(lines)


def test_variable_of_the_environment_is_told(job: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A value of the environment is told by its variable."""
    monkeypatch.setenv("BULKIP_RATE", "7/s")
    monkeypatch.setenv("BULKIP_RUN_DIR", "kept")

    lines = lines_of(job)

    assert {"limits.rate = 7/s (BULKIP_RATE)", "--run-dir = kept (BULKIP_RUN_DIR)"} <= set(lines)


def test_every_setting_is_told_once(job: str) -> None:
    """No setting is missing, and none is told twice."""
    names = [line.partition(" = ")[0] for line in lines_of(job)]

    settings = {f"{block}.{key}" for block, model in BLOCKS.items() for key in model.known_keys()}
    assert settings <= set(names)
    assert len(names) == len(set(names))


def test_job_that_changed_since_has_no_lines(job: str) -> None:
    """When the file is no longer what was loaded, its lines are not told."""
    loaded = load_job(job)
    assert loaded.job is not None
    Path(job).write_text("# new first line\n" + JOB)

    lines = [*origin_lines(run.make_context("run", [job]), loaded.job)]

    assert "limits.rate = 60/m, 5/s (job.yaml, which has changed since, or default)" in lines


def test_settings_that_have_options_exist() -> None:
    """The table of options names settings that there are."""
    settings = {f"{block}.{key}" for block, model in BLOCKS.items() for key in model.known_keys()}

    assert OPTIONS.keys() <= settings | {"reports", "vars"}


def test_login_of_the_limiter_is_not_shown(job: str) -> None:
    """A password in the URL of a database is told to nobody."""
    loaded = load_job(job)
    assert loaded.job is not None

    context = run.make_context("run", [job, "--limiter", "postgresql://me:geheim@db/rates"])
    lines = [*origin_lines(context, loaded.job)]

    assert "--limiter = set, not shown (--limiter)" in lines
    assert "geheim" not in "".join(lines)

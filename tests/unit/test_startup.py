"""How long a user waits for the first word: heavy packages stay outside until they are needed."""

import subprocess
import sys
from pathlib import Path

import pytest

from bulkip.reports import FILES, FORMATS
from tests.program import clean_environment

WORDS = ("aiohttp", "asyncio", "anyio", "jinja2", "pydantic", "rich", "sqlite3", "yaml")
"""What a word of help needs none of."""
CALLS = ("aiohttp", "aiolimiter", "asyncio", "dns", "ssl", "urllib.request", "uvloop")
"""What only a call of the API needs."""
REPORTS = ("duckdb", "junitparser", "prometheus_client", "xml.sax", *(
    f"bulkip.reports.{name}" for name in ("htmlpage", "junit", "markdown", "parquet", "prometheus")
))  # fmt: skip
"""What only some reports need."""
SOME = ("aiohttp.web", "apprise", "bulkip.simulator", "pygments", "rich", "structlog")
"""What only some runs need: a rehearsal, messages, a terminal that is drawn on, logs in JSON."""
JOB = """
version: 1
name: small
api: {url: "http://127.0.0.1:9/ip.php"}
breaker: {after: 1, give_up: 100ms}
targets: [203.0.113.7]
actions: [{action: get_ip}]
"""
PROBE = """
import sys
from bulkip.cli import exit_code_of
code = exit_code_of({arguments!r})
print("loaded:", *sorted(set({heavy!r}) & set(sys.modules)), file=sys.stderr)
sys.exit(code)
"""


def loaded(folder: Path, arguments: list[str], heavy: tuple[str, ...]) -> tuple[int, list[str]]:
    """Return the exit code of a command, and which of these modules it loaded."""
    probe = PROBE.format(arguments=arguments, heavy=heavy)
    (folder / "job.yaml").write_text(JOB)
    environment = clean_environment() | {"HOSTKEY_TOKEN": "not-a-token", "XDG_STATE_HOME": str(folder)}
    done = subprocess.run(
        [sys.executable, "-c", probe],
        capture_output=True, text=True, timeout=60, check=False, cwd=folder, env=environment,
    )  # fmt: skip
    return done.returncode, done.stderr.splitlines()[-1].split()[1:]


@pytest.mark.parametrize(
    ("arguments", "code", "heavy"),
    [
        pytest.param(["--help"], 0, WORDS, id="help"),
        pytest.param(["--version"], 0, WORDS, id="version"),
        pytest.param(["validate", "job.yaml"], 0, (*CALLS, *REPORTS, *SOME), id="validate"),
        pytest.param(["targets", "job.yaml"], 0, (*CALLS, *REPORTS, *SOME), id="targets"),
        pytest.param(["runs"], 0, (*CALLS, *REPORTS, *SOME, "pydantic", "jinja2"), id="runs"),
        pytest.param(["run", "job.yaml"], 6, ("dns", *REPORTS, *SOME), id="run"),
    ],
)
def test_command_loads_nothing_that_it_does_not_use(
    tmp_path: Path, arguments: list[str], code: int, heavy: tuple[str, ...]
) -> None:
    """Commands, reports, and what only some runs have are imported when they are asked for."""
    assert loaded(tmp_path, arguments, heavy) == (code, [])


def test_call_is_what_loads_the_way_to_the_server(tmp_path: Path) -> None:
    """The packages of a call are there in a run, so that a list of what is missing means something."""
    assert {"aiohttp", "aiolimiter", "uvloop"} <= {*loaded(tmp_path, ["run", "job.yaml"], CALLS)[1]}


def test_reports_are_doors_to_other_modules() -> None:
    """No renderer is imported because another one, or none, was wanted."""
    assert {lines.__module__ for lines in (*FORMATS.values(), *FILES.values())} == {"bulkip.reports"}

"""How long a user waits for a word of help: heavy packages stay outside until they are needed."""

import subprocess
import sys

import pytest

HEAVY = ("aiohttp", "asyncio", "anyio", "jinja2", "pydantic", "rich", "sqlite3", "yaml")
PROBE = """
import sys
from bulkip.cli import exit_code_of
code = exit_code_of({arguments!r})
print("loaded:", *sorted(set({heavy!r}) & set(sys.modules)), file=sys.stderr)
sys.exit(code)
"""


@pytest.mark.parametrize(
    "arguments", [pytest.param(["--help"], id="help"), pytest.param(["--version"], id="version")]
)
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    """`bulkip --help` answers at once, because commands are imported when they are asked for."""
    probe = PROBE.format(arguments=arguments, heavy=HEAVY)

    done = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, timeout=30, check=False
    )

    assert (done.returncode, done.stderr.split()) == (0, ["loaded:"])

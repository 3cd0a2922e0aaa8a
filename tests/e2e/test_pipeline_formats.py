"""What a pipeline reads: annotations on stdout, secrets masked where they are hidden, mistakes as data."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from bulkip.model import JsonValue
from bulkip.simulator import Fault
from tests.migration import TOKEN, Migration, address, migration
from tests.program import Ended, bulkip


@pytest.fixture
def move(tmp_path: Path) -> Iterator[Migration]:
    """Begin with four addresses, of which one is refused."""
    with migration(tmp_path, 4) as told:
        refusal: JsonValue = {"code": -1, "message": "::error::permission denied ##[error]x"}
        told.api.fault(Fault(action="update_ptr", ip=address(2), json=refusal))
        yield told


def run(move: Migration, **env: str) -> Ended:
    """Run the migration with annotations on stdout."""
    options = ["--yes", "--max-failed", "100%", "--format", "github"]
    return bulkip("run", "job.yaml", *options, cwd=move.folder, env=TOKEN | env)


def test_annotation_stands_on_the_line_of_the_row(move: Migration) -> None:
    """The row of the CSV is marked, and no text of the server is a command anywhere."""
    ended = run(move)

    error, notice = ended.out.splitlines()
    assert error.startswith("::error file=rows.csv,line=4,title=bulkip%3A failed%2C permission")
    assert notice.startswith("::notice ")
    assert not [line for line in ended.err.splitlines() if line.strip().startswith("::") or "##[" in line]


def test_secret_is_masked_on_github_alone(move: Migration) -> None:
    """Where GitHub hides it, the token is named first; elsewhere it stands nowhere."""
    there, elsewhere = run(move, GITHUB_ACTIONS="true"), run(move)

    assert there.out.splitlines()[0] == f"::add-mask::{TOKEN['HOSTKEY_TOKEN']}"
    assert "add-mask" not in elsewhere.out


def test_mistakes_are_data(move: Migration) -> None:
    """Many jobs are validated at once; each mistake has its file, line and column."""
    (move.folder / "bad.yaml").write_text("version: 1\ntargets: [1.2.3]\nactions: [{action: get_ptr}]\n")

    ended = move.do("validate", "job.yaml", "bad.yaml", "--format", "json")

    told = json.loads(ended.out)
    assert (ended.code, told["valid"], [one["valid"] for one in told["jobs"]]) == (2, False, [True, False])
    (problem,) = told["jobs"][1]["problems"]
    assert (problem["file"], problem["line"], problem["column"]) == ("bad.yaml", 2, 11)


def test_mistakes_are_marked_on_their_lines(move: Migration) -> None:
    """A reviewer sees them in the files of the pull request."""
    (move.folder / "rows.csv").write_text("ip,ptr\n198.51.0.0,bad name\n")

    ended = move.do("validate", "job.yaml", "--format", "github")

    assert ended.code == 2
    assert ended.out.startswith("::error file=rows.csv,line=2,col=")

"""A new user gets from `bulkip init` to a rehearsed job of his own with what the screen tells him."""

import json
import shlex
from pathlib import Path

import pytest

from bulkip.cli.init import init
from bulkip.errors import UsageError
from bulkip.reports.rowschema import row_schema
from bulkip.settings.jsonschema import job_schema
from tests.program import bulkip
from tests.schemacheck import faults

KINDS = ("ptr", "traffic", "inventory")


def initialise(kind: str, folder: Path) -> None:
    """Run `bulkip init` for a folder, within this process."""
    init.main([kind, "--dir", str(folder)], standalone_mode=False)


def told_commands(screen: str) -> list[list[str]]:
    """Return the commands that a screen shows, as a shell would read them."""
    return [shlex.split(line)[1:] for line in screen.splitlines() if line.startswith("    bulkip ")]


@pytest.mark.parametrize("kind", KINDS)
def test_told_commands_can_be_pasted(tmp_path: Path, kind: str) -> None:
    """Check and rehearsal work as printed, and the third command is the real run."""
    screen = bulkip("init", kind, "--dir", "my jobs", cwd=tmp_path).out

    check, rehearse, real = told_commands(screen)

    assert (check[0], rehearse[0], real) == ("validate", "run", ["run", f"my jobs/{kind}.yaml"])
    assert bulkip(*check, cwd=tmp_path).code == 0
    assert bulkip(*rehearse, cwd=tmp_path).code == 0


def test_own_addresses_are_rehearsed(tmp_path: Path) -> None:
    """The user's own CSV, in place of the invented one, is migrated in the rehearsal, name by name."""
    screen = bulkip("init", "ptr", cwd=tmp_path).out
    (tmp_path / "ptr.csv").write_text("ip,id,location,name\n192.0.2.7,99,DE,shop\n192.0.2.8,99,DE,\n")

    _, rehearse, _ = told_commands(screen)
    ended = bulkip(*rehearse, "--format", "jsonl", cwd=tmp_path)

    rows = [json.loads(line) for line in ended.out.splitlines()]
    assert [fault for row in rows for fault in faults(row, row_schema())] == []
    assert [(row["ip"], row["after"]) for row in rows] == [
        ("192.0.2.7", "shop.example.net"),
        ("192.0.2.8", "192-0-2-8.example.net"),
    ]


@pytest.mark.parametrize("taken", ["ptr.yaml", "ptr.csv"])
def test_nothing_is_overwritten(tmp_path: Path, taken: str) -> None:
    """A file that is there already is left alone, named with the way out, and nothing else is written."""
    (tmp_path / taken).write_text("mine")

    with pytest.raises(UsageError, match=rf"{taken}: exists already and nothing was written.*--dir"):
        initialise("ptr", tmp_path)

    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {taken: "mine"}


def test_dangling_link_is_not_followed(tmp_path: Path) -> None:
    """A link that leads nowhere counts as a file that is there."""
    (tmp_path / "ptr.csv").symlink_to(tmp_path / "elsewhere")

    with pytest.raises(UsageError, match=r"ptr\.csv: exists already"):
        initialise("ptr", tmp_path)

    assert not (tmp_path / "elsewhere").exists()


def test_folder_that_is_a_file_is_a_usage_error(tmp_path: Path) -> None:
    """A folder that cannot be made is told with its name and the way out."""
    (tmp_path / "file").write_text("")

    with pytest.raises(UsageError, match=r"file/ptr\.yaml: cannot be written: .*--dir"):
        initialise("ptr", tmp_path / "file")


@pytest.mark.parametrize("kind", KINDS)
def test_editor_finds_the_schema(tmp_path: Path, kind: str) -> None:
    """The first line of the job names a schema that lies beside it and is the program's own."""
    initialise(kind, tmp_path)

    first = (tmp_path / f"{kind}.yaml").read_text().splitlines()[0]
    named = tmp_path / first.partition("$schema=")[2]
    assert first.startswith("# yaml-language-server: $schema=")
    assert json.loads(named.read_text()) == job_schema()


def test_second_job_shares_the_schema(tmp_path: Path) -> None:
    """Another kind in the same folder finds the schema there and leaves it as it is."""
    (tmp_path / "bulkip-job.schema.json").write_text("{}")

    initialise("traffic", tmp_path)

    assert (tmp_path / "bulkip-job.schema.json").read_text() == "{}"

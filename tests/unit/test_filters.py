"""Filters on the command line: how their texts are read, and how mistakes in them are told."""

from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from bulkip.cli.filters import filter_options, filters_of
from bulkip.errors import UsageError
from bulkip.selection import Filters
from bulkip.shards import Shard

ASKED = ("10.0.0.1", "10.0.0.2", "10.0.1.1", "10.9.9.9")


pytestmark = pytest.mark.usefixtures("empty_folder")


def given(*arguments: str, env: dict[str, str] | None = None) -> Filters:
    """Return the filters of a command line; raises what is wrong with it."""
    found: list[Filters] = []

    @click.command()
    @filter_options
    def command(**values: Any) -> None:
        found.append(filters_of(values))

    runner = CliRunner()
    result = runner.invoke(command, arguments, env=env, standalone_mode=False)
    if result.exception is not None:
        raise result.exception
    return found[0]


def limited(*arguments: str, env: dict[str, str] | None = None) -> list[str]:
    """Return which of a few addresses a command line admits."""
    selection = given(*arguments, env=env).selection
    return [ip for ip in ASKED if selection.admits(ip)]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param([], [*ASKED], id="nothing"),
        pytest.param(["--limit", "10.0.0.1"], ["10.0.0.1"], id="address"),
        pytest.param(["--limit", "10.0.0.1, 10.9.9.9,"], ["10.0.0.1", "10.9.9.9"], id="list"),
        pytest.param(["--limit", "10.0.0.1", "--limit", "10.9.9.9"], ["10.0.0.1", "10.9.9.9"], id="again"),
        pytest.param(["--limit", "10.0.0.0/23,!10.0.0.2"], ["10.0.0.1", "10.0.1.1"], id="but-not"),
        pytest.param(["--limit", "!10.0.0.2"], ["10.0.0.1", "10.0.1.1", "10.9.9.9"], id="all-but"),
        pytest.param(["--limit", "10.0.0.2-10.0.1.1"], ["10.0.0.2", "10.0.1.1"], id="range"),
    ],
)
def test_limit_selects(arguments: list[str], expected: list[str]) -> None:
    """Repeated and comma-separated expressions select together."""
    assert limited(*arguments) == expected


def test_limit_reads_a_file() -> None:
    """A file holds an expression a line, with comments, and stands beside others."""
    Path("some.txt").write_text("# mail\n10.0.0.0/31 # both\n\n!10.0.0.1\n10.0.1.1\n")

    assert limited("--limit", "@some.txt,10.9.9.9") == ["10.0.1.1", "10.9.9.9"]


def test_twin_in_the_environment_limits() -> None:
    """BULKIP_LIMIT does what --limit does."""
    assert limited(env={"BULKIP_LIMIT": "10.0.0.1 10.9.9.9"}) == ["10.0.0.1", "10.9.9.9"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param(["--limit", ""], "--limit names no address; leave it out", id="empty-limit"),
        pytest.param(["--limit", " , "], "--limit names no address; leave it out", id="only-commas"),
        pytest.param(["--limit", "@empty.txt"], "--limit names no address; leave it out", id="empty-file"),
        pytest.param(["--limit", "x"], "--limit `x`: `x` is not an IP address", id="no-address"),
        pytest.param(["--limit", "10.0.0.9/28"], "did you mean `10.0.0.0/28`?", id="host-bits"),
        pytest.param(["--limit", "@gone.txt"], "--limit: file `gone.txt` does not exist", id="missing-file"),
        pytest.param(["--limit", "@."], "is a folder, not a file", id="folder"),
        pytest.param(["--limit", "@bad.txt"], "--limit: bad.txt:2:1: `bad` is not an IP", id="bad-line"),
        pytest.param(["--limit", "@latin.txt"], "--limit: latin.txt:1:1: byte 0xe9 is not", id="bad-bytes"),
        pytest.param(["--limit", "@mac.txt"], "--limit: mac.txt:1:8: a carriage return", id="old-mac"),
        pytest.param(["--tags", " ,"], "--tags names no tag; leave it out", id="empty-tags"),
    ],
)
def test_wrong_filter_is_a_usage_error(arguments: list[str], expected: str) -> None:
    """A filter that names nothing never means everything, and a wrong one says where it is wrong."""
    Path("empty.txt").write_text("# nothing\n")
    Path("bad.txt").write_text("10.0.0.1\nbad\n")
    Path("latin.txt").write_bytes(b"\xe9\n")
    Path("mac.txt").write_bytes(b"1.0.0.1\r1.0.0.2\r")

    with pytest.raises(UsageError) as raised:
        given(*arguments)

    assert expected in str(raised.value)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        pytest.param(["--var", "zone"], "`zone` sets no variable; write it like", id="no-value"),
        pytest.param(["--var", "a-b=1"], "`a-b` cannot be a variable's name", id="name"),
        pytest.param(["--var", "=1"], "`` cannot be a variable's name", id="no-name"),
        pytest.param(["--var", "a=\u202e"], "variable `a`: U+202E RIGHT-TO-LEFT", id="bidi"),
        pytest.param(["--var", "a=" + "x" * 5000], "is longer than 4096 characters", id="long"),
        pytest.param(["--sample", "0"], "0 is not in the range", id="empty-sample"),
    ],
)
def test_wrong_value_is_told(arguments: list[str], expected: str) -> None:
    """A value that cannot be meant is told with the way out."""
    with pytest.raises(click.UsageError) as raised:
        given(*arguments)

    assert expected in str(raised.value)


def test_tags_and_variables_add_up() -> None:
    """Both can be repeated; a value may hold everything behind the first `=`."""
    filters = given("--tags", "a, b", "--tags", "c", "--var", "x=1=2", "--var", "y=", "--sample", "7")

    assert filters.tags == ("a", "b", "c")
    assert filters.variables == {"x": "1=2", "y": ""}
    assert filters.selection.sample == 7


def test_variables_in_the_environment_stand_one_a_line() -> None:
    """BULKIP_VAR holds an assignment a line, so that a value may have spaces."""
    assert given(env={"BULKIP_VAR": "x=a b\n\ny=c\n"}).variables == {"x": "a b", "y": "c"}


def test_shard_may_be_set_in_the_environment() -> None:
    """A matrix of CI runners says by a variable which part of the job is whose."""
    assert given(env={"BULKIP_SHARD": "2/3"}).shard == Shard(2, 3)


def test_wrong_shard_names_where_it_was_set() -> None:
    """A mistake in the environment is told with the name of the variable."""
    with pytest.raises(click.BadParameter) as told:
        given(env={"BULKIP_SHARD": "4/3"})

    assert "BULKIP_SHARD" in told.value.format_message()
    assert "the shards of 3 are 1/3 to 3/3" in told.value.format_message()

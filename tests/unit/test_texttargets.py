"""Text lists: what a line means, and each way in which it can be wrong."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkip.linefile import MAX_LINE
from bulkip.model import Place, Problem, Target
from bulkip.plaintext import Broken
from bulkip.sources import AddressSource
from bulkip.tally import Idle
from bulkip.texttargets import text_targets

Found = Target | AddressSource | Problem | Idle


def read(content: bytes) -> list[Found]:
    """Return everything that a text list with this content gives; what ends it comes last."""
    found: list[Found] = []
    try:
        found.extend(text_targets(io.BytesIO(content), "a.txt", allow_ipv6=False))
    except Broken as broken:
        found.append(broken.problem)
    return found


def told(content: bytes) -> list[str]:
    """Return what is wrong with a text list, as it is shown."""
    return [str(found) for found in read(content) if isinstance(found, Problem)]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param(b"1.0.0.1", Target("1.0.0.1", {}, Place("a.txt", 1)), id="address"),
        pytest.param(b"  1.0.0.1\t", Target("1.0.0.1", {}, Place("a.txt", 1)), id="space-around"),
        pytest.param(b"\xef\xbb\xbf1.0.0.1", Target("1.0.0.1", {}, Place("a.txt", 1)), id="byte-order-mark"),
        pytest.param(b"1.0.0.1\r\n", Target("1.0.0.1", {}, Place("a.txt", 1)), id="crlf"),
        pytest.param(b"1.0.0.1 # mail", Target("1.0.0.1", {}, Place("a.txt", 1)), id="trailing-comment"),
        pytest.param(b"1.0.0.1#mail", Target("1.0.0.1", {}, Place("a.txt", 1)), id="touching-comment"),
        pytest.param(b"1.0.0.0/30", AddressSource("1.0.0.0/30", Place("a.txt", 1)), id="network"),
        pytest.param(b" 1.0.0.1-1.0.0.2", AddressSource("1.0.0.1-1.0.0.2", Place("a.txt", 1, 2)), id="range"),
        pytest.param(b"!1.0.0.1", AddressSource("!1.0.0.1", Place("a.txt", 1)), id="exclusion"),
        pytest.param(b"bad", AddressSource("bad", Place("a.txt", 1)), id="wrong-address-is-told-later"),
        pytest.param(b"# all of it", Idle.COMMENT, id="comment"),
        pytest.param(b"  #", Idle.COMMENT, id="empty-comment"),
        pytest.param(b"\n", Idle.BLANK, id="blank"),
        pytest.param(b" \t \n", Idle.BLANK, id="white-space"),
    ],
)  # fmt: skip
def test_line_is_one_thing(line: bytes, expected: Found) -> None:
    """A line is an address, an expression, a comment or blank."""
    assert read(line) == [expected]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        pytest.param(b"1.0.0.1,a.example", "a.txt:2:1: `1.0.0.1,a.example` is more than one", id="csv"),
        pytest.param(b" 1.0.0.1 1.0.0.2", "a.txt:2:2: `1.0.0.1 1.0.0.2` is more than one", id="two"),
        pytest.param(b"1.0.0.1 # caf\xe9", "a.txt:2:14: byte 0xe9 is not UTF-8", id="latin-1"),
        pytest.param(b"1.0.0.1\x00", "a.txt:2:8: U+0000 control character", id="nul"),
        pytest.param("1.0.0.1 # \u202e".encode(), "a.txt:2:11: U+202E RIGHT-TO-LEFT", id="bidi"),
        pytest.param(b"1" * (MAX_LINE + 1), "a.txt:2:1: a line of more than 1 MiB", id="huge"),
        pytest.param(b"1" * (5 * MAX_LINE), "a.txt:2:1: a line of more than 1 MiB", id="enormous"),
    ],
)
def test_wrong_line_spoils_only_itself(line: bytes, expected: str) -> None:
    """A line that is wrong is told with its place, and those around it are still targets."""
    found = read(b"1.0.0.8\n" + line + b"\n1.0.0.9\n")

    assert [one.ip for one in found if isinstance(one, Target)] == ["1.0.0.8", "1.0.0.9"]
    assert len(found) == 3
    assert expected in str(found[1])


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param("1.0.0.1\n1.0.0.2\n".encode("utf-16"), "a.txt:1:1: byte 0xff is not UTF-8", id="utf-16"),
        pytest.param(b"1.0.0.1\r1.0.0.2\r", "a.txt:1:8: a carriage return without a line feed", id="old-mac"),
    ],
)
def test_file_that_is_no_text_in_lines_ends_with_one_problem(content: bytes, expected: str) -> None:
    """Where the whole file is in another form, it is told once."""
    problems = told(content)

    assert len(problems) == 1
    assert expected in problems[0]


def test_file_without_a_last_line_end_is_whole() -> None:
    """The last line needs no line end, and an empty file has no line."""
    assert len(read(b"1.0.0.1\n1.0.0.2")) == 2
    assert read(b"") == []


@given(st.binary(max_size=60))
def test_any_bytes_give_one_thing_a_line(content: bytes) -> None:
    """No content makes the reader fail in another way than by problems."""
    assert len(read(content)) <= content.count(b"\n") + 1

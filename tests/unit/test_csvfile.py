"""CSV files of targets: what a row means, and each way in which a file can be wrong."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bulkip.model import Place, Problem, Target
from bulkip.policy import Safety
from bulkip.sources import CsvSource
from bulkip.targets import TargetReader

VISIBLE = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]))


pytestmark = pytest.mark.usefixtures("empty_folder")


def read(content: bytes, delimiter: str = ",") -> list[Target | Problem]:
    """Return everything that a CSV file with this content gives."""
    Path("a.csv").write_bytes(content)
    source = CsvSource(Path("a.csv"), Place("job.yaml", 3, 5), delimiter)
    return list(TargetReader([source], safety=Safety()))


def told(content: bytes) -> list[str]:
    """Return what is wrong with a CSV file, as it is shown."""
    return [str(found) for found in read(content) if isinstance(found, Problem)]


@pytest.mark.parametrize(
    ("content", "delimiter"),
    [
        pytest.param(b"ip,ptr\n1.0.0.1,a.example\n", ",", id="plain"),
        pytest.param(b"\xef\xbb\xbfip,ptr\n1.0.0.1,a.example\n", ",", id="byte-order-mark"),
        pytest.param(b"ip,ptr\r\n1.0.0.1,a.example\r\n", ",", id="crlf"),
        pytest.param(b"ip,ptr\n1.0.0.1,a.example", ",", id="no-end-of-line"),
        pytest.param(b"ptr;ip\na.example;1.0.0.1\n", ";", id="semicolon"),
        pytest.param(b"ptr\tip\na.example\t1.0.0.1\n", "\t", id="tab"),
        pytest.param(b" IP , ptr \n 1.0.0.1 ,a.example\n", ",", id="space-and-case-of-header"),
        pytest.param(b'"ip","ptr"\n"1.0.0.1","a.example"\n', ",", id="quoted"),
        pytest.param(b"\n\nip,ptr\n\n1.0.0.1,a.example\n,\n", ",", id="blank-rows"),
    ],
)
def test_row_is_a_target_with_its_fields(content: bytes, delimiter: str) -> None:
    """A row gives its address, and its other columns as fields."""
    (target,) = read(content, delimiter)

    assert isinstance(target, Target)
    assert (target.ip, target.fields) == ("1.0.0.1", {"ptr": "a.example"})


def test_fields_keep_what_was_written() -> None:
    """Fields are text as it stands in the file: zeros, spaces, quotes, line ends inside quotes."""
    (target,) = read(b'ip,a,b,c\r\n1.0.0.1,010, x ,"say ""x""\r\ny"\r\n')

    assert isinstance(target, Target)
    assert target.fields == {"a": "010", "b": " x ", "c": 'say "x"\ny'}


def test_row_is_placed_at_the_line_where_it_begins() -> None:
    """Rows of several lines do not shift the lines of those below."""
    targets = read(b'ip,note\n1.0.0.1,"a\nb\nc"\n\n1.0.0.2,x\n')

    assert [target.place for target in targets] == [Place("a.csv", 2), Place("a.csv", 6)]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(b"", "a.csv:1:1: the file is empty", id="empty"),
        pytest.param(b"\n \n", "a.csv:1:1: the file is empty", id="blank-only"),
        pytest.param(b"\xef\xbb\xbf", "a.csv:1:1: the file is empty", id="byte-order-mark-only"),
        pytest.param(b"1.0.0.1,x\n", "a.csv:1:1: the first row must be a header", id="no-header"),
        pytest.param(b"address,x\n", "a header with a column `ip`; it has `address`, `x`", id="no-ip-column"),
        pytest.param(b"ip;x\n1.0.0.1;y\n", 'did you mean `delimiter: ";"`?', id="other-delimiter"),
        pytest.param(b"ip,a,a\n", "a.csv:1:6: column `a` stands twice", id="header-twice"),
        pytest.param(b"ip,IP\n", "a.csv:1:4: column `ip` stands twice", id="ip-twice"),
        pytest.param(b"ip,,a\n", "a.csv:1:4: column 2 of the header has no name", id="nameless-column"),
        pytest.param(b"ip,a\x00\n", "a.csv:1:5: U+0000 control character", id="nul-in-header"),
        pytest.param(
            b'ip,"a\n1.0.0.1,x\n', "a.csv:1:4: the quote that opens here is never closed", id="header"
        ),
        pytest.param(b"ip\n1.0.0.1\n\xe9\n1.0.0.2\n", "a.csv:3:1: byte 0xe9 is not UTF-8", id="latin-1"),
        pytest.param("ip\n1.0.0.1\n".encode("utf-16"), "a.csv:1:1: byte 0xff is not UTF-8", id="utf-16"),
        pytest.param(b"ip\r1.0.0.1\r", "a.csv:1:3: a carriage return without a line feed", id="old-mac"),
        pytest.param(
            b'ip,a\n1.0.0.1,"x\n1.0.0.2,y\n',
            "a.csv:2:9: the quote that opens here is never closed",
            id="open",
        ),
        pytest.param(
            b'ip,a,b\n1.0.0.1,x,"y\n1.0.0.2,"x",y\n',
            "a.csv:2:11: the quote that opens here is not",
            id="shifted",
        ),
        pytest.param(
            b'ip,a\n1.0.0.1,"x\n' + b"1.0.0.2,y\n" * 20_000,
            "a.csv:2:9: the quote that opens here",
            id="open-long",
        ),
        pytest.param(b"ip\n" + b"x" * (5 * 2**20), "a.csv:2:1: a row of more than 4 MiB", id="endless-line"),
    ],
)
def test_broken_structure_ends_the_file_with_one_problem(content: bytes, expected: str) -> None:
    """Where the rows of a file cannot be told apart any more, the file ends with its last problem."""
    problems = told(content)

    assert len(problems) == 1
    assert expected in problems[0]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        pytest.param(b"1.0.0.1", "a.csv:2:1: the row has 1 cell, the header has 2; add", id="short-row"),
        pytest.param(b"1.0.0.1,x,y", "a.csv:2:1: the row has 3 cells, the header has 2; put", id="long-row"),
        pytest.param(b"x,010.0.0.1", "a.csv:2:3: address `010.0.0.1` has leading zeros", id="leading-zeros"),
        pytest.param(b'"x, ""y""",1.2.3', "a.csv:2:12: `1.2.3` is not an IP address", id="after-quotes"),
        pytest.param(b"x,", "a.csv:2:3: the address is empty", id="no-address"),
        pytest.param(b"x,1.0.0.0/30", "a.csv:2:3: `1.0.0.0/30` is a network", id="network"),
        pytest.param(b"x,2001:db8::1", "a.csv:2:3: address `2001:db8::1` is IPv6", id="ipv6"),
        pytest.param(b"a,IP", "a.csv:2:3: the header stands here again", id="header-again"),
        pytest.param(b"x\x00y,1.0.0.1", "a.csv:2:2: U+0000 control character", id="nul"),
        pytest.param("x\u202e,1.0.0.1".encode(), "a.csv:2:2: U+202E RIGHT-TO-LEFT OVERRIDE", id="bidi"),
        pytest.param(b'"x"y,1.0.0.1', "a.csv:2:1: text follows the closing quote", id="text-after-quote"),
        pytest.param(b"x," + b"1" * 131_073, "a.csv:2:3: a field is larger than 128 KiB", id="large-field"),
    ],
)
def test_wrong_row_is_told_and_the_next_one_is_read(row: bytes, expected: str) -> None:
    """A row that is wrong is told with its place, and the rows below it are still targets."""
    found = read(b"a,ip\n" + row + b"\nx,1.0.0.9\n")

    assert expected in str(found[0])
    assert [target.ip for target in found if isinstance(target, Target)] == ["1.0.0.9"]


@given(st.binary(max_size=80))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_any_bytes_give_targets_or_problems(content: bytes) -> None:
    """No content makes the reader fail in another way than by problems."""
    found = read(b"ip,a\n" + content)

    assert all(isinstance(entry, Target | Problem) for entry in found)


@given(st.lists(st.tuples(VISIBLE, VISIBLE), max_size=4))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_quoted_cells_come_back_as_written(rows: list[tuple[str, str]]) -> None:
    """Whatever text stands in quotes is the field's value."""
    quoted = [[f'"{cell.replace(chr(34), chr(34) * 2)}"' for cell in row] for row in rows]
    lines = ["ip,a,b", *(",".join(["1.0.0.1", *row]) for row in quoted)]

    found = read("\n".join(lines).encode())

    assert [tuple(target.fields.values()) for target in found if isinstance(target, Target)] == rows

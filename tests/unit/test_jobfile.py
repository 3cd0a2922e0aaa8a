"""The strict YAML tree: what stays text, what is refused, and where."""

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bulkip.errors import JobError
from bulkip.jobfile import Node, Reading, read_tree, scan_bytes, typed
from bulkip.model import Place

PIECES = [
    *"ab1:?-{}[],#'\"|>!&*%@`~<= \\",
    "\n",
    "\n  ",
    "\n    ",
    "- ",
    ": ",
    "---",
    "...",
    "é",
    "\r\n",
    "\t",
]
PIECES += ["null", "true", "1.0", "|-\n", " #c", "\\x41", "<<: ", "? ", "\\ud800", "\u202e", "!x "]


def root_of(text: str) -> Node:
    """Return the value of a text in which nothing is wrong."""
    reading = scan_bytes(text.encode(), "job.yaml")
    assert reading.problems == ()
    assert reading.tree is not None
    return reading.tree.root


def problems_of(content: bytes) -> list[str]:
    """Return what is wrong with a text, as it is shown."""
    return [str(problem) for problem in scan_bytes(content, "job.yaml").problems]


@pytest.mark.parametrize(
    "text",
    [
        *[
            "NO",
            "no",
            "Yes",
            "on",
            "off",
            "True",
            "NULL",
            "~",
            "010",
            "0o17",
            "0x1f",
            "0b1",
            "1_000",
            "+1",
            "-0",
        ],
        *[
            "3:30",
            "2001:10:20:30:40:50:10:20",
            "2001:db8::1",
            "2026-09-01",
            "2026-09-01T10:00:00Z",
            "1e3",
            ".5",
        ],
        *["5.", ".inf", ".nan", "=", "1.2.3.4", "12345678901234567890", "0.0000001", "٣"],
    ],
)
def test_what_yaml_would_guess_stays_text(text: str) -> None:
    """A plain scalar that YAML reads in surprising ways stays what the author wrote."""
    assert root_of(f"key: {text}") == {"key": text}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("true", True, id="true"),
        pytest.param("false", False, id="false"),
        pytest.param("null", None, id="null"),
        pytest.param("", None, id="nothing"),
        pytest.param("5", 5, id="whole-number"),
        pytest.param("-5", -5, id="negative-number"),
        pytest.param("1.50", Decimal("1.50"), id="decimal"),
        pytest.param('"5"', "5", id="quoted-number"),
        pytest.param("'true'", "true", id="quoted-word"),
    ],
)
def test_only_plain_words_and_numbers_are_typed(text: str, value: Node) -> None:
    """True, false, null and plain decimal numbers are typed unless they are quoted."""
    assert root_of(f"key: {text}") == {"key": value}


@given(st.from_regex(r"[-+0-9._e]{1,12}", fullmatch=True))
def test_typed_number_gives_its_source_text_back(text: str) -> None:
    """Whatever is typed as a number prints exactly as it was written."""
    assert str(typed(text)) == text


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param(
            b"a: 1\na: 2\n", "2:1: key `a` stands twice; the first is in line 1", id="duplicate-key"
        ),
        pytest.param(b'a: 1\n"a": 2\n', "2:1: key `a` stands twice", id="duplicate-key-in-quotes"),
        pytest.param(b"a: {b: 1, b: 2}\n", "1:11: key `b` stands twice", id="duplicate-key-in-braces"),
        pytest.param(b"a: &x 1\n", "1:4: an anchor (&) is not supported", id="anchor"),
        pytest.param(b"a: *x\n", "1:4: an alias (*) is not supported", id="alias"),
        pytest.param(b"a: !!str 1\n", "1:4: a tag (!) is not supported", id="tag"),
        pytest.param(b"a: !!python/name:os.system 1\n", "1:4: a tag (!) is not supported", id="python-tag"),
        pytest.param(
            b"- !203.0.113.40\n",
            '1:3: a tag (!) is not supported; remove it, or put the text in quotes like "!203.0.113.40"',
            id="exclusion-without-quotes",
        ),
        pytest.param(b"<<: {a: 1}\n", "1:1: merge key `<<` is not supported", id="merge-key"),
        pytest.param(b"a: 1\n---\nb: 2\n", "2:1: a second document starts here", id="second-document"),
        pytest.param(b"%YAML 1.1\n---\na: 1\n", "1:1: a YAML directive (%) is not supported", id="directive"),
        pytest.param(b"? [a]\n: 1\n", "1:3: a key must be plain text", id="list-as-key"),
        pytest.param(b"? \n: 1\n", "a key is missing before `:`", id="no-key"),
        pytest.param(b"a:\n\tb: 1\n", "2:1: a tab; use spaces", id="tab-indent"),
        pytest.param(b"a:\tb\n", "1:3: a tab; use spaces", id="tab-between"),
        pytest.param(b"a: {b:[1]}\n", "job.yaml:1:", id="key-without-space"),
        pytest.param(b"a: |#\n", "job.yaml:1:", id="comment-touches-block"),
        pytest.param(b"a: [b?]\n", "job.yaml:1:", id="question-mark-in-brackets"),
        pytest.param(b"a: b: c\n", "1:5: not valid YAML", id="two-colons"),
        pytest.param(b"a: [1\n", "not valid YAML", id="unclosed-bracket"),
        pytest.param(b"a: 'x\n", "not valid YAML", id="unclosed-quote"),
        pytest.param(b"", "1:1: the file is empty", id="empty"),
        pytest.param(b"# nothing\n", "1:1: the file is empty", id="comment-only"),
        pytest.param(b"\xef\xbb\xbf", "1:1: the file is empty", id="byte-order-mark-only"),
        pytest.param(b"a: 1\nb: caf\xe9\n", "2:7: byte 0xe9 is not UTF-8", id="latin-1"),
        pytest.param("a: 1\n".encode("utf-16"), "1:1: byte 0xff is not UTF-8", id="utf-16"),
        pytest.param(b"a: \x00\n", "1:4: a NUL byte", id="nul"),
        pytest.param(b"a: \x1b[31m\n", "1:4: U+001B control character is not allowed", id="escape"),
        pytest.param(
            b"a: 1\rb: 2\n", "1:5: a carriage return without a line feed", id="lone-carriage-return"
        ),
        pytest.param(
            "a: x\u202ey\n".encode(), "1:5: U+202E RIGHT-TO-LEFT OVERRIDE is not allowed", id="bidi"
        ),
        pytest.param("# \u2028\n".encode(), "1:3: U+2028 LINE SEPARATOR is not allowed", id="line-separator"),
        pytest.param("a: \u0085\n".encode(), "1:4: U+0085 control character is not allowed", id="next-line"),
        pytest.param(b'a: "\\u202e"\n', "1:4: U+202E RIGHT-TO-LEFT OVERRIDE", id="bidi-by-escape"),
        pytest.param(b'a: "\\0"\n', "1:4: U+0000 control character", id="nul-by-escape"),
        pytest.param(b'a: "\\UFFFFFFFF"\n', "not valid YAML", id="escape-beyond-unicode"),
    ],
)
@pytest.mark.parametrize("pure", [False, True], ids=["c", "pure"])
def test_trap_of_yaml_is_a_problem_at_its_place(content: bytes, expected: str, *, pure: bool) -> None:
    """Whatever makes a YAML file ambiguous or dangerous is a problem at its place, with either parser."""
    problems = scan_bytes(content, "job.yaml", pure=pure).problems

    assert expected in str(problems[0])


@pytest.mark.parametrize("pure", [False, True], ids=["c", "pure"])
def test_surrogate_by_escape_is_refused(*, pure: bool) -> None:
    """Half a character, written as an escape, never becomes a value."""
    assert scan_bytes(b'a: "\\ud800"\n', "job.yaml", pure=pure).problems


@pytest.mark.parametrize("content", [b"[" * 40_000, b"- " * 40_000, b"{a: " * 40_000, b"? " * 40_000])
def test_deep_nesting_is_a_problem_and_no_crash(content: bytes) -> None:
    """A file of opening brackets is refused at a depth of 20 levels."""
    assert (
        "nested deeper than 20 levels" in problems_of(content)[0] or "key must be" in problems_of(content)[0]
    )


def test_twenty_levels_are_allowed() -> None:
    """Nesting up to the limit is read."""
    assert root_of("[" * 20 + "]" * 20)


def test_problems_are_collected() -> None:
    """Every mistake that does not break the structure is shown in one go."""
    problems = problems_of("a: 1\na: &x 2\nb: *x\nc: !t 3\nd: \u202e\n".encode())

    assert len(problems) == 5


def test_problems_beyond_measure_end_the_reading() -> None:
    """A file that is wrong everywhere is given up, not read to its end."""
    problems = problems_of(b"a: 1\n" * 5000)

    assert (len(problems), problems[-1].partition(": ")[2]) == (
        1001,
        "more than 1000 problems; the rest was not read",
    )


def test_secret_is_never_in_a_message() -> None:
    """Text that YAML refuses may be a secret and is not repeated."""
    content = b"a: &S3CRET x\nb: *S3CRET\nc: !S3CRET x\nd: [S3CRET?]\n"

    assert "S3CRET" not in "".join(problems_of(content))


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "byte-order-mark"])
@pytest.mark.parametrize("end", ["\n", "\r\n"], ids=["lf", "crlf"])
def test_places_are_the_same_whatever_the_line_ends(mark: bytes, end: str) -> None:
    """Values and keys are located the same with LF and CRLF, with and without a byte order mark."""
    content = mark + end.join(["actions:", "  - with: {ptr: x}", ""]).encode()

    tree = scan_bytes(content, "job.yaml").tree

    assert tree is not None
    assert tree.place(("actions", 0, "with", "ptr")) == Place("job.yaml", 2, 17)
    assert tree.key_place(("actions", 0, "with", "ptr")) == Place("job.yaml", 2, 12)
    assert tree.place(("actions", 0, "gone")) == Place("job.yaml", 2, 5)


def test_tab_may_stand_in_a_comment_and_in_an_escape() -> None:
    """A tab is refused only where it could be structure."""
    assert root_of('#\tx\na: 1 #\ty\nb: "\\t"\n') == {"a": 1, "b": "\t"}


def outcome(reading: Reading) -> object:
    """Return what matters of a reading: everything when it is fine, else only that it is not."""
    if reading.tree is None or reading.problems:
        return "refused"
    return reading.tree


@given(st.lists(st.sampled_from(PIECES), max_size=14).map("".join))
def test_both_parsers_read_the_same(text: str) -> None:
    """The C parser and the pure one give the same tree and places, or both refuse."""
    fast, pure = (
        scan_bytes(text.encode("utf-8", "surrogatepass"), "job.yaml", pure=pure) for pure in (False, True)
    )

    assert outcome(fast) == outcome(pure)


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused(content: bytes) -> None:
    """No bytes make the reader fail in another way than by problems."""
    reading = scan_bytes(content, "job.yaml")

    assert reading.tree or reading.problems


def test_read_tree_raises_with_every_problem(tmp_path: Path) -> None:
    """A tree is only given out when nothing is wrong with its file."""
    path = tmp_path / "job.yaml"
    path.write_text("a: 1\na: 2\na: 3\n")

    with pytest.raises(JobError) as caught:
        read_tree(path)

    assert [problem.place.line for problem in caught.value.problems] == [2, 3]

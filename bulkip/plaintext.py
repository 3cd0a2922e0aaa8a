"""What bytes say as text: strict UTF-8 without characters that lie to the reader."""

import codecs
import re
from collections.abc import Iterator
from itertools import islice

from bulkip.characters import FORBIDDEN, describe_character
from bulkip.model import Place, Problem

MAX_PROBLEMS = 1000

_SUSPECT = re.compile(rf"\t|{FORBIDDEN.pattern}")
_COMMENT = re.compile(r"""(?:[^'"#]*[ \t])?#""")  # surely one: no quote stands before it


class Broken(Exception):
    """Raised when nothing after this problem can be read."""

    def __init__(self, place: Place, message: str) -> None:
        """Keep the problem that ends the reading."""
        self.problem = Problem(place, message)
        super().__init__(str(self.problem))


def plain_text(content: bytes, file: str, problems: list[Problem]) -> str:
    """Return the text with LF line ends, without its byte order mark.

    Forbidden characters become problems and are taken out, so that the other
    mistakes in the file are found as well. Raises `Broken` when the bytes are no text.
    """
    text = _decoded(content, file).replace("\r\n", "\n")
    if not _SUSPECT.search(text):
        return text
    for number, line in enumerate(text.split("\n"), start=1):
        problems.extend(islice(_line_problems(line, Place(file, number)), MAX_PROBLEMS))
        if len(problems) >= MAX_PROBLEMS:
            raise Broken(Place(file, number), f"more than {MAX_PROBLEMS} problems; the rest was not read")
    return FORBIDDEN.sub("", text.replace("\t", " "))


def decoding_problem(content: bytes, place: Place) -> Problem:
    """Return the problem of bytes that are not UTF-8, which begin at a place."""
    try:
        content.decode()
    except UnicodeDecodeError as error:
        before = content[: error.start].decode()
        line, column = before.count("\n"), len(before) - (before.rfind("\n") + 1)
        start = place.column if line == 0 else 1
        wrong = Place(place.file, place.line + line, start + column)
        return Problem(wrong, f"byte 0x{content[error.start]:02x} is not UTF-8; save the file as UTF-8")
    return Problem(place, "the bytes are not UTF-8; save the file as UTF-8")


def _decoded(content: bytes, file: str) -> str:
    content = content.removeprefix(codecs.BOM_UTF8)
    try:
        return content.decode()
    except UnicodeDecodeError:
        problem = decoding_problem(content, Place(file, 1))
        raise Broken(problem.place, problem.message) from None


def _line_problems(line: str, place: Place) -> Iterator[Problem]:
    """Yield the forbidden characters of one line; a tab may stand in a comment."""
    if not _SUSPECT.search(line):
        return
    comment = _COMMENT.match(line)
    for found in _SUSPECT.finditer(line):
        if found[0] == "\t" and comment and found.start() >= comment.end():
            continue
        yield _character_problem(found[0], Place(place.file, place.line, found.start() + 1))


def _character_problem(character: str, place: Place) -> Problem:
    match character:
        case "\t":
            return Problem(place, r"a tab; use spaces (inside double quotes a tab is written \t)")
        case "\r":
            raise Broken(place, "a carriage return without a line feed; save the file with LF or CRLF ends")
        case "\x00":
            raise Broken(place, "a NUL byte: this is no text file; save it as UTF-8")
        case _:
            return Problem(place, f"{describe_character(character)} is not allowed here; remove it")

"""Which rows a CSV file holds, streamed and strict: each with its line, each mistake with its place."""

import codecs
import csv
from collections.abc import Iterator
from typing import BinaryIO

from bulkip.characters import FORBIDDEN, describe_character, quoted
from bulkip.model import Place, Problem
from bulkip.plaintext import Broken, decoding_problem

MAX_FIELD = 131_072  # characters; the csv module's own limit
MAX_ROW = 4 * 2**20  # bytes


class CsvRows:
    """Owns the reading position in an open CSV file.

    While a row is out, `line` is where it began and `problems` holds what makes
    it unusable. Raises `Broken` when nothing after a mistake can be read.
    """

    def __init__(self, content: BinaryIO, file: str, delimiter: str) -> None:
        """Start before the first row of a file shown under this name."""
        self.line = 1
        self.problems: list[Problem] = []
        self._content = content
        self.file = file
        self._delimiter = delimiter
        self._parts: list[str] = []
        self._size = 0

    def __iter__(self) -> Iterator[list[str]]:
        reader = csv.reader(self._lines(), delimiter=self._delimiter, strict=True)
        while True:
            try:
                for row in reader:
                    yield row
                    self._begin(reader.line_num + 1)
            except csv.Error as error:
                self.problems.append(self._format_problem(str(error)))
                yield []
                self._begin(reader.line_num + 1)
            else:
                return

    def cell_place(self, index: int) -> Place:
        """Return where a cell of the current row begins."""
        text = "".join(self._parts)
        starts = cell_starts(text, self._delimiter)
        return self._place(text, starts[min(index, len(starts) - 1)])

    def _begin(self, line: int) -> None:
        self.line = line
        self._size = 0
        self._parts.clear()
        if self.problems:
            self.problems = []

    def _lines(self) -> Iterator[str]:
        """Yield the physical lines as text with LF ends, without what may not stand in them."""
        number, keep = 0, self._parts.append
        while raw := self._read(number + 1):
            number += 1
            if number == 1:
                raw = raw.removeprefix(codecs.BOM_UTF8)
            try:
                text = raw.decode()
            except UnicodeDecodeError:
                problem = decoding_problem(raw, Place(self.file, number))
                raise Broken(problem.place, problem.message) from None
            if not (text[-1:] == "\n" and text[:-1].isprintable()):  # nearly all lines are so
                line = text.removesuffix("\n").removesuffix("\r")
                text = (line if line.isprintable() else self._cleaned(line, number)) + "\n"
            keep(text)
            yield text

    def _read(self, number: int) -> bytes:
        try:
            raw = self._content.readline(MAX_ROW + 1)
        except OSError as error:
            raise Broken(Place(self.file, number), f"cannot be read on: {error.strerror}") from None
        self._size += len(raw)
        if self._size > MAX_ROW:
            message = f"a row of more than {MAX_ROW >> 20} MiB starts here; is a quote not closed?"
            raise Broken(Place(self.file, self.line), message)
        return raw

    def _cleaned(self, line: str, number: int) -> str:
        for found in FORBIDDEN.finditer(line):
            place = Place(self.file, number, found.start() + 1)
            if found[0] == "\r":
                message = "a carriage return without a line feed; save the file with LF or CRLF ends"
                raise Broken(place, message)
            message = f"{describe_character(found[0])} is not allowed here; remove it"
            self.problems.append(Problem(place, message))
            break  # one is enough to make the row unusable, and a line may hold millions
        return FORBIDDEN.sub("", line) if self.problems else line

    def _format_problem(self, error: str) -> Problem:
        """Return what is wrong with a row, or raise `Broken` when its end cannot be known."""
        text = "".join(self._parts)
        starts = cell_starts(text, self._delimiter)
        place = self._place(text, starts[-1])
        if "unexpected end" in error:
            raise Broken(place, "the quote that opens here is never closed")
        if len(self._parts) > 1:
            raise Broken(place, 'the quote that opens here is not closed where it should be; write " as ""')
        if "field larger" in error:
            return Problem(self._place(text, _long_cell(starts, len(text))), "a field is larger than 128 KiB")
        return Problem(place, 'text follows the closing quote of this field; write a quote in it as ""')

    def _place(self, text: str, offset: int) -> Place:
        line = self.line + text.count("\n", 0, offset)
        return Place(self.file, line, offset - text.rfind("\n", 0, offset))


def cell_starts(text: str, delimiter: str) -> list[int]:
    """Return the offset of each cell of a row, up to the first that is not well-formed."""
    starts = [0]
    while (end := _cell_end(text, starts[-1], delimiter)) is not None:
        starts.append(end + 1)
    return starts


def _cell_end(text: str, start: int, delimiter: str) -> int | None:
    """Return where the delimiter after a cell stands; None when the row ends or breaks off."""
    position = start
    if text.startswith('"', start):
        position = _closing_quote(text, start) + 1
        if position == 0 or not text.startswith(delimiter, position):
            return None
        return position
    found = text.find(delimiter, position)
    return found if found >= 0 else None


def _closing_quote(text: str, start: int) -> int:
    """Return where a quoted cell's last quote stands, or -1."""
    position = text.find('"', start + 1)
    while position >= 0 and text.startswith('""', position):
        position = text.find('"', position + 2)
    return position


def _long_cell(starts: list[int], end: int) -> int:
    ends = [*starts[1:], end]
    return next((start for start, stop in zip(starts, ends, strict=True) if stop - start > MAX_FIELD), 0)


def header_problem(names: list[str], delimiter: str) -> tuple[int, str] | None:
    """Return the first column of a header that is wrong and why, or None; names are stripped."""
    for index, name in enumerate(names):
        if not name:
            return index, f"column {index + 1} of the header has no name"
        if name in names[:index]:
            return index, f"column {quoted(name)} stands twice in the header; rename one"
    if "ip" in names:
        return None
    shown = ", ".join(quoted(name) for name in names[:5])
    other = next((sign for sign in ",;\t|" if sign != delimiter and sign in names[0]), None)
    if other and len(names) == 1:
        sign = "tab" if other == "\t" else other
        return 0, f'the header has no column `ip`, only {shown}; did you mean `delimiter: "{sign}"`?'
    return 0, f"the first row must be a header with a column `ip`; it has {shown}"


def column_names(header: list[str]) -> list[str]:
    """Return the header's names without white space around them; `ip` in any case is `ip`."""
    names = [name.strip() for name in header]
    return ["ip" if name.lower() == "ip" else name for name in names]

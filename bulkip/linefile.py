"""Which lines a file of independent lines holds: streamed and strict, a mistake spoils only its own line."""

import codecs
from collections.abc import Iterator
from typing import BinaryIO

from bulkip.characters import FORBIDDEN, describe_character
from bulkip.model import Place, Problem
from bulkip.plaintext import Broken, decoding_problem

MAX_LINE = 2**20  # bytes
_FOREIGN = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def lines_of(content: BinaryIO, file: str) -> Iterator[tuple[int, str | Problem]]:
    """Yield every line with its number: its text without the line end, or what is wrong with it.

    Raises `Broken` when the file is no text in lines at all.
    """
    number = 0
    while raw := _read(content, file, number + 1):
        number += 1
        if number == 1:
            raw = _without_mark(raw, file)
        if len(raw) > MAX_LINE:
            _skip_rest(content, raw, Place(file, number))
            size = f"{MAX_LINE >> 20} MiB"
            yield number, Problem(Place(file, number), f"a line of more than {size}; is a line end missing?")
        else:
            yield number, _text(raw, Place(file, number))


def _read(content: BinaryIO, file: str, number: int) -> bytes:
    try:
        return content.readline(MAX_LINE + 1)
    except OSError as error:
        raise Broken(Place(file, number), f"cannot be read on: {error.strerror}") from None


def _without_mark(raw: bytes, file: str) -> bytes:
    if raw.startswith(_FOREIGN):
        problem = decoding_problem(raw[:2], Place(file, 1))
        raise Broken(problem.place, problem.message)
    return raw.removeprefix(codecs.BOM_UTF8)


def _skip_rest(content: BinaryIO, raw: bytes, place: Place) -> None:
    while raw and not raw.endswith(b"\n"):
        raw = _read(content, place.file, place.line)


def _text(raw: bytes, place: Place) -> str | Problem:
    try:
        line = raw.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        return decoding_problem(raw, place)
    if line.isprintable() or not (found := FORBIDDEN.search(line)):
        return line
    wrong = Place(place.file, place.line, found.start() + 1)
    if found[0] == "\r":
        raise Broken(wrong, "a carriage return without a line feed; save the file with LF or CRLF ends")
    return Problem(wrong, f"{describe_character(found[0])} is not allowed here; remove it")

"""Which targets a CSV file lists: one for each row below its header."""

from collections.abc import Iterator
from dataclasses import replace
from typing import BinaryIO

from bulkip.addresses import canonical_ip
from bulkip.characters import quoted
from bulkip.csvfile import CsvRows, column_names, header_problem
from bulkip.makers import maker_of
from bulkip.model import Heading, Place, Problem, Target
from bulkip.owners import FIELD, Owner
from bulkip.plaintext import Broken
from bulkip.tally import Idle

_target = maker_of(Target)
_place = maker_of(Place)


def csv_targets(
    content: BinaryIO, file: str, delimiter: str, owner: Owner | None = None, *, allow_ipv6: bool
) -> Iterator[Target | Problem | Idle]:
    """Yield one thing for each row: a target, what is wrong with it, or that it is header or blank.

    The `owner` tells whose a row is, where there are accounts. Raises `Broken`
    when the file cannot be read, or not beyond some point.
    """
    rows = CsvRows(content, file, delimiter)
    stream = iter(rows)
    blanks, header = _header(rows, stream, delimiter)
    names, heading = column_names(header), Heading(tuple(header), delimiter)
    yield from [Idle.BLANK] * blanks
    yield Idle.HEADER
    for cells in stream:
        if rows.problems or len(cells) != len(names):
            yield _nothing(rows, cells, names)
            continue
        fields = dict(zip(names, cells, strict=True))
        try:
            ip = row_ip(fields.pop("ip").strip(), allow_ipv6=allow_ipv6)
        except ValueError as error:
            yield _nothing(rows, cells, names, str(error))
        else:
            one = _target(ip, fields, _place(file, rows.line), heading, cells)
            yield one if owner is None else _owned(one, owner, rows, names)


def _owned(target: Target, owner: Owner, rows: CsvRows, names: list[str]) -> Target | Problem:
    """Return a target with its account, or what is wrong with that."""
    fields = dict(target.fields)
    try:
        return replace(target, account=owner(fields), fields=fields)
    except ValueError as error:
        place = rows.cell_place(names.index(FIELD)) if FIELD in names else target.place
        return Problem(place, str(error))


def row_ip(text: str, *, allow_ipv6: bool) -> str:
    """Return the address of a row in canonical form; raises ValueError, a network is no row."""
    try:
        return canonical_ip(text, allow_ipv6=allow_ipv6)
    except ValueError:
        if "/" not in text:
            raise
    message = f"{quoted(text)} is a network; a row holds one address, a network stands in `targets`"
    raise ValueError(message)


def _header(rows: CsvRows, stream: Iterator[list[str]], delimiter: str) -> tuple[int, list[str]]:
    """Return how many blank rows come first, and the cells of the header after them as they were written."""
    for blanks, cells in enumerate(stream):
        if rows.problems:
            raise Broken(rows.problems[0].place, rows.problems[0].message)
        if _is_blank(cells):
            continue
        names = column_names(cells)
        if wrong := header_problem(names, delimiter):
            raise Broken(rows.cell_place(wrong[0]), wrong[1])
        return blanks, cells
    raise Broken(Place(rows.file, 1), "the file is empty; its first row must name the columns, one is `ip`")


def _is_blank(cells: list[str]) -> bool:
    return not "".join(cells).strip()


def _nothing(rows: CsvRows, cells: list[str], names: list[str], wrong: str = "") -> Problem | Idle:
    """Return why a row is no target; `wrong` is what is said of its address."""
    if rows.problems:
        return rows.problems[0]
    if _is_blank(cells):
        return Idle.BLANK
    if len(cells) != len(names):
        return Problem(Place(rows.file, rows.line), _ragged(len(cells), len(names)))
    again = column_names(cells) == names
    message = "the header stands here again; remove this row" if again else wrong
    return Problem(rows.cell_place(names.index("ip")), message)


def _ragged(found: int, expected: int) -> str:
    noun = "cell" if found == 1 else "cells"
    hint = 'put a cell that holds the delimiter in "quotes"' if found > expected else "add what is missing"
    return f"the row has {found} {noun}, the header has {expected}; {hint}"

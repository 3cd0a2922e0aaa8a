"""Which targets a CSV file lists: one for each row below its header."""

from collections.abc import Iterator

from bulkip.addresses import canonical_ip
from bulkip.characters import quoted
from bulkip.csvfile import CsvRows, column_names, header_problem
from bulkip.inputfile import open_input
from bulkip.model import Place, Problem, Target
from bulkip.plaintext import Broken
from bulkip.sources import CsvSource


def csv_targets(source: CsvSource, *, allow_ipv6: bool) -> Iterator[Target | Problem | None]:
    """Yield one thing for each row below the header: a target, what is wrong with it, or None for a blank.

    Raises `Broken` when the file cannot be read, or not beyond some point.
    """
    opened = open_input(source.path)
    if isinstance(opened, str):
        raise Broken(source.place, f"file {quoted(str(source.path))} {opened}")
    with opened:
        rows = CsvRows(opened, str(source.path), source.delimiter)
        stream = iter(rows)
        names = _header(rows, stream, source)
        for cells in stream:
            yield _row(rows, cells, names, allow_ipv6=allow_ipv6)


def _header(rows: CsvRows, stream: Iterator[list[str]], source: CsvSource) -> list[str]:
    """Return the column names of the first row that is not blank."""
    for cells in stream:
        if rows.problems:
            raise Broken(rows.problems[0].place, rows.problems[0].message)
        if _is_blank(cells):
            continue
        names = column_names(cells)
        if wrong := header_problem(names, source.delimiter):
            raise Broken(rows.cell_place(wrong[0]), wrong[1])
        return names
    raise Broken(
        Place(str(source.path), 1), "the file is empty; its first row must name the columns, one is `ip`"
    )


def _is_blank(cells: list[str]) -> bool:
    return not "".join(cells).strip()


def _row(rows: CsvRows, cells: list[str], names: list[str], *, allow_ipv6: bool) -> Target | Problem | None:
    if rows.problems:
        return rows.problems[0]
    if _is_blank(cells):
        return None
    if len(cells) != len(names):
        return Problem(Place(rows.file, rows.line), _ragged(len(cells), len(names)))
    fields = dict(zip(names, cells, strict=True))
    text = fields.pop("ip").strip()
    try:
        ip = canonical_ip(text, allow_ipv6=allow_ipv6)
    except ValueError as error:
        message = _again(error, text, is_header=column_names(cells) == names)
        return Problem(rows.cell_place(names.index("ip")), message)
    return Target(ip, fields, Place(rows.file, rows.line))


def _again(error: ValueError, text: str, *, is_header: bool) -> str:
    if is_header:
        return "the header stands here again; remove this row"
    if "/" in text:
        return f"{quoted(text)} is a network; a row holds one address, a network stands in `targets`"
    return str(error)


def _ragged(found: int, expected: int) -> str:
    noun = "cell" if found == 1 else "cells"
    hint = 'put a cell that holds the delimiter in "quotes"' if found > expected else "add what is missing"
    return f"the row has {found} {noun}, the header has {expected}; {hint}"

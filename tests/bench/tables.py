"""How figures are laid out for a terminal: plain text, columns aligned."""

from collections.abc import Sequence

from tests.bench.spread import Spread


def table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table with a title: the first column to the left, the others to the right."""
    lines = [tuple(head), *map(tuple, rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join([title, *(_line(line, widths) for line in lines)]) + "\n"


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first = cells[0].ljust(widths[0])
    others = [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True)]
    return ("  " + "  ".join([first, *others])).rstrip()


def number(value: float) -> str:
    """Return a figure with as many digits as mean something."""
    magnitude = abs(value)
    if magnitude >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if magnitude >= 10 else f"{value:.2f}"


def spread(value: Spread) -> str:
    """Return a median with its rounds' lowest and highest."""
    return f"{number(value.median)} ({number(value.low)}-{number(value.high)})"

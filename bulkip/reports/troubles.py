"""Which items of a run are not fine, in the order in which somebody should look at them?"""

from collections.abc import Iterator
from dataclasses import dataclass

from bulkip.model import Status
from bulkip.reports.rows import Row, report_rows
from bulkip.store import RunReader

ERRORS = (Status.UNKNOWN, Status.FAILED, Status.CONFLICT, Status.MISMATCH, Status.UNVERIFIED)
"""What fails a pipeline, the gravest first."""
NOT_FINE = (*ERRORS, Status.NOT_RUN)


@dataclass(slots=True)
class Group:
    """Items that are not fine in the same way: status, error class, the first row, how many they are."""

    status: Status
    error_class: str | None
    first: Row
    count: int = 0

    @property
    def name(self) -> str:
        """The error class, or the status where there is none."""
        return self.error_class or self.status.value

    @property
    def is_error(self) -> bool:
        """Whether it is more than something that was left out."""
        return self.status in ERRORS


def troubled_rows(reader: RunReader) -> Iterator[Row]:
    """Yield the rows that are not fine, in plan order."""
    return report_rows(reader, *NOT_FINE)


def groups_of(reader: RunReader) -> list[Group]:
    """Return the items that are not fine by status and error class: errors first, then the most frequent."""
    found: dict[tuple[str, str | None], Group] = {}
    for row in troubled_rows(reader):
        status, name = Status(str(row["status"])), row["error_class"]
        key = (status.value, None if name is None else str(name))
        group = found.setdefault(key, Group(status, key[1], row))
        group.count += 1
    return sorted(found.values(), key=lambda one: (not one.is_error, -one.count))


def place_of_row(row: Row) -> tuple[str, int] | None:
    """Return file and line of a row's target; None when it came from no file."""
    file, _, rest = str(row["source"] or "").partition(":")
    while rest and not rest.split(":")[0].isdigit():  # a name may hold colons
        more, _, rest = rest.partition(":")
        file = f"{file}:{more}"
    line = rest.split(":")[0]
    return (file, int(line)) if file and line else None

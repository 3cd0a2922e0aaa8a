"""Which items of a run are meant, by how they ended."""

from dataclasses import dataclass

from bulkip.model import ErrorClass, Status


@dataclass(frozen=True, slots=True)
class Choice:
    """Which items are opened again.

    With `classes`, only those of these error classes. `shown_only` leaves out
    writes that no read can show: they are sent again only when somebody asks.
    """

    statuses: tuple[Status, ...]
    classes: tuple[ErrorClass, ...] = ()
    shown_only: bool = False

    def where(self) -> tuple[str, tuple[str, ...]]:
        """Return the condition in SQL, and the values that it binds."""
        marks = ",".join("?" * len(self.statuses))
        where, values = f"WHERE result.status IN ({marks})", tuple(status.value for status in self.statuses)
        if self.classes:
            marks = ",".join("?" * len(self.classes))
            where += f" AND result.error_class IN ({marks})"
            values += tuple(one.value for one in self.classes)
        return where + (" AND item.shown" if self.shown_only else ""), values

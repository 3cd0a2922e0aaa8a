"""Which items of a run are meant, by how they ended."""

from dataclasses import dataclass

from bulkip.model import ErrorClass, Status


@dataclass(frozen=True, slots=True)
class Choice:
    """Which items are opened again.

    With `classes`, only those of these error classes. With `actions`, only
    those of these actions, and to settle what is in doubt: nothing that was
    known of them is forgotten, and nothing is opened along with them.
    """

    statuses: tuple[Status, ...]
    classes: tuple[ErrorClass, ...] = ()
    actions: tuple[str, ...] = ()

    def where(self) -> tuple[str, tuple[str, ...]]:
        """Return the condition in SQL, and the values that it binds."""
        marks = ",".join("?" * len(self.statuses))
        where, values = f"WHERE result.status IN ({marks})", tuple(status.value for status in self.statuses)
        if self.classes:
            marks = ",".join("?" * len(self.classes))
            where += f" AND result.error_class IN ({marks})"
            values += tuple(one.value for one in self.classes)
        if self.actions:
            where += f" AND item.action IN ({','.join('?' * len(self.actions))})"
            values += self.actions
        return where, values

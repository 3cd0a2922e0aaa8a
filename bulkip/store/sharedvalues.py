"""Which PTR values do too many addresses of one plan get? A copied column is found before it is sent."""

import sqlite3
from collections.abc import Iterator
from typing import Final

from bulkip.model import Item, Place, Problem

MOST_SHARING = 10
"""So many addresses may get one PTR value before its author has to say that it is meant."""
_ACTION: Final = "update_ptr"
_COUNTERS: Final = 2**20
"""A power of two: so many counters stand for all values, and take a byte each."""
_SHARED = """
SELECT value, count, step, source FROM (
  SELECT number, step, source, lower(json_extract(form, '$.ptr')) AS value,
    COUNT(*) OVER (PARTITION BY lower(json_extract(form, '$.ptr'))) AS count,
    ROW_NUMBER() OVER (PARTITION BY lower(json_extract(form, '$.ptr')) ORDER BY number) AS place
  FROM item WHERE action = ? AND skip IS NULL AND step IN ({steps}) AND json_extract(form, '$.ptr') <> ''
) WHERE place = ? ORDER BY number
"""


class SharedValues:
    """Counts how many addresses get each value, roughly, so that SQL is asked only when there is a reason.

    Values that fall on one counter are counted together: a count may be too
    high, never too low.
    """

    def __init__(self, steps: frozenset[str]) -> None:
        """Watch these steps; those whose author allowed it are not among them."""
        self._steps = tuple(sorted(steps))
        self._watched = steps
        self._counters = bytearray(_COUNTERS if steps else 0)
        self._is_suspicious = False

    def take(self, item: Item) -> None:
        """Count the value of an item."""
        if item.step not in self._watched or item.action != _ACTION:
            return
        if value := item.form.get("ptr"):
            place = hash(value.lower()) & (_COUNTERS - 1)
            count = self._counters[place]
            if count < MOST_SHARING:
                self._counters[place] = count + 1
            else:
                self._is_suspicious = True

    def problems(self, connection: sqlite3.Connection) -> Iterator[Problem]:
        """Yield a problem for each value that too many addresses get, at the first row that is too many."""
        if not self._is_suspicious:
            return
        steps = ",".join("?" * len(self._steps))
        values = (_ACTION, *self._steps, MOST_SHARING + 1)
        for value, count, step, source in connection.execute(_SHARED.format(steps=steps), values):
            yield Problem(place_of(source), _told(value, count, step))


def place_of(source: str) -> Place:
    """Return the place that an item's source names."""
    file, _, line = source.rpartition(":")
    return Place(file, int(line))


def _told(value: str, count: int, step: str) -> str:
    return (
        f"{_ACTION} (step {step}): `{', '.join(value.splitlines())}` is the PTR value of {count:,} "
        f"addresses, this is number {MOST_SHARING + 1}; if that is meant: allow_same: true in the action"
    )

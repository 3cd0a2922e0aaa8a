"""How items come into the table of a plan, and what it means when an address is there already."""

import json
import sqlite3
from collections.abc import Iterator, Mapping
from heapq import merge
from json.encoder import encode_basestring as quoted
from typing import Final, TypeAlias

from bulkip.model import Item, Problem
from bulkip.store.manyrows import ManyRows
from bulkip.store.sharedvalues import place_of

_Row: TypeAlias = tuple[int, int, str, str | None, str, str, str | None]
"""What the items of a step do not share: number, chain, key, address, form, source, skip."""
_Held: TypeAlias = tuple[int, int, str, str | None, str, str]

INSERT: Final = ManyRows(
    "INSERT OR IGNORE INTO item VALUES", "({},{},{},?1,?2,?3,?4,{},{},{},{},0)", shared=4
)
MOVE = "INSERT OR REPLACE INTO moved VALUES (?,?)"
HELD = "SELECT number, chain, key, skip, source, form FROM item WHERE ip=? AND step=?"


class ItemTable:
    """Owns the items that are not written yet, by step, and counts those that repeat others."""

    def __init__(
        self, connection: sqlite3.Connection, writing: frozenset[str], shown: frozenset[str]
    ) -> None:
        """Write through this connection; `writing` and `shown` are the actions that are marked so."""
        self._connection = connection
        self._marks = (writing, shown)
        self._rows: dict[tuple[str, str], list[_Row]] = {}
        self.repeated = 0

    def take(self, item: Item) -> None:
        """Take an item; what is kept of it is its row, an item would hold its target too."""
        row = (item.number, item.chain, item.key, item.ip, _text(item.form), item.source, item.skip)
        try:
            self._rows[item.step, item.action].append(row)
        except KeyError:
            self._rows[item.step, item.action] = [row]

    def write(self) -> Iterator[Problem]:
        """Write what was taken since the last time; yield where an address gets two different things."""
        taken, self._rows = self._rows, {}
        fewer = False
        for step, rows in taken.items():
            before = self._connection.total_changes
            self._insert(step, rows)
            fewer |= self._connection.total_changes - before < len(rows)
        if fewer:  # some address was there already: find out which, and whether it matters
            for row, step in merge(*([(row, step) for row in rows] for step, rows in taken.items())):
                yield from self._met(row, step)

    def _insert(self, step: tuple[str, str], rows: list[_Row]) -> None:
        marks = (int(step[1] in actions) for actions in self._marks)
        INSERT.insert(self._connection, rows, *step, *marks)

    def _met(self, row: _Row, step: tuple[str, str]) -> Iterator[Problem]:
        held = self._connection.execute(HELD, (row[3], step[0])).fetchone()
        if held and held[0] != row[0]:
            yield from self._meet_again(row, held, step)

    def _meet_again(self, row: _Row, held: _Held, step: tuple[str, str]) -> Iterator[Problem]:
        """Decide what a second row for the same address and step means."""
        number, chain, key, held_skip, held_source, held_form = held
        _, own_chain, own_key, ip, form, source, skip = row
        if key == own_key or skip:
            self.repeated += 1
        elif held_skip:  # the first row was left out by `when`; this one takes its place among the items
            self._connection.execute("DELETE FROM item WHERE number=?", (number,))
            self._insert(step, [(number, chain, *row[2:])])
            self._connection.execute(MOVE, (number, own_chain))
            self.repeated += 1
        else:
            difference = _difference(json.loads(form), held_source, json.loads(held_form))
            yield Problem(place_of(source), f"{ip} {difference}")


def _text(form: Mapping[str, str]) -> str:
    """Return a form as JSON; its names and values are texts, which saves asking what they are."""
    return f"{{{','.join([f'{quoted(name)}:{quoted(value)}' for name, value in form.items()])}}}"


def _difference(form: dict[str, str], source: str, first: dict[str, str]) -> str:
    names = [name for name in {**first, **form} if first.get(name) != form.get(name)]
    pairs = ", ".join(f"{name} `{form.get(name)}` here, `{first.get(name)}` there" for name in names)
    return f"has another value at {source} ({pairs}); keep one of the two rows"

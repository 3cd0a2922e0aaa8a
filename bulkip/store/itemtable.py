"""How items come into the table of a plan, and what it means when an address is there already."""

import json
import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from json.encoder import encode_basestring as quoted
from typing import Final, TypeAlias

from bulkip.model import Item, Problem
from bulkip.store.manyrows import ManyRows
from bulkip.store.sharedvalues import place_of

_Row: TypeAlias = tuple[int, int, str, str | None, str, str, str | None]
"""What the items of a step do not share: number, chain, key, address, form, source, skip."""
_Met: TypeAlias = tuple[int, int, str, str | None, str, str, int, str, str]
"""What counts where items meet: number, chain, key, skip, source, form, account, address, step."""

MOVE = "INSERT OR REPLACE INTO moved VALUES (?,?)"

INSERT: Final = ManyRows("INSERT INTO item VALUES", "({},{},{},?1,?2,?3,?4,{},{},{},{},0,?5)", shared=5)
MEETING = """
CREATE INDEX meeting ON item (ip, step, number);
CREATE TEMP TABLE late (number INTEGER PRIMARY KEY);
INSERT INTO late SELECT number FROM item WHERE ip IS NOT NULL AND (ip, step) IN
  (SELECT ip, step FROM item GROUP BY ip, step HAVING COUNT(*) > 1)
"""
ROW = "SELECT number, chain, key, skip, source, form, account, ip, step FROM"
LATE = f"{ROW} late CROSS JOIN item USING (number) WHERE number > ? ORDER BY number LIMIT ?"
HELD = f"{ROW} item WHERE ip = ? AND step = ? ORDER BY number LIMIT 1"
REPLACE = "UPDATE item SET number = ?, chain = ? WHERE number = ?"
PAGE = 500


class ItemTable:
    """Owns the items that are not written yet, by step, and counts those that repeat others."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        writing: frozenset[str],
        shown: frozenset[str],
        accounts: Sequence[str] = (),
    ) -> None:
        """Write through this connection; `writing` and `shown` are the actions that are marked so."""
        self._connection = connection
        self._marks = (writing, shown)
        self._accounts = ("", *accounts)
        self._rows: dict[tuple[str, str, str], list[_Row]] = {}
        self._torn = 0  # the chain whose address was last told to be named for two accounts
        self.repeated = 0

    @property
    def steps(self) -> Collection[tuple[str, str]]:
        """The steps that there are, each with its action."""
        return {(step, action) for step, action, _ in self._rows}

    def take(self, item: Item) -> None:
        """Take an item; what is kept of it is its row, an item would hold its target too."""
        row = (item.number, item.chain, item.key, item.ip, _text(item.form), item.source, item.skip)
        try:
            self._rows[item.step, item.action, item.account].append(row)
        except KeyError:
            self._rows[item.step, item.action, item.account] = [row]

    def write(self) -> None:
        """Write what was taken since the last time."""
        for (step, action, account), rows in self._rows.items():
            marks = (int(action in actions) for actions in self._marks)
            INSERT.insert(self._connection, rows, step, action, *marks, self._accounts.index(account))
            rows.clear()

    def meet(self) -> Iterator[Problem]:
        """Leave one item of each address and step; yield where the others would do something else."""
        for statement in MEETING.split(";"):
            self._connection.execute(statement)
        number = 0
        while late := self._connection.execute(LATE, (number, PAGE)).fetchall():
            number = late[-1][0]
            for row in late:
                held = self._connection.execute(HELD, row[-2:]).fetchone()
                if held[0] != row[0]:
                    yield from self._meet_again(row, held)
        self._connection.execute("DROP INDEX meeting")

    def _meet_again(self, row: _Met, held: _Met) -> Iterator[Problem]:
        """Decide what a second row for the same address and step means."""
        number, chain, key, skip, source, form, account, ip, _ = row
        first, first_chain, held_key, held_skip, held_source, held_form, held_account, *_ = held
        if account != held_account:
            self._connection.execute("DELETE FROM item WHERE number = ?", (number,))
            if chain != self._torn:  # once, although every step has met
                own, other = self._accounts[account], self._accounts[held_account]
                text = f"{ip} is named for account `{own}` here and for `{other}` at {held_source}; keep one"
                yield Problem(place_of(source), text)
            self._torn = chain
            return
        if held_skip and not skip and key != held_key:
            # the first row was left out by `when`; this one takes its place among the items
            self._connection.execute("DELETE FROM item WHERE number = ?", (first,))
            self._connection.execute(REPLACE, (first, first_chain, number))
            self._connection.execute(MOVE, (first, chain))
            self.repeated += 1
            return
        self._connection.execute("DELETE FROM item WHERE number = ?", (number,))
        if key == held_key or skip:
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

"""What a start knows of an item when it takes it up: the plan, and what earlier starts came to."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from bulkip.frozen import Struct
from bulkip.makers import maker_of
from bulkip.model import Before, Item, Status


class PlannedItem(Struct, frozen=True):
    """An item with what the store knows of it when a start takes it up.

    `in_doubt` says that a write of it may have happened, `refused` that the
    server had refused this write in words that nobody knows, `server_found`
    that the id in its form was looked up, `unread` why it goes without its value
    before.
    """

    item: Item
    generation: int
    before: Before | None
    status: Status | None
    attempts: int
    in_doubt: bool
    refused: bool = False
    server_found: bool = False
    unread: str | None = None


@dataclass(frozen=True, slots=True)
class Change:
    """A PTR write that is still to do: the names seen before it, and those it wants."""

    ip: str
    before: tuple[str, ...]
    wanted: tuple[str, ...]


_item = maker_of(Item)
_read_json = json.JSONDecoder().raw_decode  # `json.loads` looks for blanks around it, too


def planned_item(row: Iterable[Any], accounts: Sequence[str]) -> PlannedItem:
    """Return an item from the columns of `PLANNED_COLUMNS`; of the accounts it has one by its place."""
    number, chain, key, step, action, ip, form, source, skip, generation, *known = row
    names, read_at, status, attempts, found, unread, place = known
    tries = attempts or 0  # looked up once for three answers: how many, and two flags about the doubts
    account = accounts[place]
    return PlannedItem(
        _item(number, chain, key, step, action, ip, _read_json(form)[0], source, skip, None, None, account),
        generation,
        None if names is None else Before(tuple(_read_json(names)[0]), read_at),
        None if status is None else Status(status),
        tries >> 2,
        bool(tries & 2),
        bool(tries & 1),
        bool(found),
        unread,
    )

"""How a plan becomes that of one shard, and what the shards keep of the whole."""

import hashlib
import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from bulkip.shards import Shard

WHOLE = "whole"
"""The fact that a shard keeps about the plan that it is a part of: shards of different plans never mix."""
# The items of a job bring nothing along but their rows; what is known of them is found out later.
KEEP_OWN = """
DELETE FROM item WHERE NOT owned(ip);
DELETE FROM moved WHERE item NOT IN (SELECT number FROM item);
DELETE FROM target WHERE number NOT IN (SELECT chain FROM item) AND number NOT IN (SELECT target FROM moved)
"""


@dataclass(frozen=True, slots=True)
class Whole:
    """The plan of all shards: its items, those that a check asserts, and the digest of their keys."""

    items: int
    asserted: int
    digest: str

    @classmethod
    def of(cls, kept: object) -> Self | None:
        """Return what a run keeps of the whole; None when it keeps nothing that can be read."""
        match kept:
            case {"items": int(items), "asserted": int(asserted), "digest": str(digest)}:
                return cls(items, asserted, digest)
            case _:
                return None

    def told(self) -> Mapping[str, int | str]:
        """Return it as a run keeps it."""
        return {"items": self.items, "asserted": self.asserted, "digest": self.digest}


def keep_own(connection: sqlite3.Connection, shard: Shard) -> None:
    """Leave of a whole plan the items of a shard, under the numbers that they have in it."""
    whole = _whole(connection)
    connection.execute("INSERT INTO run VALUES (?,?)", (WHOLE, json.dumps(whole.told())))
    may_own(connection, shard)
    for statement in KEEP_OWN.split(";"):
        connection.execute(statement)


def may_own(connection: sqlite3.Connection, shard: Shard) -> None:
    """Let SQL ask whether an address is of a shard."""
    connection.create_function("owned", 1, shard.owns, deterministic=True)


def _whole(connection: sqlite3.Connection) -> Whole:
    digest = hashlib.sha256()
    for (key,) in connection.execute("SELECT key FROM item ORDER BY number"):
        digest.update(f"{key}\n".encode())
    items, asserted = connection.execute(
        "SELECT COUNT(*), COALESCE(SUM(shown AND skip IS NULL), 0) FROM item"
    ).fetchone()
    return Whole(items, asserted, digest.hexdigest())

"""Which addresses do names lead to?"""

import re
import sqlite3
from collections.abc import Iterable, Mapping
from threading import Lock

from dns.name import Name

from bulkip.simulator.nameserver.names import dns_name
from bulkip.simulator.state import Effect

MOST_ADDRESSES = 1000
"""How many addresses one answer tells."""

_LONGEST = 253
_PLAIN = re.compile(r"[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*")
_TABLE = """
CREATE TABLE names (name BLOB NOT NULL, ip TEXT NOT NULL, PRIMARY KEY (name, ip)) WITHOUT ROWID
"""


class ForwardNames:
    """Owns a temporary database of names and the addresses they lead to; any thread may call any method.

    A name that is `fixed` leads to what it says there, whatever is added later.
    """

    def __init__(self, fixed: Mapping[str, tuple[str, ...]]) -> None:
        self._lock = Lock()
        self._fixed: frozenset[bytes] = frozenset()
        self._db = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._db.executescript(f"PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY; {_TABLE}")
        self.add((ip, [name]) for name, ips in fixed.items() for ip in ips)
        self._fixed = frozenset(key for name in fixed if (key := _key(name)) is not None)

    def close(self) -> None:
        """Forget everything."""
        with self._lock:
            self._db.close()

    def add(self, named: Iterable[tuple[str, Iterable[str]]]) -> None:
        """Let names lead to an address; what cannot be a name in DNS leads nowhere."""
        rows = ((key, ip) for ip, names in named for name in names if (key := self._free(name)) is not None)
        with self._lock:
            self._db.execute("BEGIN")
            try:
                self._db.executemany("INSERT OR IGNORE INTO names VALUES (?, ?)", rows)
            finally:
                self._db.execute("COMMIT")

    def note(self, effect: Effect) -> None:
        """Let the names that an address is given lead to it."""
        if effect.action == "update_ptr" and effect.after:
            self.add([(effect.ip, effect.after)])

    def addresses(self, name: Name) -> tuple[str, ...]:
        """Return the addresses that a name leads to."""
        sql = "SELECT ip FROM names WHERE name = ? ORDER BY ip LIMIT ?"
        with self._lock:
            rows = self._db.execute(sql, (_key_of(name), MOST_ADDRESSES)).fetchall()
        return tuple(row[0] for row in rows)

    def goes_on(self, name: Name) -> bool:
        """Say whether there are names below this one."""
        key = _key_of(name)
        sql = "SELECT 1 FROM names WHERE name > ? AND name < ? LIMIT 1"
        with self._lock:
            return bool(self._db.execute(sql, (key + b".", key + b"/")).fetchall())

    def _free(self, name: str) -> bytes | None:
        key = _key(name)
        return None if key in self._fixed else key


def _key(text: str) -> bytes | None:
    """Return what a name is kept under; None for one that cannot be in DNS."""
    plain = text.removesuffix(".")
    if len(plain) <= _LONGEST and _PLAIN.fullmatch(plain):  # nearly every name, twenty times faster
        return b".".join(reversed(plain.lower().encode().split(b".")))
    name = dns_name(text)
    return None if name is None else _key_of(name)


def _key_of(name: Name) -> bytes:
    """Return the labels from the last to the first, so that names below a name stand beside it."""
    return b".".join(reversed(name.canonicalize().labels[:-1]))

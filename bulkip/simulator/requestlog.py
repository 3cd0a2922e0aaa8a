"""What the simulator saw: every request, in order, for tests in memory and for people as JSONL.

DNS queries and updates of a fed server are kept beside the requests; their lines have a `kind`.
"""

import json
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TextIO

from bulkip.simulator.nameserver.log import QueryEntry, UpdateEntry
from bulkip.simulator.window import busiest

KEPT = 20_000


@dataclass(frozen=True, slots=True)
class LogEntry:
    """A request as it was seen and settled, before anything went back.

    `at` is monotonic seconds at arrival. `status` is None when no answer was
    meant to be sent. `fault` names what was done to it ("limit" for a refused
    one); `effect` says that a write was carried out. `login` is the login that
    made the call's token or, in a login, the one it made: they count from 1,
    0 is the ready token, None no token at all. `key` is the API key behind it,
    from 1.
    """

    seq: int
    at: float
    wall: str
    connection: int
    method: str
    script: str
    action: str | None
    ip: str | None
    form: Mapping[str, str]
    status: int | None
    fault: str | None
    effect: bool
    login: int | None
    key: int | None

    def line(self) -> str:
        """Return the entry as one line of JSON."""
        return json.dumps(asdict(self))


class RequestLog:
    """Owns the last entries and, when given one, the stream every entry is written to."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._kept: deque[LogEntry] = deque(maxlen=KEPT)
        self._queries: deque[QueryEntry] = deque(maxlen=KEPT)
        self._updates: deque[UpdateEntry] = deque(maxlen=KEPT)
        self._stream = stream
        self.total = 0
        self.logins = 0
        self.queried = 0
        self.updated = 0

    def add(self, entry: LogEntry) -> None:
        """Keep an entry and write its line at once."""
        self.total += 1
        self.logins += entry.action == "login" and entry.login is not None
        self._kept.append(entry)
        self._write(entry.line())

    def add_query(self, entry: QueryEntry) -> None:
        """Keep a DNS query, which is no request, and write its line at once."""
        self.queried += 1
        self._queries.append(entry)
        self._write(entry.line())

    def add_update(self, entry: UpdateEntry) -> None:
        """Keep a change that was sent to the fed server, and write its line at once."""
        self.updated += 1
        self._updates.append(entry)
        self._write(entry.line())

    def _write(self, line: str) -> None:
        try:
            if self._stream is not None:
                self._stream.write(line + "\n")
                self._stream.flush()
        except BrokenPipeError:
            self._stream = None  # whoever read along is gone; serving goes on

    def entries(self, action: str | None = None, ip: str | None = None) -> list[LogEntry]:
        """Return the last 20,000 entries in order of arrival, of one action and one address where given."""
        return [
            entry
            for entry in tuple(self._kept)
            if (action is None or entry.action == action) and (ip is None or entry.ip == ip)
        ]

    def queries(self, record_type: str | None = None, ip: str | None = None) -> list[QueryEntry]:
        """Return the last 20,000 DNS queries, of one type and about one address where given."""
        return [
            entry
            for entry in tuple(self._queries)
            if (record_type is None or entry.type == record_type) and (ip is None or entry.ip == ip)
        ]

    def updates(self, ip: str | None = None) -> list[UpdateEntry]:
        """Return the last 20,000 changes that were sent to the fed server, of one address where given."""
        return [entry for entry in tuple(self._updates) if ip is None or entry.ip == ip]

    def busiest(self, period_s: float = 1.0) -> int:
        """Return the largest number of requests seen within any window of this length."""
        return busiest([entry.at for entry in tuple(self._kept)], period_s)

"""What the name servers saw and what the fed server was told; lines of the request log carry a `kind`."""

import json
from dataclasses import asdict, dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class QueryEntry:
    """A DNS query as it was seen and settled, before anything went back.

    `at` is monotonic seconds at arrival; `server` is 1, or 2 for the second
    one. `name` is in lower case without a final dot, None with `type` when the
    packet could not be read; `ip` is the address whose reverse name it is.
    `rcode` is None when nothing goes back; `answers` are the values in the
    answer; `fault` names what was done to it.
    """

    seq: int
    at: float
    wall: str
    server: int
    transport: Literal["udp", "tcp"]
    name: str | None
    type: str | None
    ip: str | None
    rcode: str | None
    answers: tuple[str, ...]
    fault: str | None
    kind: Literal["query"] = "query"

    def line(self) -> str:
        """Return the entry as one line of JSON."""
        return json.dumps(asdict(self))


@dataclass(frozen=True, slots=True)
class UpdateEntry:
    """A PTR change that was sent to the fed server, with what it answered.

    `at` is monotonic seconds when the answer was there. `result` is its rcode,
    NOERROR for a success, or why there was none; `zone` is None when the
    change belongs to no zone of the feed.
    """

    seq: int
    at: float
    wall: str
    ip: str
    zone: str | None
    names: tuple[str, ...]
    result: str
    kind: Literal["update"] = "update"

    def line(self) -> str:
        """Return the entry as one line of JSON."""
        return json.dumps(asdict(self))

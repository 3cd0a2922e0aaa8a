"""An account at a provider who counts: what it answers, what it keeps, and what it notes of every call.

It forgets no call and judges none. Faults are drawn from a seed, the call and
how often it came, so that they are the same whatever the order.
"""

import json
from array import array
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import blake2b
from urllib.parse import unquote_to_bytes

from tests.bench.arrivals import NEW, REFUSED, WRITE, Log

OLD_NAME = b"old.example.net"
DICE = 10_000
_OK = b'{"result":"OK","module":"ip","message":"%s"}'
BODY = _OK % OLD_NAME
"""A good answer to a read of a name and to a write of one alike."""
_TOO_MANY = b'{"code":-1,"message":"too many requests"}'
_BROKEN = b'{"code":-1,"message":"internal server error"}'


@dataclass(frozen=True, slots=True)
class Terms:
    """How an account treats its clients.

    `faults` is the part of the calls that is answered with 500 or not at all,
    half of them after the write was done. Above `limit` calls in any second
    come 429s. The call number `pause_at` is told to come back after
    `pause_s` seconds. Answers go out `delay_s` after their calls came.
    """

    faults: float = 0.0
    limit: int = 0
    pause_at: int = 0
    pause_s: int = 0
    delay_s: float = 0.0
    seed: int = 8


class Account:
    """Owns the names of an account and the log of its calls."""

    def __init__(self, terms: Terms, clock: Callable[[], float]) -> None:
        """Begin with the same old name for every address."""
        self.times, self.kinds = array("d"), array("B")
        self._terms = terms
        self._clock = clock
        self._names: dict[bytes, bytes] = {}
        self._seen: dict[tuple[bytes, bytes], int] = {}
        self._admitted: deque[float] = deque()

    def answer(self, body: bytes) -> bytes | None:
        """Return the whole answer to a call; None when its connection is to be reset."""
        now = self._clock()
        form = dict(_fields(body))
        kind = WRITE if form.get(b"action") == b"update_ptr" else 0
        self.times.append(now)
        self.kinds.append(kind)
        if refusal := self._refusal(now):
            self.kinds[-1] |= REFUSED
            return refusal
        return self._carry_out(form, kind)

    def _refusal(self, now: float) -> bytes | None:
        if len(self.times) == self._terms.pause_at:
            return page(429, _TOO_MANY, b"Retry-After: %d\r\n" % self._terms.pause_s)
        if not self._terms.limit:
            return None
        while self._admitted and self._admitted[0] <= now - 1:
            self._admitted.popleft()
        if len(self._admitted) >= self._terms.limit:
            return page(429, _TOO_MANY)
        self._admitted.append(now)
        return None

    def _carry_out(self, form: dict[bytes, bytes], kind: int) -> bytes | None:
        fault = self._fault(form)
        address = form.get(b"ip", b"")
        if kind & WRITE and fault not in ("500", "reset"):
            self._names[address] = unquote_to_bytes(form.get(b"ptr", b""))
        match fault:
            case "500" | "500 afterwards":
                return page(500, _BROKEN)
            case "reset" | "reset afterwards":
                return None
        return page(200, _OK % self._names.get(address, OLD_NAME))

    def _fault(self, form: dict[bytes, bytes]) -> str | None:
        """Draw what goes wrong with a call, and note whether it is the first of its kind."""
        if not self._terms.faults:
            self.kinds[-1] |= NEW
            return None
        call = (form.get(b"action", b""), form.get(b"ip", b""))
        times = self._seen[call] = self._seen.get(call, 0) + 1
        self.kinds[-1] |= NEW if times == 1 else 0
        salt = b"%d %d " % (self._terms.seed, times)
        drawn = int.from_bytes(blake2b(salt + b" ".join(call), digest_size=8).digest(), "big")
        if drawn % DICE >= self._terms.faults * DICE:
            return None
        return ("500", "500 afterwards", "reset", "reset afterwards")[drawn // DICE % 4]

    def count(self) -> bytes:
        """Return as JSON how many calls are noted, and when the first and the last of them came."""
        ends = (self.times[0], self.times[-1]) if self.times else (None, None)
        return json.dumps({"calls": len(self.times), "first": ends[0], "last": ends[1]}).encode()

    def forget(self) -> bytes:
        """Forget the calls, but not the names, and return nothing."""
        del self.times[:], self.kinds[:]
        return b""

    def log(self) -> bytes:
        """Return what was noted: a line of JSON with the count, then all times, then all kinds."""
        head = json.dumps({"calls": len(self.times)}).encode() + b"\n"
        return head + self.times.tobytes() + self.kinds.tobytes()


def page(status: int, body: bytes, headers: bytes = b"") -> bytes:
    """Return an answer as it goes over the wire."""
    head = b"HTTP/1.1 %d -\r\nContent-Type: application/json\r\n%sContent-Length: %d\r\n\r\n"
    return head % (status, headers, len(body)) + body


def read_log(content: bytes) -> Log:
    """Return the log that an account wrote."""
    head, _, rest = content.partition(b"\n")
    calls = int(json.loads(head)["calls"])
    times, kinds = array("d"), array("B")
    times.frombytes(rest[: calls * times.itemsize])
    kinds.frombytes(rest[calls * times.itemsize :])
    return Log(times, kinds)


def _fields(body: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the fields of a form as they were sent; names and addresses need no decoding."""
    for field in body.split(b"&"):
        name, _, value = field.partition(b"=")
        yield name, value

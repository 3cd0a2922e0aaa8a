"""Which session tokens are alive: the ready one, and those that logins with an API key made."""

import math
import re
import secrets
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from bulkip.simulator.dialects import Refusal
from bulkip.simulator.pages import Call

KEPT = 10_000
"""How many tokens are remembered, dead ones included; of the oldest nothing is known any more."""

_KEY_FORM = re.compile(r"[A-Za-z0-9_.-]{8,128}")
_TTL = re.compile(r"[1-9][0-9]{0,8}")
_YEAR_S = 365 * 86400


class TokenEnd(StrEnum):
    """How a token died, in the words of a fault file."""

    EXPIRED = "expired"
    INVALID = "invalid"
    HASH = "hash"


_REFUSALS = {
    TokenEnd.EXPIRED: Refusal("session token expired"),
    TokenEnd.INVALID: Refusal("invalid token"),
    TokenEnd.HASH: Refusal("Invalid hash", code=-2),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A token: logins count from 1, the ready one is 0; `key` says which API key made it, from 1.

    `ends_at` is on the simulator's monotonic clock, `token_expire` is Unix
    seconds; `client_ip` is set when it is bound to an address.
    """

    token: str
    login: int = 0
    key: int | None = None
    ends_at: float = math.inf
    token_expire: int | None = None
    uses_left: float = math.inf
    client_ip: str | None = None
    end: TokenEnd | None = None

    def expires(self, wall: float) -> int:
        """Return when it expires, in Unix seconds; the ready token is always good for another year."""
        return int(wall) + _YEAR_S if self.token_expire is None else self.token_expire

    def ended(self, call: Call) -> TokenEnd | None:
        """Say how it has ended for a call; None while it is alive."""
        if self.end is not None:
            return self.end
        if call.at >= self.ends_at or self.uses_left <= 0:
            return TokenEnd.EXPIRED
        return TokenEnd.HASH if self.client_ip not in (None, call.client_ip) else None


class Sessions:
    """Owns the tokens; a simulator that starts again knows only the ready one."""

    def __init__(self, ready: str, keys: Sequence[str], life_s: float, uses: int | None) -> None:
        self._ready = Session(token=ready)
        self._keys = {key: number for number, key in enumerate(keys, 1)}
        self._life_s = life_s
        self._uses = math.inf if uses is None else uses
        self._made: OrderedDict[str, Session] = OrderedDict()
        self.logins = 0

    def find(self, token: str) -> Session | None:
        """Return the session of a token, alive or dead."""
        return self._ready if token == self._ready.token else self._made.get(token)

    def look(self, call: Call) -> Session | Refusal:
        """Return the session that a call came with, or why it is refused; costs no use."""
        if not call.token:
            return Refusal("authentication required")
        session = self.find(call.token)
        if session is None:
            return _REFUSALS[TokenEnd.INVALID]
        end = session.ended(call)
        return session if end is None else _REFUSALS[end]

    def enter(self, call: Call) -> Refusal | None:
        """Use a call's token up by one; return why the call is refused, None when it is not."""
        session = self.look(call)
        if isinstance(session, Refusal):
            return session
        if session.uses_left != math.inf:
            self._keep(replace(session, uses_left=session.uses_left - 1))
        return None

    def login(self, call: Call) -> Session | Refusal:
        """Exchange an API key for a new token, or refuse it."""
        text = call.form.get("key", "")
        number = self._keys.get(text)
        if number is None:
            return _bad_key(text)
        self.logins += 1
        life_s = self._life(call.form.get("ttl", ""))
        session = Session(
            token=secrets.token_hex(16),
            login=self.logins,
            key=number,
            ends_at=call.at + life_s,
            token_expire=int(call.wall + life_s),
            uses_left=self._uses,
            client_ip=call.client_ip if call.form.get("fix_ip") == "1" else None,
        )
        self._keep(session)
        return session

    def kill(self, token: str, end: TokenEnd) -> Refusal:
        """Let a token die, if there is such a one, and return what its caller is told."""
        session = self.find(token)
        if session is not None:
            self._keep(replace(session, end=end))
        return _REFUSALS[end]

    def _life(self, ttl: str) -> float:
        """Return how long a token lives: as long as asked for, but never longer than the simulator allows."""
        return min(float(ttl), self._life_s) if _TTL.fullmatch(ttl) else self._life_s

    def _keep(self, session: Session) -> None:
        if session.token == self._ready.token:
            self._ready = session
            return
        self._made[session.token] = session
        while len(self._made) > KEPT:
            self._made.popitem(last=False)


def _bad_key(text: str) -> Refusal:
    if not text:
        return Refusal("api key is empty")
    return Refusal("invalid api key" if _KEY_FORM.fullmatch(text) else "incorrect api key format")

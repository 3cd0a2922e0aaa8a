"""What goes over the wire and what it means: a request, its reply, and the verdict on it."""

from collections.abc import Awaitable, Callable, Mapping
from enum import StrEnum
from typing import TypeAlias

from bulkip.frozen import Struct
from bulkip.model import ErrorClass, JsonValue


class VerdictKind(StrEnum):
    """What an answer means; the classes of api.md §4."""

    SUCCESS = "success"
    EMPTY = "empty"  # success without a value: "no significant traffic"
    PERMANENT = "permanent"  # refused, whoever asks again
    AUTH = "auth"  # this token was refused here
    AUTH_FATAL = "auth_fatal"  # the account is refused: the run stops
    THROTTLE = "throttle"  # everyone pauses
    IMPATIENT = "impatient"  # throttled for longer than the job is willing to wait
    BLOCKED = "blocked"  # an edge answered 403 with HTML
    TRANSIENT = "transient"  # worth another attempt
    PENDING = "pending"  # a write that was accepted, and goes on in the background
    REFUSED = "refused"  # a failure envelope with a text nobody knows
    UNKNOWN = "unknown"  # unreadable, contradictory, wrong shape
    MISCONFIGURED = "misconfigured"  # a certificate that does not verify: the run stops


ANSWERED = frozenset({VerdictKind.SUCCESS, VerdictKind.EMPTY})
"""After one of these nobody asks again."""


class FailureKind(StrEnum):
    """Where on the way a call without an answer was lost."""

    DNS = "dns"
    CONNECT = "connect"
    TLS = "tls"
    CERTIFICATE = "certificate"
    NO_TLS = "no_tls"  # something else than TLS is spoken there
    TIMEOUT = "timeout"
    NETWORK = "network"
    PROTOCOL = "protocol"  # not HTTP, or a body over the cap


class ApiRequest(Struct, frozen=True):
    """One call as the API documents it, without the token.

    `form` goes out in this order, after `action`. `writes` says whether the
    server may change something by it, `needs_token` whether one goes with it.
    """

    action: str
    form: Mapping[str, str]
    writes: bool = False
    script: str = "ip.php"
    needs_token: bool = True


class Answer(Struct, frozen=True):
    """An HTTP answer: header names in lower case, the body decoded and within the cap."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Failure(Struct, frozen=True):
    """A call without an answer; the request may have been `sent`, a status line `answered` to it."""

    kind: FailureKind
    sent: bool
    message: str
    answered: bool = False


Reply: TypeAlias = Answer | Failure
SendOff: TypeAlias = Callable[[], Callable[[], Awaitable[None]] | None]
"""Counts a call that is on its way; where that is too late for its turn, returns the wait for another."""


class Verdict(Struct, frozen=True):
    """What a reply means.

    `value` is the action's typed answer; `in_doubt` says that a write may
    have happened although it was not confirmed; `readable` that the reply was
    an envelope of this API, whatever it said.

    Whoever made the call adds what a reading has `shown`, how long it took, the
    price of asking again, the `streak` of lost calls it belongs to, and whether
    it is `excused`: no attempt of its item.
    """

    kind: VerdictKind
    error_class: ErrorClass | None = None
    error_code: str | None = None
    message: str | None = None
    http_status: int | None = None
    value: JsonValue = None
    shown: tuple[str, ...] | None = None
    retry_after_s: float | None = None
    in_doubt: bool = False
    readable: bool = False
    took_s: float = 0.0
    retry_cost: int = 0
    streak: int | None = None
    excused: bool = False
